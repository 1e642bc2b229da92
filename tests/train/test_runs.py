"""The commands runs, preview, plan, inspect, stacks and methods, on real runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from train_words import FAST

from finetune.record import read_record


@pytest.fixture(scope="module")
def two(advisor, variables, tiny, sums):
    """The names of two runs with different learning rates; a third run failed."""
    names = []
    for rate in ("0.005", "0.0001"):
        words = ["--data", sums, "--model", tiny, *FAST, "--set", "training.steps=4"]
        words += ["--set", f"training.learning_rate={rate}", "--set", "evaluation.generations=0"]
        process = advisor("train", *words)
        adapter = next(line for line in process.stdout.splitlines() if line.startswith("adapter:"))
        names.append(adapter.split("/")[-2])
    advisor("train", "--data", "/nowhere.jsonl", "--model", tiny, code=2)
    return names


def test_list_shows_the_outcome_of_each_run(advisor, two):
    output = advisor("runs").stdout
    assert all(name in output for name in two)
    assert output.count("finished") == 2
    assert output.count("failed") == 1
    assert "→" in output


def test_diff_shows_the_cause_and_the_result(advisor, two):
    output = advisor("runs", "diff", *two).stdout
    assert "settings: 1 difference\n" in output
    assert "spec.training.learning_rate" in output
    assert "losses.held_out.adapter" in output
    assert "settings differ, so the results" not in output
    same = advisor("runs", "diff", two[0], two[0]).stdout
    assert "settings: no differences" in same


def test_show_and_refuse_unknown_or_ambiguous_names(advisor, two):
    assert json.loads(advisor("runs", "show", two[0]).stdout)["id"] == two[0]
    assert "unknown run 'nothing'" in advisor("runs", "show", "nothing", code=2).stderr
    assert "matches 3 runs" in advisor("runs", "show", "20", code=2).stderr


def test_trackio_reads_the_export(advisor, two, variables, tmp_path):
    errors = advisor("runs", "export", two[0], "--to", "trackio", "-o", tmp_path / "r.csv").stderr
    assert "trackio.import_csv" in errors
    code = (
        "import json, sys, trackio\nfrom trackio.sqlite_storage import SQLiteStorage\n"
        "trackio.import_csv(sys.argv[1], project='p', name='r')\n"
        "print(json.dumps(SQLiteStorage.get_logs('p', 'r')))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "r.csv")],
        capture_output=True, text=True, check=True, env={**variables, "TRACKIO_DIR": str(tmp_path / "trackio")},
    )  # fmt: skip
    rows = json.loads(process.stdout.splitlines()[-1])
    run = read_record(Path(variables["XDG_DATA_HOME"], "advisor", "runs", two[0]))
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["train/loss"] == run.losses["first_step"]
    assert rows[0]["train/lr"] > 0
    assert rows[-1]["test/tuned"] == run.losses["held_out"]["adapter"]


def test_mlflow_files_have_the_documented_layout(advisor, two, tmp_path):
    """MLflow's FileStore: EXPERIMENT/meta.yaml, EXPERIMENT/RUN/{meta.yaml, params, metrics, tags, artifacts}."""
    import yaml

    process = advisor("runs", "export", two[0], "--to", "mlflow", "-o", tmp_path / "store")
    run = Path(process.stdout.strip())
    assert "MLFLOW_ALLOW_FILE_STORE" in process.stderr
    meta, experiment = (yaml.safe_load((f / "meta.yaml").read_text()) for f in (run, run.parent))
    assert meta["experiment_id"] == experiment["experiment_id"] == run.parent.name
    assert meta["run_id"] == run.name
    assert meta["status"] == 3  # FINISHED of RunStatus
    assert meta["start_time"] < meta["end_time"]
    rows = [line.split() for line in (run / "metrics" / "loss").read_text().splitlines()]
    assert [row[2] for row in rows] == ["1", "2", "3", "4"]
    assert all(meta["start_time"] < int(row[0]) < meta["end_time"] + 1000 for row in rows)
    assert (run / "params" / "training.learning_rate").read_text() == "0.005"
    again = advisor("runs", "export", two[0], "--to", "mlflow", "-o", tmp_path / "store").stdout.strip()
    assert again == str(run)


