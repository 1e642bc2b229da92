"""Every reader of foreign bytes as one function of bytes: it returns, or raises one of our errors.

`seeds` gives valid bytes for each reader; `cases/` has the inputs that `scripts/fuzz.py` found, one folder for each reader.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import random
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import duckdb
from measuring import measure_repositories

from advisor.answers import recommend
from advisor.answers.dependencies import files
from advisor.answers.question import Request, read_request
from advisor.cli.bench_claims import format_claims
from advisor.cli.bench_results import list_benchmarks
from advisor.cli.bench_tables import format_markdown, format_text
from advisor.cli.measure_facts import measure_facts
from advisor.collect.git.commits import parse_log
from advisor.collect.git.merge_patterns import (
    list_writers,
    load_merge_patterns,
    parse_closed_numbers,
    parse_mentioned_numbers,
    parse_merged_numbers,
)
from advisor.collect.git.tag_schemes import load_tag_schemes, parse_tag
from advisor.collect.github import protocol, shapes
from advisor.collect.http.messages import HttpResponse, read_json
from advisor.collect.http.shapes import read_as
from advisor.collect.many import merge
from advisor.collect.sources import huggingface, pypi, pypistats, scorecard
from advisor.decide.rules import load_rules
from advisor.domain.domain import load_domain
from advisor.errors import AdvisorError, InputError
from advisor.facts import reading, writing
from advisor.facts.manifest import SCHEMA_VERSION
from advisor.facts.tables import TABLES
from advisor.metrics import METRICS
from advisor.model import Ranked
from finetune.bench.result import parse_result
from finetune.data import rows
from finetune.weights import checkpoints, gguf, pickles, safetensors_header

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNITS = {m.name: m.unit for m in METRICS.values()}
FEW = {name: METRICS[name] for name in ("stars", "release_frequency", "declared_status")}
SHAPES = (shapes.Overview, shapes.Connection, shapes.Thread, shapes.ReleaseNode,
          shapes.ThreadReplies, shapes.Total)  # fmt: skip
_FOLDER = Path(tempfile.mkdtemp(prefix="advisor-fuzz-"))


def _file(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def _each(*readers: Callable[[], object]) -> None:
    for reader in readers:
        with suppress(AdvisorError):
            reader()


def git_log(data: bytes) -> None:
    _each(lambda: parse_log(data.decode("utf-8", "replace")))


def git_messages(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for parse in (parse_merged_numbers, parse_closed_numbers, parse_mentioned_numbers):
        assert all(0 <= number <= 10**9 for number in parse(text, "o/n"))
    list_writers("Ann Ash", "ann@x.example", text)
    parse_tag(text)


def github(data: bytes) -> None:
    answer = HttpResponse(200, {}, data)
    _each(lambda: protocol.read_graphql(answer, NOW))
    with suppress(AdvisorError):
        value = read_json(answer, "GitHub")
        _each(lambda: shapes.read_star_weeks(value))
        for shape in SHAPES:
            with suppress(AdvisorError):
                seen = read_as(shape, value, "GitHub")
                if isinstance(seen, shapes.Overview):
                    shapes.build_repository_row(seen, date(2026, 1, 1))


def package_world(data: bytes) -> None:
    answer = HttpResponse(200, {}, data)
    for source in (pypistats, scorecard, pypi, huggingface):
        _each(lambda source=source: source.read_response(answer))


def domain_toml(data: bytes) -> None:
    path = _file("domain.toml", data)
    _each(lambda: load_domain(str(path)))


def rules_toml(data: bytes) -> None:
    path = _file("rules.toml", data)
    _each(lambda: load_rules(path, UNITS))


def dependency_files(data: bytes) -> None:
    for name in (
        "requirements.txt",
        "pyproject.toml",
        "uv.lock",
        "poetry.lock",
        "pylock.toml",
        "environment.yml",
        "package.json",
        "package-lock.json",
        "pnpm-lock.yaml",
        "bom.json",
        "bom.xml",
        "yarn.lock",
        "bun.lock",
        "pdm.lock",
        "Pipfile",
        "Pipfile.lock",
        "setup.cfg",
        "conda-lock.yml",
        "script.py",
        "any.lock",
    ):
        path = _file(name, data)
        with suppress(AdvisorError):
            files.read_dependencies([path])


def parquet(data: bytes) -> None:
    """A file that agrees with its hash, as a store handed on by somebody may have it."""
    store = _FOLDER / "store"
    for table in ("counts", "releases"):
        (store / table).mkdir(parents=True, exist_ok=True)
        (store / table / "a__b.parquet").write_bytes(data)
        entry = {"rows": 1, "sha256": hashlib.sha256(data).hexdigest()}
        manifest = {"schema": SCHEMA_VERSION, "files": {f"{table}/a__b.parquet": entry},
                    "first_day": "2020-01-01", "as_of": "2026-01-01"}  # fmt: skip
        (store / "manifest.json").write_text(json.dumps(manifest))
        opened = reading.open_store(store)
        with suppress(AdvisorError):
            reading.read_rows(opened, table, "a/b")
        with suppress(AdvisorError):
            measure_repositories(opened, ["a/b"], date(2026, 1, 1), FEW)


LIBRARY = "vaexio/vaex"


@cache
def _library_store() -> Path:
    """Return a store with the bundled facts about one library and their measurements."""
    path = _FOLDER / "library"
    merge.copy_repository(LIBRARY, reading.open_store(ROOT / "data" / "snapshots" / "dataframes"), path)
    measure_facts(path)
    return path


def _rank(store: Path) -> list[Ranked]:
    request = Request(domain="dataframes", store=store, repositories=(LIBRARY,))
    return list(recommend.recommend(read_request(request)).ranking)


@cache
def _expected_ranking() -> list[Ranked]:
    return _rank(_library_store())


def _rank_damaged(name: str, data: bytes) -> list[Ranked]:
    """Rank a store with one damaged file."""
    store = _FOLDER / "damaged"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(_library_store(), store)
    (store / name).write_bytes(data)
    return _rank(store)


def manifest(data: bytes) -> None:
    _each(lambda: _rank_damaged("manifest.json", data))


ODD_VALUES = (None, True, -1, 0, 10**30, 1e308, "", "x", "0001-01-01", "9999-12-31", "2020-02-30", "../x", "\ud800",
              "counts/own__lib.parquet", [], {}, [[]], {"in": "x"})  # fmt: skip


def manifest_values(data: bytes) -> None:
    """A manifest that is JSON, with other values and keys at places that the bytes choose."""
    lot = random.Random(data)
    content = json.loads((_library_store() / "manifest.json").read_text())
    for _ in range(lot.randrange(1, 4)):
        table = lot.choice([content, content["files"], *content["files"].values()])
        if not isinstance(table, dict):
            continue
        key = lot.choice(
            [*table, "in", "partitions", "next_sha256", "pinned_as_of", "counts/own__lib.parquet"]
        )
        if lot.random() < 0.2:
            table.pop(key, None)
        else:
            table[key] = lot.choice(ODD_VALUES)
        if not isinstance(content.get("files"), dict):
            break
    manifest(json.dumps(content).encode())


def measurements(data: bytes) -> None:
    """Damaged measurements and draws change no answer: advisor measures again."""
    for name in ("measurements.json.gz", "draws.json"):
        assert _rank_damaged(name, data) == _expected_ranking()


_ODD_SQL = ("NULL", "-1", "2147483647", "'nan'::DOUBLE", "'inf'::DOUBLE", "''", "chr(27) || '[2J'", "'x'", "'a/b'", "true",
            "DATE '0001-01-01'", "DATE '9999-12-31'", "TIMESTAMP '9999-12-31 23:59:59'", "'infinity'::DATE", "repeat('y', 100000)")  # fmt: skip


def fact_values(data: bytes) -> None:
    """Parquet that agrees with its hash, with odd values in columns of the right type."""
    lot = random.Random(data)
    store = _FOLDER / "facts"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(_library_store(), store)
    content = json.loads((store / "manifest.json").read_text())
    for file in lot.sample(sorted(content["files"]), 2):
        table = file.partition("/")[0]
        columns = {c: k for c, k in TABLES[table].items() if c != "repository" or lot.random() < 0.1}
        odd = {c: lot.choice(_ODD_SQL) for c in lot.sample(sorted(columns), min(3, len(columns)))}
        part = ", ".join(f"coalesce(TRY_CAST({v} AS {columns[c]}), NULL) AS {c}" for c, v in odd.items())
        with duckdb.connect() as db:
            db.execute(
                f"COPY (SELECT * REPLACE ({part}) FROM read_parquet('{store / file}')) TO '{store / file}.new'"
                " (FORMAT parquet)"
            )
        (store / f"{file}.new").rename(store / file)
        content["files"][file]["sha256"] = hashlib.sha256((store / file).read_bytes()).hexdigest()
    (store / "manifest.json").write_text(json.dumps(content))
    _each(lambda: _rank(store))


def safetensors(data: bytes) -> None:
    path = _file("x.safetensors", data)
    _each(lambda: safetensors_header.count_parameters([path]), lambda: checkpoints.describe_checkpoint(path))


def weight_index(data: bytes) -> None:
    path = _file("x.index.json", data)
    _each(lambda: checkpoints.describe_checkpoint(path))


def gguf_header(data: bytes) -> None:
    path = _file("x.gguf", data)
    _each(lambda: gguf.read_header(path).details)


def pickle_opcodes(data: bytes) -> None:
    path = _file("x.bin", data)
    _each(lambda: pickles.read_imports(path), lambda: checkpoints.describe_checkpoint(path))


def training_rows(data: bytes) -> None:
    for name in ("x.jsonl", "x.json", "x.csv"):
        path = _file(name, data)
        with suppress(AdvisorError):
            list(rows.read_rows(str(path)))


def bench_result(data: bytes) -> None:
    def show() -> None:
        bench = parse_result(data)
        format_text(bench, 2.0)
        format_markdown(bench, None)
        format_claims(list_benchmarks(bench))

    _each(show)


READERS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f
    for f in (git_log, git_messages, github, package_world, domain_toml, rules_toml, dependency_files, parquet, manifest,
              manifest_values, measurements, fact_values,
              safetensors, weight_index, gguf_header, pickle_opcodes, training_rows, bench_result)
}  # fmt: skip


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/data.pkl", pickle.dumps({"a": 1, "b": InputError}))
    return buffer.getvalue()


def _safetensors() -> bytes:
    head = b'{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
    return struct.pack("<Q", len(head)) + head + bytes(8)


def _gguf() -> bytes:
    def text(word: bytes) -> bytes:
        return struct.pack("<Q", len(word)) + word

    entries = (
        text(b"a") + struct.pack("<I", 8) + text(b"b") + text(b"c") + struct.pack("<IIQ", 9, 5, 2) + bytes(8)
    )
    tensor = text(b"w") + struct.pack("<IQQIQ", 2, 3, 4, 0, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + entries + tensor


def _log() -> bytes:
    commit = "\0".join(
        [
            "commit " + "a" * 40,
            "b" * 40,
            "1700000000",
            "1700000000",
            "A",
            "a@x.org",
            "C",
            "c@x.org",
            "Add it (#7)",
        ]
    )
    return f"{commit}\0\nM\0a.py\0R100\0old\0new\0{commit}\0\nA\0b.py\0".encode()


def _overview() -> bytes:
    overview = {"databaseId": 1, "nameWithOwner": "o/n", "createdAt": "2020-01-01T00:00:00Z", "isArchived": False,
                "isFork": False, "hasIssuesEnabled": True, "owner": {"login": "o", "__typename": "User"},
                "stargazerCount": 3}  # fmt: skip
    return json.dumps({"data": {"r0": overview}, **overview}).encode()


def _parquet() -> bytes:
    store = _FOLDER / "seed"
    about = {"repository": "a/b", "source": "s", "retrieved_at": "2025-12-31"}
    writing.write_rows(
        store, "counts", "a/b", [{**about, "day": "2025-12-01", "metric": "stars", "value": 3}]
    )
    return (store / "counts" / "a__b.parquet").read_bytes()


def seeds(name: str) -> list[bytes]:
    """Return valid bytes for a reader, which the fuzzer starts from."""
    data, files_ = ROOT / "data", ROOT / "tests" / "unit" / "answers" / "dependencies" / "files"
    seeds_by_reader: dict[str, Callable[[], list[bytes]]] = {
        "git_log": lambda: [_log()],
        "git_messages": lambda: [
            *(text.encode() for pattern in load_merge_patterns().pattern for text in pattern.examples),
            *(tag.encode() for scheme in load_tag_schemes().scheme for tag in scheme.examples),
            b"x\n\nCloses #1, fixes o/n#2\n\nCo-authored-by: Bob Ray <bob@y.example>"],
        "github": lambda: [_overview(), b'[{"week": 1700000000, "total": 7, "days": [1,1,1,1,1,1,1]}]',
                           b'{"errors": [{"type": "NOT_FOUND", "path": ["r0"], "message": "no"}], "data": null}'],
        "package_world": lambda: [
            b'{"data": {"last_month": 3}}', b'{"date": "2026-11-20", "score": 7.2, "checks": []}',
            b'{"info": {"version": "1", "requires_dist": ["torch>=2"]}, "releases": {"1": []}}', b'[{"id": "x"}]'],
        "domain_toml": lambda: [p.read_bytes() for p in sorted((data / "domains").glob("*.toml"))],
        "rules_toml": lambda: [p.read_bytes() for p in sorted((data / "rules").glob("*.toml"))],
        "dependency_files": lambda: [p.read_bytes()[:4000] for p in sorted(files_.iterdir()) if p.stat().st_size < 40_000],
        "parquet": lambda: [_parquet()],
        "manifest": lambda: [(_library_store() / "manifest.json").read_bytes(),
                             json.dumps({"schema": SCHEMA_VERSION, "as_of": "2026-01-01", "first_day": "2020-01-01",
            "files": {"counts/a__b.parquet": {"rows": 1, "sha256": "0" * 64}}}).encode()],
        "manifest_values": lambda: [b"any"],
        "measurements": lambda: [(_library_store() / "measurements.json.gz").read_bytes()],
        "fact_values": lambda: [b"any"],
        "safetensors": lambda: [_safetensors()],
        "weight_index": lambda: [b'{"metadata": {"total_size": 8}, "weight_map": {"w": "a.safetensors"}}'],
        "gguf_header": lambda: [_gguf()],
        "pickle_opcodes": lambda: [pickle.dumps({"a": [1, InputError]}, n) for n in (0, 2, 4)] + [_zip()],
        "training_rows": lambda: [b'{"messages": [{"role": "user", "content": "a"}]}\n{"text": "b"}\n',
                                  b'[{"prompt": "a", "completion": "b"}]', b"instruction,output\na,b\n"],
        "bench_result": lambda: [
            (ROOT / "benchmarks" / "results" / f"{name}.json").read_bytes()
            for name in ("bench-cpu", "parity-trl", "parity-axolotl")
        ],
    }  # fmt: skip
    return seeds_by_reader[name]()
