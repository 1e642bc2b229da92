"""`advisor mcp` as an agent uses it: the SDK's own client, over stdio, with good and hostile arguments."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest
import tiny_model
from bare_environment import bare_environment
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

import advisor
from advisor.domain.domain import available_domains
from advisor.domain.files import data_folder
from advisor.report import agent

ROOT = Path(__file__).resolve().parents[3]
TOOLS = {"recommend", "compare", "explain", "check_dependencies", "check_upgrade", "plan_run"}
LONG = "x" * 100_000
HOSTILE = ["", "\0", "a\0.toml", "../../etc/passwd", "/etc/passwd", "/dev/zero", "/", LONG, "{{7*7}}", "'; drop table x; --",
           "\u202eevil", "$(id)", "<script>", "-h", "--help", 5, None, [], {}, True, ["x"] * 500, {"a": {"b": []}}]  # fmt: skip


def talk(script, folder):
    """Run an async function with a client of `advisor mcp`, and return its result."""
    env = bare_environment(
        HOME=str(folder), XDG_DATA_HOME=str(folder / "data"), XDG_CACHE_HOME=str(folder / "cache")
    )
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "advisor", "mcp"], env=env, cwd=str(folder)
    )

    async def run(errors):
        async with Client(stdio_client(server, errlog=errors)) as session:
            return await script(session)

    # Not in this thread: in the tests of one process, a browser may run an event loop in it.
    with Path(os.devnull).open("w") as errors, ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, run, errors).result()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def answers(home):
    """Tool → (arguments, answer) of typical questions, in one session."""
    (home / "requirements.txt").write_text("httpx\nflask\nno-such-package-x\n")
    (home / "code").mkdir()
    (home / "code/train.py").write_text("from torchtune.rlhf.loss import SimPOLoss\n")
    calls = [
        ("recommend", {}),
        ("recommend", {"libraries": ["trl", "unsloth"], "weights": {"activity": 1}, "as_of": "2025-06-05"}),
        ("recommend", {"category": "Web Frameworks"}),
        ("recommend", {"full": True}),
        ("compare", {"first": "trl", "second": "torchtune"}),
        ("explain", {"library": "trl"}),
        ("explain", {"library": "flask", "metric": "contributors"}),
        ("check_dependencies", {"files": ["requirements.txt"], "fail_under": 50}),
        ("check_dependencies", {"files": [str(ROOT / "constraints.txt")]}),
        ("check_upgrade", {"library": "torchtune", "old": "0.5", "code": "code"}),
        ("check_upgrade", {"library": "trl", "old": "0.9", "new": "1.0", "as_of": "2026-06-01"}),
    ]

    async def script(session):
        return [await session.call_tool(name, arguments) for name, arguments in calls]

    return [
        (name, arguments, result) for (name, arguments), result in zip(calls, talk(script, home), strict=True)
    ]


def test_the_tools_are_few_small_and_only_read(home):
    async def script(session):
        return (await session.list_tools()).tools, (await session.list_resources()).resources

    tools, resources = talk(script, home)
    assert {t.name for t in tools} == TOOLS
    for tool in tools:
        assert tool.annotations.read_only_hint and not tool.annotations.destructive_hint
        assert tool.output_schema["type"] == "object"
        assert len(json.dumps(tool.input_schema)) + len(tool.description) < 2000
    assert [str(r.uri) for r in resources] == ["advisor://domains"]


def test_every_answer_names_its_day_and_its_facts_and_is_short(answers):
    for name, arguments, result in answers:
        assert not result.is_error, (name, arguments, result.content)
        content = result.structured_content
        assert json.loads(result.content[0].text) == content
        assert arguments.get("full") or len(json.dumps(content)) <= agent.MOST_CHARACTERS, (name, arguments)
        assert content["facts"] or "category" in arguments
        for facts in content["facts"]:
            manifest = data_folder() / "snapshots" / facts["snapshot"] / "manifest.json"
            assert facts["sha256"] == hashlib.sha256(manifest.read_bytes()).hexdigest()
            assert facts["last_day"]
        assert "as_of" in content or all(p["as_of"] for p in content["packages"])


def test_the_answers_are_those_of_python(answers):
    short, pair, _, full, comparison, numbers, metric, packages, many, places, _ = (
        r.structured_content for _, _, r in answers
    )
    expected = advisor.recommend()
    assert (short["choice"], short["verdict"]) == (expected.choice, expected.certainty)
    assert [p["score"] for p in short["ranking"]] == [round(r.score, 1) for r in expected.ranking]
    assert all(p["low"] <= p["score"] <= p["high"] for p in short["ranking"])
    assert short["left_out"].endswith("call again with full = true") and not full["left_out"]
    assert full["would_change"] == [f.text for f in expected.flips]
    past = advisor.recommend(repositories=["trl", "unsloth"], weights={"activity": 1}, as_of="2025-06-05")
    assert (pair["verdict"], pair["as_of"]) == (past.certainty, "2025-06-05")
    assert (comparison["verdict"], comparison["choice"]) == ("only", "huggingface/trl")
    assert any("excluded" in p["note"] for p in comparison["candidates"])
    assert numbers["repository"] == "huggingface/trl"
    assert numbers["chance_of_abandonment"][0].startswith("in 12 months: ")
    assert [n["metric"] for n in metric["numbers"]] == ["contributors"] and metric["definition"]
    assert (places["repository"], places["old"]) == ("pytorch/torchtune", "0.5.0")
    assert places["places"] == ["code/train.py:1 fails: torchtune.rlhf.loss.SimPOLoss: removed"], (
        "the only line of the code, and a name that 0.6 does not have"
    )
    assert packages["known"] + packages["unknown"] == 3
    assert packages["without_score"][0].startswith("no-such-package-x: ")
    assert many["left_out"] and len(many["packages"]) <= 10


def test_libraries_without_a_rank_are_named_with_the_reason(answers):
    expected = advisor.recommend()
    without_rank = " ".join(answers[0][2].structured_content["without_rank"])
    assert all(name.partition("/")[2] in without_rank for name in (*expected.missing, *expected.rivals))
    excluded = [p for p in answers[0][2].structured_content["ranking"] if p["rank"] is None]
    assert [p["repository"] for p in excluded] == [
        r.repository for r in expected.ranking if r.rank is None
    ] and all(p["note"] for p in excluded)


def test_a_run_is_planned_and_not_started(home):
    model = tiny_model.model(home / "tiny")
    data = tiny_model.write(home / "sums.jsonl", tiny_model.sums())
    arguments = {"data": str(data), "model": str(model), "stack": "trl"}
    before = sorted(home.rglob("*"))

    async def script(session):
        return await session.call_tool("plan_run", arguments)

    result = talk(script, home)
    assert not result.is_error, result.content
    plan = result.structured_content
    assert (plan["stack"], plan["method"], plan["why"]) == ("trl", "lora", "")
    assert plan["rows"] == 108 and plan["longest_tokens"] > 10  # a tenth of the 120 rows is held out
    assert plan["fits"] and 0 < plan["peak_bytes"] < plan["room_bytes"]
    assert plan["command"].startswith("advisor train ") and str(data) in plan["command"]
    assert len(json.dumps(plan)) <= agent.MOST_CHARACTERS
    assert [p for p in sorted(home.rglob("*")) if p not in before and "adapter" in p.name] == []


def test_domains_are_resources(home):
    async def script(session):
        domains = await session.read_resource("advisor://domains")
        one = await session.read_resource("advisor://domains/finetuning")
        for name, message in (("cooking", "unknown domain 'cooking'"), ("..%2F..%2Fetc", "etc")):
            with pytest.raises(MCPError, match=message):
                await session.read_resource(f"advisor://domains/{name}")
        return json.loads(domains.contents[0].text), json.loads(one.contents[0].text)

    domains, one = talk(script, home)
    assert [d["name"] for d in domains["domains"]] == available_domains()
    assert "huggingface/trl" in one["candidates"] and one["goals"]["balanced"]["weights"]


def test_hostile_arguments_get_a_short_sentence_and_the_server_goes_on(home):
    (home / "pipe").unlink(missing_ok=True)
    os.mkfifo(home / "pipe")
    parameters = {
        "recommend": ("domain", "libraries", "category", "goal", "as_of", "weights", "full"),
        "compare": ("first", "goal"),
        "explain": ("library", "metric"),
        "check_dependencies": ("files", "fail_under"),
        "plan_run": ("data", "model"),
    }
    base = {
        "compare": {"first": "trl", "second": "unsloth"}, "explain": {"library": "trl"},
        "check_dependencies": {"files": ["requirements.txt"]}, "plan_run": {"data": "rows.jsonl", "model": "model"},
    }  # fmt: skip

    async def script(session):
        results = []
        for tool, names in parameters.items():
            for name in names:
                for value in [
                    *HOSTILE,
                    *([["/dev/zero"], ["pipe"], ["/"], [LONG]] if name == "files" else []),
                ]:
                    arguments = {**base.get(tool, {}), name: value}
                    results.append((tool, name, value, await session.call_tool(tool, arguments)))
        results.append(("no_tool", "", "", await session.call_tool("no_tool", {})))
        return results, await session.call_tool("recommend", {})

    results, last = talk(script, home)
    refused = [(tool, name, value, result) for tool, name, value, result in results if result.is_error]
    assert len(refused) > len(results) * 0.75
    for tool, name, value, result in refused:
        text = result.content[0].text
        assert "Traceback" not in text and "internal error" not in text, (tool, name, str(value)[:50], text)
        assert len(text) < 4000, (tool, name, str(value)[:50], len(text))
    assert last.structured_content["choice"] == advisor.recommend().choice


def test_a_plan_says_what_is_missing_and_starts_nothing(home):
    (home / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')

    async def script(session):
        return await session.call_tool("plan_run", {"data": "rows.jsonl", "model": "nowhere"})

    result = talk(script, home)
    assert result.is_error and "no folder nowhere" in result.content[0].text
    assert not (home / "data").exists()


def test_without_the_package_the_message_names_the_extra(tmp_path):
    code = "import sys; sys.modules['mcp'] = None; sys.argv = ['advisor', 'mcp']; from advisor.cli import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert process.returncode == 2
    assert "pip install 'library-advisor[mcp]'" in process.stderr and "Traceback" not in process.stderr
