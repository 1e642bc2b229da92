"""Malformed files of models, runs and data sets end in one message."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import tiny_model

from advisor.errors import AdvisorError
from finetune import record, run
from finetune.data import dataset
from finetune.data.rows import Misfit, read_rows
from finetune.data.template import load_tokenizer
from finetune.errors import ModelError, RunError, SpecError, TrainingError
from finetune.spec import compose_spec
from finetune.weights.checkpoints import describe_checkpoint

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
