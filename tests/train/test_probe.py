"""advisor probe, for real: prompts and short trainings of the tiny model, and the verdict."""

from __future__ import annotations

import json
import math
import shutil

from finetune import record
from finetune.spec import compose_spec
from finetune.study import probe


def copy_training(source, folder, files, share):
    """Put a finished run into the folder of a probe, as the training on a share of the rows."""
    run = folder / "tiny" / f"rows-{share}"
    shutil.copytree(source, run, symlinks=True)
    run_record = record.read_record(run)
    data = {**run_record.spec["data"], "train": str(files[share]), "evaluation": str(files["held-out"])}
    evaluation = {**run_record.spec["evaluation"], "rows": 0, "metrics": ["exact-match"]}
    spec = {**run_record.spec, "data": data, "evaluation": evaluation}
    rows = len(files[share].read_text().splitlines())
    record.update_record(run, run_record, spec=spec, data={**run_record.data, "train_rows": rows})


def test_probe_trains_what_is_missing_and_judges_prompts_and_adapters(advisor, tiny, finished_run, tmp_path):
    """The trainings on 10 and 30 % were finished before; that on all rows is real, and so are all answers."""
    folder, spec = tmp_path / "probe", record.read_record(finished_run[0]).spec
    fields = {**spec, "evaluation": {**spec["evaluation"], "rows": 64}}
    files = probe.split_rows(compose_spec([("test", fields)]).spec, folder)
    for share in (10, 30):
        copy_training(finished_run[0], folder, files, share)
    words = [
        "probe",
        "--data",
        spec["data"]["train"],
        "--models",
        tiny,
        "-o",
        folder,
        "--metric",
        "exact-match",
    ]
    words += [
        "--set",
        "training.steps=12",
        "--set",
        "training.learning_rate=0.005",
        "--set",
        "data.max_length=64",
    ]
    words += ["--set", "method.r=16", "--set", "method.alpha=32", "--set", "evaluation.max_new_tokens=8"]
    output = advisor(*words).stdout
    result = json.loads((folder / "probe.json").read_text())
    lines = [(one["name"], one["rows"]) for one in result["results"]]
    assert lines == [
        ("0 examples", 0), ("5 examples", 0), ("lora, 11 rows", 11), ("lora, 33 rows", 33), ("lora, 108 rows", 108)
    ]  # fmt: skip
    assert result["held_out_rows"] == 12
    losses = [one["loss"] for one in result["results"]]
    assert abs(losses[0] - math.log(700)) < 0.3, "a random model of 700 tokens"
    assert losses[1] != losses[0], "the examples are in the prompt"
    assert losses[2] == losses[3], "the same adapter gives the same loss"
    assert max(losses[2:]) < losses[0] - 0.3
    assert f"verdict: {result['verdict']['answer']}" in output
    assert "only 12 rows are held out" in output
    assert result["results"][4]["peak_bytes"] > 0
    errors = advisor(*words, "--set", "training.steps=5", code=2).stderr
    assert "has a run with training.steps = 12, not 5; use another -o" in errors
    assert "missing option --models" in advisor("probe", "--data", tiny, code=2).stderr
