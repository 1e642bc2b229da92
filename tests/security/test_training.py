"""Attacks by a model, a template, data and packages of strangers on a training run; and what a run may delete.

The programs that a run starts, the chat template of a model, and the files of a model, a run or a data set are
hostile or malformed here. Nothing trains: small scripts stand in for a stack.
"""

from __future__ import annotations

import ast
import json
import os
import pickle
import re
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import tiny_model
from encoding import encode_row

from advisor.errors import AdvisorError
from advisor.files import draft_folder
from finetune import isolation, record, run
from finetune.after import card, merge
from finetune.data import chat_process, dataset, rendering
from finetune.data.rows import Misfit, parse_record, read_rows
from finetune.data.template import load_tokenizer, set_template
from finetune.errors import DataError, ModelError, RunError, SpecError, TrainingError
from finetune.process import environment, launch
from finetune.runners import emit
from finetune.sections import Data
from finetune.spec import compose_spec
from finetune.stacks.shared import hf_trainer
from finetune.weights.checkpoints import describe_checkpoint

ROOT = Path(__file__).resolve().parents[2]
BROKEN_ROW = {"messages": [{"role": "user", "content": "a question without an answer"}]}


@pytest.fixture(scope="session")
def pristine_model(tmp_path_factory):
    """A model without weights, for planning."""
    folder = tiny_model.tokenizer(tmp_path_factory.mktemp("pristine"))
    (folder / "config.json").write_text(json.dumps(tiny_model.config()))
    (folder / "generation_config.json").write_text('{"eos_token_id": 2}')
    return folder


@pytest.fixture
def model(pristine_model, tmp_path):
    """A copy of the model that a test may damage."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in pristine_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The user's folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path


@pytest.fixture
def train(model, tmp_path, monkeypatch):
    """Return a function that runs everything before the training; it returns the run's folder."""
    monkeypatch.setattr(run, "_run_stages", lambda *_: None)

    def start(rows, folder, **sections):
        data = rows if isinstance(rows, Path) else tiny_model.write(tmp_path / "rows.jsonl", rows)
        layer = {
            "model": {"base": str(model)},
            "data": {"train": str(data)},
            "output": str(folder),
            **sections,
        }
        return run.start_run(compose_spec([("test", layer)]))

    return start


# What a run deletes


