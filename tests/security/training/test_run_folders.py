"""What a run deletes, replaces and shows, and what killed processes leave behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import tiny_model

from advisor.files import draft_folder
from finetune import isolation, record, run
from finetune.after import card, merge
from finetune.data import dataset
from finetune.errors import DataError, RunError
from finetune.process import environment, launch
from finetune.stacks.shared import hf_trainer

BROKEN_ROW = {"messages": [{"role": "user", "content": "a question without an answer"}]}


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

    def write_model(command, *_):
        Path(command[-2]).mkdir()
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
    monkeypatch.setattr(environment, "_build", lambda *_: new_environment)
    assert environment.ensure_environment(lock, ("no-such-package",)) is new_environment
