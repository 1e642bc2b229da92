"""`advisor plan` names the library's own recipe that its native config can be compared with."""

from __future__ import annotations

import subprocess
import sys

from advisor.facts import writing


def test_plan_names_the_nearest_recipe(tiny, sums, variables, tmp_path):
    row = {
        "repository": "huggingface/trl",
        "published_in": "huggingface/trl",
        "source": "test",
        "kind": "script",
        "model": "Qwen/Qwen2-0.5B",
        "family": "Qwen2",
        "task": "sft",
        "commit": "0123456789ab",
        **dict.fromkeys(("added_on", "changed_on"), "2024-05-01"),
        **dict.fromkeys(("known_until", "retrieved_at"), "2024-06-01"),
    }
    rows = [{**row, "path": f"examples/{method}.py", "method": method} for method in ("full", "lora")]
    writing.write_rows(tmp_path / "advisor" / "facts", "recipes", "huggingface/trl", rows)
    words = [sys.executable, "-m", "advisor", "plan", "--data", sums, "--model", tiny, "--stack", "trl"]
    process = subprocess.run(
        [*map(str, words), "--set", "method.name=lora"],
        capture_output=True,
        text=True,
        check=False,
        env={**variables, "XDG_DATA_HOME": str(tmp_path)},
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "── nearest ready-made recipe of trl\ntrl (0 steps): examples/lora.py" in process.stdout
    assert "https://github.com/huggingface/trl/blob/0123456789ab/examples/lora.py" in process.stdout