def test_refused_run_is_replaced_and_every_other_file_stays(train, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(DataError, match="rows cannot be used"):
        train([BROKEN_ROW], folder)
    others = {
        "mended.jsonl": "".join(json.dumps(row) + "\n" for row in tiny_model.sums(20)),
        "notes/today.txt": "do not lose me",
        "data/more.jsonl": "my own data",
        ".draft.txt": "my own draft",
        "work.md": "a plan",
    }
    for name, text in others.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    assert train(folder / "mended.jsonl", folder) == folder
    assert {name: (folder / name).read_text() for name in others} == others
    assert dataset.open_dataset(folder / "data").rows == 18


@pytest.mark.parametrize(
    "name", ["adapter/my.safetensors", "log.txt", "work/checkpoint-3/state.pt", "spec.toml"]
)
def test_own_file_with_a_name_of_a_run_stops_a_new_run_and_stays(train, tmp_path, name):
    folder = tmp_path / "run"
    with pytest.raises(DataError):
        train([BROKEN_ROW], folder)
    before = (folder / "record.json").read_bytes()
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("mine")
    with pytest.raises(
        RunError, match=f"contains {name.partition('/')[0]}, which the run there did not write"
    ):
        train(tiny_model.sums(20), folder)
    assert ((folder / name).read_text(), (folder / "record.json").read_bytes()) == ("mine", before)


@pytest.fixture
def refused_run(train, tmp_path):
    """A run that was refused after it had tokens, and its mended data."""
    folder = tmp_path / "run"
    rows = [{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<0> a"}]}]
    model_folder = tmp_path / "model"
    config = json.loads((model_folder / "config.json").read_text())
    (model_folder / "config.json").write_text(json.dumps({**config, "vocab_size": 3}))
    with pytest.raises(DataError, match="outside the model's 3 embeddings"):
        train([*rows, *tiny_model.sums(20)], folder)
    (model_folder / "config.json").write_text(json.dumps(config))
    tiny_model.write(tmp_path / "rows.jsonl", tiny_model.sums(40))
    return folder


def test_resumed_run_replaces_its_tokens_and_keeps_other_files(refused_run):
    (refused_run / "data" / "notes.txt").write_text("mine")
    (refused_run / "mended.jsonl").write_text("mine")
    run.resume_run(refused_run)
    assert dataset.open_dataset(refused_run / "data").rows == 36
    assert (
        (refused_run / "data" / "notes.txt").read_text()
        == (refused_run / "mended.jsonl").read_text()
        == "mine"
    )


def test_resumed_run_does_not_replace_a_file_that_it_did_not_write(refused_run):
    (refused_run / "data" / "train.jsonl").unlink()
    (refused_run / "data" / "train.jsonl").write_text("my own rows")
    with pytest.raises(DataError, match=r"train\.jsonl is not as the run wrote it"):
        run.resume_run(refused_run)
    assert (refused_run / "data" / "train.jsonl").read_text() == "my own rows"


def test_resumed_run_does_not_follow_a_link_out_of_its_folder(refused_run, tmp_path):
    own = tmp_path / "my-data"
    (refused_run / "data").rename(own)
    before = {file.name: file.read_bytes() for file in own.iterdir()}
    (refused_run / "data").symlink_to(own)
    with pytest.raises(DataError, match="is not a folder that advisor wrote"):
        run.resume_run(refused_run)
    assert {file.name: file.read_bytes() for file in own.iterdir()} == before


def test_deleted_run_leaves_other_files_and_the_targets_of_links(refused_run, tmp_path):
    elsewhere = tmp_path / "disk" / "checkpoint-3"
    elsewhere.mkdir(parents=True)
    (refused_run / "work").symlink_to(tmp_path / "disk")
    (refused_run / "mended.jsonl").write_text("mine")
    assert record.remove_runs([refused_run], lambda _: True) == [refused_run]
    assert [path.name for path in refused_run.iterdir()] == ["mended.jsonl"]
    assert elsewhere.is_dir()


def test_merge_deletes_nothing_beside_its_output(refused_run, tmp_path, monkeypatch):
    finished = record.update_record(refused_run, record.read_record(refused_run), state="finished")
    record.update_record(refused_run, finished, spec={**finished.spec, "method": {"name": "lora"}})
    (tmp_path / "out.draft").mkdir()
    (tmp_path / "out.draft" / "mine").touch()

    def write_model(command, _):
        Path(command[-1]).mkdir()
        return subprocess.CompletedProcess(command, 0, "[]", "")

    monkeypatch.setattr(isolation, "run_program", write_model)
    assert merge.merge_adapter(refused_run, tmp_path / "out").is_dir()
    assert (tmp_path / "out.draft" / "mine").exists()


def test_job_for_a_scheduler_replaces_no_other_file(model, tmp_path):
    rows = tiny_model.write(tmp_path / "rows.jsonl", tiny_model.sums(20))
    job = tmp_path / "job"
    job.mkdir()
    (job / "run.toml").write_text("# my own spec\n")
    words = ["train", "--data", str(rows), "--model", str(model), "--submit", "slurm", "-o"]
    environment_of_cpu = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}

    def submit(folder):
        command = [sys.executable, "-m", "advisor", *words, str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment_of_cpu)

    process = submit(job)
    assert (process.returncode, "run.toml has other contents" in process.stderr) == (2, True), process.stderr
    assert [path.name for path in job.iterdir()] == ["run.toml"]
    assert (job / "run.toml").read_text() == "# my own spec\n"
    assert [submit(tmp_path / "new").returncode for _ in range(2)] == [0, 0]


def test_run_is_only_for_its_user(train, tmp_path):
    for folder in (
        train(tiny_model.sums(20), tmp_path / "run"),
        record.create_run_folder(None, "owner/model"),
    ):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "shared").mkdir(mode=0o755)
    folder = train(tiny_model.sums(20), tmp_path / "shared")
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700, "it contains the rows"
    (tokens,) = (tmp_path / "cache" / "advisor" / "tokens").iterdir()
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o700


@pytest.mark.parametrize(("path", "name"), [
    ("alice/models/Llama-4", "Llama-4"),
    ("alice/.cache/huggingface/hub/models--meta-llama--Llama-4/snapshots/0123abc", "meta-llama/Llama-4"),
])  # fmt: skip
def test_adapter_names_a_local_base_model_without_its_path(train, tmp_path, path, name):
    base = tmp_path / path
    base.mkdir(parents=True)
    config = tmp_path / "adapter_config.json"
    config.write_text("{}")
    hf_trainer.set_base_name(config, str(base))
    folder = train(tiny_model.sums(20), tmp_path / "run")
    run_record = record.read_record(folder)
    spec = {**run_record.spec, "model": {**run_record.spec["model"], "base": str(base)}}
    text = card.render_card(folder, record.update_record(folder, run_record, spec=spec))
    assert json.loads(config.read_text())["base_model_name_or_path"] == name
    assert f'base_model: "{name}"' in text
    assert "alice" not in text and str(tmp_path) not in text


# What killed processes leave behind


def test_draft_of_a_killed_process_is_removed_and_one_in_use_stays(tmp_path):
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from advisor.files import draft_folder
        with draft_folder(Path({str(tmp_path)!r}), "draft-") as draft:
            (draft / "train.jsonl").write_text("x")
            print(draft, flush=True)
            time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        other_draft = Path(process.stdout.readline().strip())
        (tmp_path / "draft-of-my-own").mkdir()
        (tmp_path / "draft-my_notes").write_text("a file")
        with draft_folder(tmp_path, "draft-"):
            assert other_draft.is_dir(), "its process is alive"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert other_draft.is_dir()
    with draft_folder(tmp_path, "draft-") as draft:
        assert {path.name for path in tmp_path.iterdir()} == {draft.name, "draft-of-my-own", "draft-my_notes"}
    assert {path.name for path in tmp_path.iterdir()} == {"draft-of-my-own", "draft-my_notes"}


def test_resumed_run_sweeps_what_a_killed_one_left(refused_run):
    litter = [
        ".draft.abc123_x",
        "native/.draft.zzzzzzzz",
        "go",
        "stop-at.draft",
        "work/checkpoint-4/state.pt",
    ]
    own = [".draft.notes.txt", "work/checkpoint-9/complete", "work/checkpoint-best/state.pt", "native/mine"]
    for name in (*litter, *own):
        (refused_run / name).parent.mkdir(parents=True, exist_ok=True)
        (refused_run / name).touch()
    run.resume_run(refused_run)
    assert [name for name in litter if (refused_run / name).exists()] == []
    assert [name for name in own if not (refused_run / name).exists()] == []
    assert not (refused_run / "work" / "checkpoint-4").exists()
    (refused_run / "work" / "checkpoint-best" / "complete").touch()
    assert launch.find_last_checkpoint(refused_run / "work").name == "checkpoint-9"


def test_environment_whose_build_was_killed_is_built_again(tmp_path, monkeypatch):
    lock = tmp_path / "small.lock"
    lock.write_text("")
    (environment.environment_folder(lock) / "bin").mkdir(parents=True)
    new_environment = environment.Environment(Path(sys.executable), "there", {})
    monkeypatch.setattr(environment, "build_environment", lambda *_: new_environment)
    assert environment.ensure_environment(lock, ("no-such-package",)) is new_environment


# What started programs see and reach

SECRETS = (
    *("GH_TOKEN", "GITHUB_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "WANDB_API_KEY"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"),
    *(
        "AZURE_CLIENT_SECRET",
        "OPENAI_API_KEY",
        "SSH_AUTH_SOCK",
        "SSH_AGENT_PID",
        "KUBECONFIG",
        "DATABASE_URL",
    ),
    *("HTTPS_PROXY", "https_proxy", "PIP_INDEX_URL", "UV_INDEX_URL", "NETRC", "SLURM_JWT", "KRB5CCNAME"),
    *(
        "DBUS_SESSION_BUS_ADDRESS",
        "XDG_RUNTIME_DIR",
        "DOCKER_HOST",
        "TORCH_SECRET",
        "TRANSFORMERS_API_KEY",
        "CI_JOB_TOKEN",
    ),
)
NEEDED = (
    *(
        "HF_HOME",
        "HF_HUB_CACHE",
        "HF_DATASETS_CACHE",
        "TRANSFORMERS_CACHE",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
    ),
    *(
        "CUDA_HOME",
        "CUDA_LAUNCH_BLOCKING",
        "NVIDIA_VISIBLE_DEVICES",
        "NCCL_P2P_DISABLE",
        "HSA_OVERRIDE_GFX_VERSION",
    ),
    *(
        "LD_LIBRARY_PATH",
        "PYTORCH_CUDA_ALLOC_CONF",
        "TORCHINDUCTOR_CACHE_DIR",
        "TRITON_CACHE_DIR",
        "PYTHONPATH",
    ),
    *(
        "TMPDIR",
        "LC_ALL",
        "XDG_CACHE_HOME",
        "CUBLAS_WORKSPACE_CONFIG",
        "TOKENIZERS_PARALLELISM",
        "MASTER_ADDR",
    ),
)


def stack(tmp_path, body):
    """Return the command of a script that stands in for a stack."""
    here = str(Path(emit.__file__).parent)
    head = (
        f"import sys; sys.path.insert(0, {here!r})\nimport emit, json, os, socket\nfrom pathlib import Path\n"
    )
    head += f"run = Path({str(tmp_path)!r}); say = emit.Emitter(run)\n"
    file = tmp_path / "stack.py"
    file.write_text(head + textwrap.dedent(body) + '\nsay("finished", step=1)\n')
    return [sys.executable, str(file)]


def test_stack_sees_the_variables_that_it_needs_and_no_secret(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "describe_network", lambda: "open: not of interest here")
    for name in (*SECRETS, *NEEDED):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    command = stack(tmp_path, '(run / "seen.json").write_text(json.dumps(dict(os.environ)))')
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    launch.run_process(command, tmp_path, {"UNSLOTH_DISABLE_STATISTICS": "1"})
    names = set(json.loads((tmp_path / "seen.json").read_text()))
    assert sorted(names & set(SECRETS)) == []
    assert sorted(set(NEEDED) - names) == []
    assert {"UNSLOTH_DISABLE_STATISTICS", emit.WRAPPER_PID, "PATH", "HOME"} <= names


def test_other_variable_passes_if_the_user_names_it(monkeypatch):
    monkeypatch.setenv("SITE_LICENSE", "x")
    assert "SITE_LICENSE" not in isolation.select_variables()
    monkeypatch.setenv(isolation.PASS_VARIABLE, "OTHER, SITE_LICENSE")
    assert isolation.select_variables()["SITE_LICENSE"] == "x"


def test_uv_gets_the_index_and_no_other_secret(monkeypatch):
    index = (
        "UV_INDEX_URL",
        "UV_INDEX_MINE_PASSWORD",
        "PIP_INDEX_URL",
        "HTTPS_PROXY",
        "no_proxy",
        "SSL_CERT_FILE",
    )
    for name in (*SECRETS, *index, "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD"):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    variables = environment.uv_variables()
    assert variables["UV_FIND_LINKS"] == "wheels"
    assert set(index) <= set(variables)
    reach_an_index = {"HTTPS_PROXY", "https_proxy", "PIP_INDEX_URL", "UV_INDEX_URL", "NETRC"}
    assert sorted({*SECRETS, "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD"} & set(variables)) == sorted(
        reach_an_index
    )


def test_stack_has_no_network_where_the_system_can_close_it(tmp_path, monkeypatch):
    """The stack tries to reach a server of this machine; its own loopback device works."""
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "eth0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        command = stack(tmp_path, f"""
            with socket.create_server(("127.0.0.1", 0)) as own:
                socket.create_connection(own.getsockname()).close()
            try:
                socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), timeout=10).close()
                say("reached")
            except OSError as error:
                device = os.environ.get("NCCL_SOCKET_IFNAME")
                say("refused", name=socket.gethostname(), user=os.getuid(), device=device)
        """)  # fmt: skip
        events = []
        launch.run_process(command, tmp_path, {}, on_event=events.append)
        if isolation.describe_network() != isolation.NO_NETWORK:
            assert events[0]["event"] == "reached"
            return
        assert (events[0]["event"], events[0]["name"], events[0]["user"]) == (
            "refused",
            "localhost",
            os.getuid(),
        )
        assert events[0]["device"] is None, "NCCL would look for a device that is not there"
        with pytest.raises(BlockingIOError):
            server.accept()
        launch.run_process(command, tmp_path, {}, on_event=events.append, needs_network=True)
        assert [event["event"] for event in events if event["event"] != "finished"] == ["refused", "reached"]


def test_system_that_cannot_close_the_network_is_named(monkeypatch):
    monkeypatch.setattr(
        isolation, "_probe", lambda: "cannot start without a network: Operation not permitted"
    )
    assert isolation.close_network(["python"]) == ["python"]
    assert isolation.describe_network() == "open: cannot start without a network: Operation not permitted"
    monkeypatch.setattr(isolation, "_probe", lambda: "")
    assert isolation.describe_network() == isolation.NO_NETWORK
    assert isolation.close_network(["python"])[-1] == "python"
    monkeypatch.setenv(isolation.NETWORK_VARIABLE, "open")
    assert isolation.describe_network() == "open: ADVISOR_NETWORK is open"


def test_probe_reports_what_the_system_says(monkeypatch, tmp_path):
    script = tmp_path / "no_network.py"
    script.write_text("import sys; sys.exit('not here')")
    monkeypatch.setattr(isolation.no_network, "__file__", str(script))
    assert isolation._probe.__wrapped__() == "not here"


def test_every_program_is_started_with_the_list_of_variables():
    starts = 0
    for file in sorted((ROOT / "finetune").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if call in ("subprocess.run", "subprocess.Popen", "os.posix_spawn", "os.system", "os.popen"):
                starts += 1
                values = [ast.unparse(k.value) for k in node.keywords if k.arg == "env"]
                is_probe = file.name == "isolation.py" and not values  # runs only code of our own
                allowed = ("select_variables(", "uv_variables()", "variables")
                assert is_probe or any(name in values[0] for name in allowed), f"{file}:{node.lineno}"
    assert starts > 5


# Chat templates


@pytest.fixture
def tokenizer(pristine_model):
    return load_tokenizer(str(pristine_model))


CHAT = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
ENDLESS = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "loops while it is parsed": "{{ 9 ** (9 ** 9) }}",
    "a large number": "{{ (messages | length) ** (9 ** 9 ** 2) }}",
    "a long search": "{% set x = 'a' * 99999 %}{% for a in range(9999) %}{{ (x * 99).count('b' * 999) }}{% endfor %}",
}  # fmt: skip


@pytest.mark.parametrize("attack", sorted(ENDLESS))
def test_template_without_an_end_ends_the_command(tokenizer, monkeypatch, attack):
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 1.5)
    good_template = tokenizer.chat_template
    tokenizer.chat_template = ENDLESS[attack] + good_template
    for _ in range(2):  # it is not tried twice
        with pytest.raises(DataError, match=r"chat template of .* is too slow"):
            encode_row(parse_record(1, CHAT), tokenizer, Data(train="x"))
    tokenizer.chat_template = good_template
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 60.0)
    assert encode_row(parse_record(1, CHAT), tokenizer, Data(train="x")).trained_tokens > 0


def test_slow_template_of_a_file_blames_the_file(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 1.5)
    (tmp_path / "mine.jinja").write_text(ENDLESS["loops"] + "{{ messages }}")
    with pytest.raises(DataError, match=r"^data\.template .*mine\.jinja is too slow"):
        set_template(tokenizer, str(tmp_path / "mine.jinja"))


def test_template_that_is_slow_for_each_row_ends_the_command(tokenizer, monkeypatch):
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 1.5)
    monkeypatch.setattr(rendering, "SECONDS_EACH", 0.0)
    slow = "{% for a in range(9) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    tokenizer.chat_template = slow + tokenizer.chat_template
    with pytest.raises(DataError, match="is too slow"):
        for place in range(1000):
            encode_row(parse_record(place, CHAT), tokenizer, Data(train="x"))


@pytest.mark.parametrize(("template", "reason"), [
    ("{{ 'x' * 9999999999 }}", "too much memory"),
    ("{% set ns = namespace(x='xx') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", "too much memory"),
    ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "too much memory"),
    ("{{ 'x' * 30000000 }}", "makes 30,000,000 characters of a chat"),
    ("{{ messages[0]['content'] }}{{ '\\ud800' }}", "half of a surrogate pair"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe|undefined|no element"),
    ("{% for", "unexpected"),
])  # fmt: skip
def test_template_that_makes_too_much_or_no_text_refuses_the_row(tokenizer, monkeypatch, template, reason):
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 300.0)
    tokenizer.chat_template = template
    answer = encode_row(parse_record(1, CHAT), tokenizer, Data(train="x"))
    assert isinstance(answer, str)
    assert re.search(reason, answer), answer


def count_renderings(monkeypatch):
    counts = []
    ask = rendering._PROCESS._ask

    def counting(requests, *rest):
        counts.append(len(requests))
        return ask(requests, *rest)

    monkeypatch.setattr(rendering._PROCESS, "_ask", counting)
    return counts


def test_template_that_refuses_everything_is_tried_once(tokenizer, model, tmp_path, monkeypatch):
    tokenizer.chat_template = "{{ raise_exception('I refuse ' ~ messages | length) }}"
    counts = count_renderings(monkeypatch)
    data = tiny_model.write(tmp_path / "rows.jsonl", tiny_model.sums(200))
    spec = compose_spec([("test", {"model": {"base": str(model)}, "data": {"train": str(data)}})]).spec
    with pytest.raises(DataError, match=r"200 of 200 rows cannot be used.*I refuse 2"):
        dataset.prepare_dataset(spec, tokenizer, tmp_path / "tokens")
    assert sum(counts) < 10, "one row and the simplest chats"


def test_template_that_refuses_some_chats_is_tried_for_each(tokenizer, monkeypatch):
    needs_system = (
        "{% if messages[0].role != 'system' %}{{ raise_exception('a system turn is missing') }}{% endif %}"
    )
    tokenizer.chat_template = needs_system + tokenizer.chat_template
    counts = count_renderings(monkeypatch)
    system = {"role": "system", "content": "be brief"}
    rows = [CHAT, {"messages": [system, *CHAT["messages"]]}, CHAT, CHAT]
    answers = [encode_row(parse_record(1, row), tokenizer, Data(train="x")) for row in rows]
    assert [isinstance(answer, str) for answer in answers] == [True, False, True, True]
    assert sum(counts) > 7


def test_process_that_renders_does_not_outlive_a_killed_command():
    request = {"turns": CHAT["messages"], "tools": [], "template": ENDLESS["a large number"], "prompt": False}
    message = pickle.dumps([{**request, "with_spans": False, "special_tokens": {}}])
    script = "import os, sys; from finetune.data import chat_process as c; c._LAST_SECONDS = 0; "
    script += "c.main(sys.stdin.buffer, sys.stdout.buffer)"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # nobody reads its answers, and nobody kills it
        process.stdin.write(chat_process.LENGTH.pack(len(message)) + message)
        process.stdin.close()
        assert process.wait(timeout=300) == -signal.SIGALRM


def test_template_without_an_end_in_a_stack_ends_the_stack(tmp_path):
    """Some stacks render chats of their own when they load a tokenizer."""
    command = stack(tmp_path, """
        import jinja2, template_limit
        template_limit.limit_templates(run, 1)
        say("imported")
        jinja2.Template("{{ 9 ** (n ** n) }}").render(n=9)
    """)  # fmt: skip
    with pytest.raises(TrainingError, match=r"a chat template had \d+ s. A chat template did not end"):
        launch.run_process(command, tmp_path, {})
    harmless = stack(tmp_path, """
        import jinja2, template_limit
        template_limit.limit_templates(run)
        say("text", text=jinja2.Template("{{ n }}").render(n=9))
    """)  # fmt: skip
    events = []
    launch.run_process(harmless, tmp_path, {}, on_event=events.append)
    assert events[0]["text"] == "9"
    assert not (tmp_path / "slow-template.txt").exists()


# Malformed files

MALFORMED = {
    "empty": b"",
    "cut": b'{"a": [',
    "a list": b"[]",
    "null": b"null",
    "no UTF-8": b"\xff\xfe{}",
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("damage", sorted(MALFORMED))
@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"]
)
def test_malformed_file_of_a_model_is_named_in_one_line(train, model, tmp_path, name, damage):
    (model / name).write_bytes(MALFORMED[damage])
    with pytest.raises(ModelError) as failure:
        train(tiny_model.sums(20), tmp_path / "run")
    assert str(model / name) in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(("name", "values"), [
    ("config.json", {"hidden_size": "64"}), ("config.json", {"num_attention_heads": 0}),
    ("config.json", {"vocab_size": 10**400}), ("config.json", {"num_hidden_layers": True}),
    ("config.json", {"text_config": 5}), ("config.json", {"rope_scaling": ["linear"]}),
    ("config.json", {"mlp_bias": {"a": 1}}), ("config.json", {"max_position_embeddings": float("nan")}),
    ("generation_config.json", {"eos_token_id": "</s>"}), ("generation_config.json", {"eos_token_id": [2, None]}),
])  # fmt: skip
def test_impossible_value_in_a_file_of_a_model_blames_that_file(train, model, tmp_path, name, values):
    (model / name).write_text(json.dumps({**json.loads((model / name).read_text()), **values}))
    with pytest.raises(ModelError) as failure:
        train(tiny_model.sums(20), tmp_path / "run")
    assert str(model / name) in str(failure.value)
    assert "\n" not in str(failure.value)


def test_chat_template_that_is_no_text_is_refused(model):
    (model / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": 5}))
    with pytest.raises(ModelError, match=r"tokenizer"):
        load_tokenizer(str(model))
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    (model / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(ModelError, match=r"chat_template\.jinja is not UTF-8"):
        load_tokenizer(str(model))


@pytest.mark.parametrize("name", ["config.json", "adapter_config.json", "record.json"])
@pytest.mark.parametrize("damage", sorted(MALFORMED))
def test_inspect_names_the_malformed_file(tmp_path, name, damage):
    (tmp_path / name).write_bytes(MALFORMED[damage])
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        describe_checkpoint(tmp_path)


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_half_of_a_surrogate_pair_is_a_reason_to_refuse_the_row(tmp_path, suffix):
    rows = [{"text": "good"}, {"text": "bad \ud83d"}, {"text": "\U0001f600"}, {"text": "x", "id": "\udc00"}]
    file = tmp_path / f"rows{suffix}"
    lines = [json.dumps(row) for row in rows]
    file.write_text("\n".join(lines) if suffix == ".jsonl" else f"[{','.join(lines)}]")
    found = list(read_rows(str(file)))
    assert [isinstance(row, Misfit) for row in found] == [False, True, False, True]
    assert "contains \\ud83d, a half of a surrogate pair" in found[1].why


def test_name_that_is_no_text_is_refused_before_anything_is_written():
    layer = {"model": {"base": "m"}, "data": {"train": os.fsdecode(b"rows\xff.jsonl")}}
    with pytest.raises(SpecError, match=r"data\.train .* is not valid UTF-8"):
        compose_spec([("--data", layer)])


RECORDS = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a loop of links": lambda path: path.symlink_to(path),
    "too deep": lambda path: path.write_bytes(b"[" * 100_000),
    "another type": lambda path: path.write_text(
        path.with_name("good.json").read_text().replace('"finished"', "7")
    ),
}


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_strange_record_gives_one_message(train, tmp_path, kind):
    good = record.Record("r", "finished", record.utc_now(), {}, {}, "trl")
    record.write_record(tmp_path, good)
    (tmp_path / "record.json").rename(tmp_path / "good.json")
    RECORDS[kind](tmp_path / "record.json")
    with pytest.raises(RunError, match=r"cannot read .*record\.json|no record\.json") as failure:
        record.read_record(tmp_path)
    assert "\n" not in str(failure.value)
    with pytest.raises(AdvisorError):
        record.create_run_folder(str(tmp_path), "m")


def test_record_with_a_spec_of_strangers_is_refused_by_name(refused_run):
    run_record = record.read_record(refused_run)
    record.update_record(refused_run, run_record, spec={"model": {"base": ["x"]}})
    with pytest.raises(RunError, match=r"record\.json: spec\.model\.base"):
        run.resume_run(refused_run)


def test_runs_command_survives_strange_runs_and_keeps_links(advisor_runs, tmp_path):
    runs = tmp_path / "share" / "advisor" / "runs"
    target = tmp_path / "disk" / "a-run"
    for folder in (runs / "strange", target):
        folder.mkdir(parents=True)
        strange = record.Record(folder.name, "failed", record.utc_now(), {"model": 5}, {}, "trl",
                                losses={"held_out": {"base": "x"}})  # fmt: skip
        record.write_record(folder, strange)
    (runs / "linked").symlink_to(target)
    (runs / "dangling").symlink_to(tmp_path / "gone")
    (runs / "a-file").touch()
    (runs / "broken").mkdir()
    (runs / "broken" / "record.json").write_text("{")
    output = advisor_runs()
    assert "strange" in output.stdout and "linked" in output.stdout
    assert "broken" in output.stderr
    output = advisor_runs("prune", "--yes")
    assert f"kept {runs / 'linked'}: it is a symbolic link" in output.stderr
    assert target.is_dir() and not (runs / "strange").exists()
    assert "is a symbolic link" in advisor_runs("prune", "--yes", "linked", code=2).stderr
    assert (target / "record.json").is_file()


@pytest.fixture
def advisor_runs(tmp_path):
    """Return a function that runs `advisor runs`."""

    def start(*words, code=0):
        process = subprocess.run(
            [sys.executable, "-m", "advisor", "runs", *words], capture_output=True, text=True, check=False,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert process.returncode == code, process.stdout + process.stderr
        assert "Traceback" not in process.stderr
        return process

    return start


@pytest.mark.parametrize("place", ["a file/run", "dangling", "/proc/nowhere/run"])
def test_folder_that_cannot_be_a_run_gives_one_message(train, tmp_path, place):
    (tmp_path / "a file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    with pytest.raises(RunError, match=r"cannot use .* as the folder of a run"):
        train(tiny_model.sums(20), tmp_path / place)


@pytest.mark.parametrize("number", [28, 30, 13])
def test_full_or_read_only_disk_gives_one_message(train, tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number), str(tmp_path / "cache"))

    monkeypatch.setattr(dataset, "_write", refuse)
    with pytest.raises(TrainingError, match=f"cache: {os.strerror(number)}; (free some|check its)"):
        train(tiny_model.sums(20), tmp_path / "run")
    monkeypatch.undo()
    assert record.read_record(tmp_path / "run").state == "failed"
