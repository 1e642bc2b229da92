"""The task is judged in a real run: record, card, terminal, and again later with a metric of one's own."""

from __future__ import annotations

import json
import shutil

from finetune.record import read_record


def test_run_judges_base_and_adapter_by_the_metric_that_suits(finished_run):
    folder, process = finished_run
    record = read_record(folder)
    result = record.task["metrics"]["exact-match"]
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert record.task["rows"] == len(rows) == record.data["test_rows"]
    for model in ("base", "adapter"):
        share = sum(row[model] == row["reference"] for row in rows) / len(rows)
        assert abs(result[model] - share) < 1e-5
        low, high = result[f"{model}_interval"]
        assert low <= result[model] <= high
    assert result["test"] == "exact McNemar"
    assert "exact-match" in process.stdout
    assert "| exact-match |" in (folder / "adapter" / "README.md").read_text()


def test_answers_are_judged_later_by_a_function_of_the_user(advisor, finished_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run[0], folder, symlinks=True)
    (tmp_path / "mine.py").write_text(
        "def begins(answer, reference):\n    return answer[:2] == reference[:2]\n"
    )
    metric = f"{tmp_path / 'mine.py'}:begins"
    output = advisor("runs", "judge", folder, "--metric", metric).stdout
    result = read_record(folder).task["metrics"][metric]
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert abs(result["adapter"] - sum(row["adapter"][:2] == "it" for row in rows) / len(rows)) < 1e-5
    assert f"{result['adapter']:.3f}" in output
    assert "| mine.py:begins |" in (folder / "adapter" / "README.md").read_text()


def test_wrong_metric_stops_before_the_training(advisor, tiny, sums, tmp_path):
    words = ["--data", sums, "--model", tiny, "-o", tmp_path / "run"]
    errors = advisor("train", *words, "--metric", "nowhere.py:score", code=2).stderr
    assert "cannot read nowhere.py: No such file or directory" in errors
    assert "unknown metric 'f1'" in advisor("train", *words, "--metric", "f1", code=2).stderr
    assert not (tmp_path / "run" / "data").exists()