def test_merged_model_gives_the_same_logits_as_the_adapter(advisor, finished_run, variables, tmp_path):
    folder, _ = finished_run
    out = tmp_path / "merged"
    advisor("runs", "merge", folder, "-o", out)
    code = (
        "import sys, torch\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM as M\n"
        "base, run, merged = sys.argv[1:]\nx = torch.arange(3, 40)[None]\n"
        "a = PeftModel.from_pretrained(M.from_pretrained(base, dtype=torch.float32), run + '/adapter')(x).logits\n"
        "b = M.from_pretrained(merged, dtype=torch.float32)(x).logits\nprint(float((a - b).abs().max()))\n"
    )
    base = read_record(folder).spec["model"]["base"]
    process = subprocess.run(
        [sys.executable, "-c", code, base, str(folder), str(out)],
        capture_output=True,
        text=True,
        env=variables,
        check=True,
    )
    assert float(process.stdout) < 1e-4
    assert "chat template: yes" in advisor("inspect", out).stdout
    assert "is not empty" in advisor("runs", "merge", folder, "-o", out, code=2).stderr


def test_preview_shows_tokens_findings_and_a_page(advisor, tiny, tmp_path):
    rows = [*tiny_model.sums(30), tiny_model.sums(1)[0]]
    data = tiny_model.write(tmp_path / "d.jsonl", rows)
    page = tmp_path / "p.html"
    words = ("preview", "--data", data, "--model", tiny, "--set", "data.max_length=64")
    output = advisor(*words, "--row", "2").stdout
    assert "row 2: 32 tokens" in output
    assert "assistant↵\n⟦it is 1 .<|im_end|>⟧" in output, "the mask without colours"
    assert "row 1:" not in output
    assert "warning duplicates: 1 row repeats an earlier row exactly" in output
    assert "do:" in output
    report = json.loads(advisor(*words, "--row", "2", "--format", "json").stdout)
    (row,) = report["rows"]
    assert (row["row"], len(row["tokens"]), report["summary"]["train_rows"]) == ("2", 32, 28)
    assert "".join(t["text"] for t in row["tokens"] if t["is_trained"]) == "it is 1 .<|im_end|>"
    assert [finding["code"] for finding in report["findings"]][:1] == ["duplicates"]
    advisor(*words, "--format", "html", "-o", page)
    html = page.read_text()
    assert "<span class=t" in html
    assert "<span class=u" in html
    assert "http" not in html
    assert (
        "--row 999: the run does not train on a row with this number"
        in advisor(*words, "--row", "999", code=2).stderr
    )


def test_preview_exits_with_2_if_the_run_would_not_start(advisor, tiny, sums, tmp_path):
    import shutil

    base = tmp_path / "narrow"
    shutil.copytree(tiny, base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8}))
    output = advisor("preview", "--data", sums, "--model", base, code=2).stdout
    assert "error beyond-window" in output
    assert (
        "beyond" not in advisor("train", "--data", sums, "--model", base, "-o", tmp_path / "r", code=2).stdout
    )
    assert not (tmp_path / "r" / "adapter").exists()


def test_plan_shows_origins_config_and_cost(advisor, tiny, sums, two):
    output = advisor("plan", "--data", sums, "--model", tiny, "--preset", "quick", *FAST).stdout
    assert "training.steps" in output
    assert "--preset quick" in output
    assert "machine: no GPU" in output
    assert "lora_r: 8" in output
    assert "fits:" in output
    assert (
        "from 2 runs on this machine" in output or "from 3 runs" in output or "runs on this machine" in output
    )


def test_inspect_and_stacks_and_methods(advisor, finished_run, tiny):
    assert "PEFT adapter" in advisor("inspect", finished_run[0] / "adapter").stdout
    assert "parameters:" in advisor("inspect", tiny).stdout
    output = advisor("stacks").stdout
    assert "beside advisor" in output
    assert "ready" in output
    assert "rsLoRA" in advisor("methods").stdout
    assert "2305.14314" in advisor("methods", "qlora").stdout
    assert "unknown method" in advisor("methods", "nothing", code=2).stderr


def test_prune_deletes_runs_that_did_not_finish(advisor, two, home):
    output = advisor("runs", "prune", "--yes").stdout
    assert output.count("deleted") == 1
    assert advisor("runs").stdout.count("finished") == 2
    advisor("runs", "prune", "--checkpoints", "--yes")
    folder = Path(home["XDG_DATA_HOME"], "advisor", "runs", two[0])
    assert not (folder / "work").exists()
    assert (folder / "adapter").exists()


def test_planning_does_not_import_torch(tiny, sums, variables):
    """The import would take most of the wrapper's processor time; the training process has its own."""
    code = (
        "import sys, runpy\n"
        "try:\n    runpy.run_module('advisor', run_name='__main__')\n"
        "finally:\n    print('torch' in sys.modules, 'transformers' in sys.modules, file=sys.stderr)\n"
    )
    words = [sys.executable, "-c", code, "plan", "--data", sums, "--model", tiny]
    process = subprocess.run(words, capture_output=True, text=True, check=False, env=variables)
    assert process.stderr.splitlines()[-1] == "False True", process.stderr
    assert "PyTorch was not found" not in process.stdout + process.stderr
