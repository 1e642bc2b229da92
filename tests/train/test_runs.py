"""advisor runs, preview, plan, inspect, stacks, methods: on real runs, through the command line."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from train_words import FAST

from finetune import record


@pytest.fixture(scope="module")
def two(advisor, variables, tiny, sums):
    """Two runs among the user's own, with another learning rate, and one that failed."""
    names = []
    for rate in ("0.005", "0.0001"):
        words = ["--data", sums, "--model", tiny, *FAST, "--set", "training.steps=4"]
        words += ["--set", f"training.learning_rate={rate}", "--set", "evaluation.generations=0"]
        done = advisor("train", *words)
        adapter = next(line for line in done.stdout.splitlines() if line.startswith("adapter:"))
        names.append(adapter.split("/")[-2])
    advisor("train", "--data", "/nowhere.jsonl", "--model", tiny, code=2)
    return names


def test_the_list_shows_what_became_of_each(advisor, two):
    shown = advisor("runs").stdout
    assert all(name in shown for name in two)
    assert shown.count("finished") == 2
    assert shown.count("failed") == 1
    assert "→" in shown


def test_diff_names_the_cause_and_the_result(advisor, two):
    shown = advisor("runs", "diff", *two).stdout
    assert "what was set: 1 difference\n" in shown
    assert "spec.training.learning_rate" in shown
    assert "losses.held_out.adapter" in shown
    assert "things were changed at once" not in shown
    same = advisor("runs", "diff", two[0], two[0]).stdout
    assert "what was set: no differences" in same


def test_show_and_unknown_and_ambiguous_names(advisor, two):
    assert json.loads(advisor("runs", "show", two[0]).stdout)["id"] == two[0]
    assert "there is no run 'nothing'" in advisor("runs", "show", "nothing", code=2).stderr
    assert "names 3 runs" in advisor("runs", "show", "20", code=2).stderr


def test_trackio_itself_reads_the_export_back(advisor, two, variables, tmp_path):
    told = advisor("runs", "export", two[0], "--to", "trackio", "-o", tmp_path / "r.csv").stderr
    assert "trackio.import_csv" in told
    code = (
        "import json, sys, trackio\nfrom trackio.sqlite_storage import SQLiteStorage\n"
        "trackio.import_csv(sys.argv[1], project='p', name='r')\n"
        "print(json.dumps(SQLiteStorage.get_logs('p', 'r')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "r.csv")],
        capture_output=True, text=True, check=True, env={**variables, "TRACKIO_DIR": str(tmp_path / "trackio")},
    )  # fmt: skip
    rows = json.loads(done.stdout.splitlines()[-1])
    run = record.load(Path(variables["XDG_DATA_HOME"], "advisor", "runs", two[0]))
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["train/loss"] == run.losses["first_step"]
    assert rows[0]["train/lr"] > 0
    assert rows[-1]["test/tuned"] == run.losses["held_out"]["adapter"]


def test_mlflow_files_are_in_the_documented_layout(advisor, two, tmp_path):
    """MLflow's FileStore: EXPERIMENT/meta.yaml, EXPERIMENT/RUN/{meta.yaml, params, metrics, tags, artifacts}."""
    import yaml

    done = advisor("runs", "export", two[0], "--to", "mlflow", "-o", tmp_path / "store")
    run = Path(done.stdout.strip())
    assert "MLFLOW_ALLOW_FILE_STORE" in done.stderr
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


def test_merge_says_what_the_adapter_says(advisor, finished, variables, tmp_path):
    folder, _ = finished
    out = tmp_path / "merged"
    advisor("runs", "merge", folder, "-o", out)
    code = (
        "import sys, torch\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM as M\n"
        "base, run, merged = sys.argv[1:]\nx = torch.arange(3, 40)[None]\n"
        "a = PeftModel.from_pretrained(M.from_pretrained(base, dtype=torch.float32), run + '/adapter')(x).logits\n"
        "b = M.from_pretrained(merged, dtype=torch.float32)(x).logits\nprint(float((a - b).abs().max()))\n"
    )
    base = record.load(folder).spec["model"]["base"]
    done = subprocess.run(
        [sys.executable, "-c", code, base, str(folder), str(out)],
        capture_output=True,
        text=True,
        env=variables,
        check=True,
    )
    assert float(done.stdout) < 1e-4
    assert "chat template: yes" in advisor("inspect", out).stdout
    assert "is not empty" in advisor("runs", "merge", folder, "-o", out, code=2).stderr


