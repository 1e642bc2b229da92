"""The kit that proves the GPU path: its dry run on a CPU, its checks on a GPU's figures, and its bundles."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "benchmarks" / "gpu"
# What an H100 should give: see the report of a step in benchmarks/results/gpu-qlora.json once there is one.
FIGURES = {
    "state": "finished", "kind": "cuda", "losses": [11.9, 11.2, 9.4, 8.8], "trainable": 41_943_040,
    "prediction_error": -0.04, "share_of_limit": 0.45, "outcome": "trained",
}  # fmt: skip


def load_script(name):
    spec = importlib.util.spec_from_file_location(f"gpu_{name}", KIT / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dry_run_of_all_steps_on_a_cpu(variables, tmp_path):
    """NF4, QLoRA with its evaluation, Ctrl-C and resume really run; what needs a GPU says so."""
    out = tmp_path / "results"
    command = [
        sys.executable,
        str(KIT / "kit.py"),
        "all",
        "--dry-run",
        "--out",
        str(out),
        "--state",
        str(tmp_path / "s"),
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert process.returncode == 0, process.stdout + process.stderr[-3000:]
    results = {file.stem[4:]: json.loads(file.read_text()) for file in out.iterdir()}
    assert set(results) == {"facts", "tiny", "qlora", "failures", "stacks", "unsloth"}
    for name, result in results.items():
        assert result["dry_run"] is True
        assert result["seconds"] >= 0
        assert {answer["passed"] for answer in result["checks"].values()} <= {True, None}, (
            name,
            result["checks"],
        )
    assert results["facts"]["versions"]["bitsandbytes"]
    assert results["facts"]["checks"]["paged optimizer"]["passed"] is None
    run = results["qlora"]["runs"]["trl-qlora"]
    assert run["steps"] == [1, 2, 3, 4, 5, 6]
    assert len(run["losses"]) == 6
    assert run["tokens_per_second"] > 0
    assert run["share_of_limit"] is None
    assert run["peak_process_mib"] > 100
    assert run["prediction_error"] == pytest.approx(
        run["predicted_mib"]["total"] / run["peak_process_mib"] - 1, abs=0.01
    )
    ends = results["failures"]["runs"]["interrupted"]
    assert (ends["exit_code"], ends["resume_exit_code"]) == (130, 0)
    assert 2 <= len(ends["interrupted"]["steps"]) < 300


def make_step(kit, folder, **changes):
    step = kit.Step("qlora", False, folder, folder, Path(sys.executable), 0.0, {"runs": {}, "checks": {}})
    kit.check_run(step, "trl", {**FIGURES, **changes})
    return {name for name, answer in step.result["checks"].items() if not answer["passed"]}


@pytest.mark.parametrize(("changes", "failure"), [
    ({}, None),
    ({"state": "failed"}, "trl: finished"),
    ({"losses": [9.4, 9.0]}, "trl: the first loss is that of random weights"),
    ({"losses": [11.8, 11.9, 12.3, 12.2]}, "trl: the loss falls"),
    ({"trainable": 41_943_041}, "trl: trained weights"),
    ({"kind": "cpu"}, "trl: on the GPU"),
    ({"prediction_error": -0.4}, "trl: predicted memory within -15 % and +15 %"),
    ({"prediction_error": None}, "trl: predicted memory within -15 % and +15 %"),
    ({"share_of_limit": 1.2}, "trl: between a fifth and the whole of the card's limit"),
    ({"share_of_limit": 0.1}, "trl: between a fifth and the whole of the card's limit"),
])  # fmt: skip
def test_check_of_a_run_on_a_gpu(tmp_path, changes, failure):
    assert make_step(load_script("kit"), tmp_path, **changes) == ({failure} if failure else set())


def test_first_loss_is_compared_though_the_results_went_elsewhere(tmp_path, monkeypatch):
    """A machine may empty the folder of the results between two steps."""
    kit = load_script("kit")
    monkeypatch.setattr(kit.Step, "train", lambda *_, **__: {**FIGURES, "losses": [11.5, 9.0]})
    for name, out in (("qlora", "first"), ("stacks", "second")):
        result = {"runs": {"trl-qlora": FIGURES}, "checks": {}}
        step = kit.Step(name, False, tmp_path / "state", tmp_path / out, Path(sys.executable), 0.0, result)
        step.write()
        (tmp_path / "first" / "gpu-qlora.json").unlink(missing_ok=True)
    kit.prove_stack(step, "torchtune", {})
    assert step.result["checks"]["torchtune: the first loss is trl's"] == {
        "passed": False,
        "found": [11.9, 11.5],
    }


def test_environment_has_the_packages_of_the_machine_and_those_of_a_bundle(tmp_path):
    kit = load_script("kit")
    (tmp_path / "wheels" / "trl").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "wheels" / "trl" / "kit_probe-1-py3-none-any.whl", "w") as archive:
        archive.writestr("kit_probe.py", "")
        archive.writestr(
            "kit_probe-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: kit-probe\nVersion: 1\n"
        )
        archive.writestr(
            "kit_probe-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("kit_probe-1.dist-info/RECORD", "")
    python = kit.prepare_environment(kit.Plan(print, 1, "kit", ("trl",)), tmp_path / "wheels", tmp_path)
    question = (
        "import importlib.util as u; print(u.find_spec('kit_probe').origin, u.find_spec('torch').origin)"
    )
    process = subprocess.run([str(python), "-c", question], capture_output=True, text=True, check=True)
    probe, torch = process.stdout.split()
    assert str(tmp_path) in probe
    assert str(tmp_path) not in torch


def test_command_that_hangs_ends_with_the_step(tmp_path):
    kit = load_script("kit")
    (tmp_path / "python").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "python").chmod(0o755)
    step = kit.Step("facts", False, tmp_path, tmp_path, tmp_path / "python", 0.0, {"runs": {}, "checks": {}})
    assert step.work("numbers") == {"error": "numbers did not end in its time"}


def test_steps_fit_into_half_an_hour_of_ten_minutes_each():
    steps = load_script("kit").STEPS
    assert sum(step.seconds for step in steps.values()) <= 1650, "starts and transfers need time too"
    assert list(steps)[:3] == ["facts", "qlora", "stacks"], "the most valuable figures come first"
    assert max(step.seconds for step in steps.values()) <= 600
    bundles = load_script("wheels").BUNDLES
    assert {bundle for step in steps.values() for bundle in step.bundles} == set(bundles)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_files_have_the_versions_of_every_bundle(python):
    wheels = load_script("wheels")
    for bundle in wheels.BUNDLES:
        assert all(wheels.find_versions(bundle, python).values())


def test_bitsandbytes_keeps_the_libraries_of_one_cuda_version(tmp_path):
    wheels = load_script("wheels")
    wheel = tmp_path / "bitsandbytes-1-py3-none-any.whl"
    libraries = [f"bitsandbytes/libbitsandbytes_{one}.so" for one in ("cpu", "cuda118", "cuda130")]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (*libraries, "bitsandbytes/__init__.py"):
            archive.writestr(name, "x")
        archive.writestr("bitsandbytes-1.dist-info/RECORD", "".join(f"{name},,\n" for name in libraries))
    wheels.slim(wheel, "130")
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == {
            libraries[0], libraries[2], "bitsandbytes/__init__.py", "bitsandbytes-1.dist-info/RECORD",
        }  # fmt: skip
        assert "cuda118" not in archive.read("bitsandbytes-1.dist-info/RECORD").decode()
    with pytest.raises(LookupError, match="no library for CUDA 126"):
        wheels.slim(wheel, "126")