def test_gguf_runs_the_converter_that_is_there(advisor, finished, variables, tmp_path):
    """A converter of our own in place of llama.cpp's: it writes what it was called with."""
    folder, _ = finished
    words = ("runs", "gguf", folder, "-o", tmp_path / "m.gguf", "--type", "q8_0")
    told = advisor(*words, code=2).stderr
    assert "LLAMA_CPP" in told
    checkout = tmp_path / "llama.cpp"
    checkout.mkdir()
    script = checkout / "convert_hf_to_gguf.py"
    script.write_text("import sys, pathlib\npathlib.Path(sys.argv[3]).write_text(' '.join(sys.argv[1:]))\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run(
        [sys.executable, "-m", "advisor", *map(str, words)],
        capture_output=True, text=True, check=False, env={**variables, "LLAMA_CPP": str(checkout)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "m.gguf").read_text()
    assert written.startswith(str(folder / "merged"))
    assert written.endswith("--outtype q8_0")


def test_preview_shows_tokens_findings_and_a_page(advisor, tiny, tmp_path):
    rows = [*tiny_model.sums(30), tiny_model.sums(1)[0]]
    data = tiny_model.write(tmp_path / "d.jsonl", rows)
    page = tmp_path / "p.html"
    words = ("preview", "--data", data, "--model", tiny, "--set", "data.max_length=64", "--html", page)
    shown = advisor(*words, "--row", "2").stdout
    assert "row 2: 32 tokens" in shown
    assert "row 1:" not in shown
    assert "warning duplicates: 1 rows repeat" in shown
    assert "do:" in shown
    html = page.read_text()
    assert "<span class=t" in html
    assert "<span class=u" in html
    assert "http" not in html
    assert "no such row" in advisor(*words, "--row", "999", code=2).stderr


def test_preview_ends_with_2_where_the_run_would_not_start(advisor, tiny, sums, tmp_path):
    import shutil

    base = tmp_path / "narrow"
    shutil.copytree(tiny, base)
    told = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**told, "max_position_embeddings": 8}))
    shown = advisor("preview", "--data", sums, "--model", base, code=2).stdout
    assert "error beyond-window" in shown
    assert (
        "beyond" not in advisor("train", "--data", sums, "--model", base, "-o", tmp_path / "r", code=2).stdout
    )
    assert not (tmp_path / "r" / "adapter").exists()


def test_plan_shows_origins_config_and_cost(advisor, tiny, sums, two):
    shown = advisor("plan", "--data", sums, "--model", tiny, "--preset", "quick", *FAST).stdout
    assert "training.steps" in shown
    assert "--preset quick" in shown
    assert "machine: no GPU" in shown
    assert "lora_r: 8" in shown
    assert "fits:" in shown
    assert "from 2 runs on this machine" in shown or "from 3 runs" in shown or "runs on this machine" in shown


def test_inspect_and_stacks_and_methods(advisor, finished, tiny):
    assert "PEFT adapter" in advisor("inspect", finished[0] / "adapter").stdout
    assert "parameters:" in advisor("inspect", tiny).stdout
    shown = advisor("stacks").stdout
    assert "beside advisor" in shown
    assert "ready" in shown
    assert "rsLoRA" in advisor("methods").stdout
    assert "2305.14314" in advisor("methods", "qlora").stdout
    assert "unknown method" in advisor("methods", "nothing", code=2).stderr


def test_prune_takes_what_did_not_finish(advisor, two, home):
    shown = advisor("runs", "prune", "--yes").stdout
    assert shown.count("deleted") == 1
    assert advisor("runs").stdout.count("finished") == 2
    advisor("runs", "prune", "--checkpoints", "--yes")
    folder = Path(home["XDG_DATA_HOME"], "advisor", "runs", two[0])
    assert not (folder / "work").exists()
    assert (folder / "adapter").exists()


def test_planning_leaves_torch_out(tiny, sums, variables):
    """Importing it would be most of the wrapper's processor time; the trainer's process has its own."""
    code = (
        "import sys, runpy\n"
        "try:\n    runpy.run_module('advisor', run_name='__main__')\n"
        "finally:\n    print('torch' in sys.modules, 'transformers' in sys.modules, file=sys.stderr)\n"
    )
    words = [sys.executable, "-c", code, "plan", "--data", sums, "--model", tiny]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=variables)
    assert done.stderr.splitlines()[-1] == "False True", done.stderr
    assert "PyTorch was not found" not in done.stdout + done.stderr
