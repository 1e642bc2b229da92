"""Each scheduler checks the jobs that we write, and Slurm runs one on two machines.

`make test` only checks the text of these files (tests/unit/finetune/plan/test_submit.py). These tests use
Slurm itself (from Debian's packages), SkyPilot and Kubernetes' schemas (from the package index).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import slurm_here
import tiny_model
from stack_cases import stack_python

from advisor.files import cache_home
from finetune import record

pytestmark = pytest.mark.every_stack
STACKS = ["trl", "torchtune", "litgpt"]  # the three that can use several CPU processes
SKY = "skypilot==0.14.1"
KUBERNETES = "kubernetes-validate==1.37.0"
READ_SKY = "import sys, sky; t = sky.Task.from_yaml(sys.argv[1]); print(t.num_nodes, t.resources)"
READ_KUBERNETES = (
    "import sys, yaml, kubernetes_validate as kv\n"
    "for one in yaml.safe_load_all(open(sys.argv[1])): kv.validate(one, '1.31', strict=True); print(one['kind'])"
)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Return a cluster of two machines."""
    if not slurm_here.is_available():
        pytest.skip("Slurm comes from Debian's packages, and this machine has no apt-get")
    cluster = slurm_here.Cluster(
        slurm_here.extract_packages(cache_home() / "slurm"), tmp_path_factory.mktemp("slurm")
    )
    yield cluster
    cluster.end()


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Return the options of a small run."""
    folder = tmp_path_factory.mktemp("task")
    base = tiny_model.model(folder / "tiny")
    data = tiny_model.write(folder / "sums.jsonl", tiny_model.sums())
    settings = {"training.steps": 4, "training.batch_size": 8, "training.micro_batch_size": 2,
                "data.max_length": 64, "evaluation.generations": 0}  # fmt: skip
    return [
        "--data",
        str(data),
        "--model",
        str(base),
        *(x for k, v in settings.items() for x in ("--set", f"{k}={v}")),
    ]


def advisor(*words):
    process = subprocess.run([sys.executable, "-m", "advisor", *words], capture_output=True, text=True, check=False)  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process.stdout


def write_job(task, folder, stack, scheduler, *more):
    advisor("train", *task, "--stack", stack, "--nodes", "2", "--submit", scheduler, "-o", str(folder), *more)
    return folder


@pytest.mark.parametrize("stack", STACKS)
def test_sbatch_accepts_the_job_of_every_stack(slurm, task, stack, tmp_path):
    job = write_job(task, tmp_path / "job", stack, "slurm", "--set", "devices.kind=cpu") / "job.sbatch"
    process = slurm.run("sbatch", "--test-only", str(job))
    assert process.returncode == 0, process.stderr
    assert "to start at" in process.stderr and all(node in process.stderr for node in slurm.nodes)
    wrong = tmp_path / "wrong.sbatch"
    wrong.write_text(job.read_text().replace("--ntasks-per-node=1", "--ntasks-a-node=1"))
    assert slurm.run("sbatch", "--test-only", str(wrong)).returncode, "it must refuse a wrong file"


@pytest.mark.parametrize("stack", STACKS)
def test_slurm_job_on_two_machines_trains_the_adapter_of_one(slurm, task, stack, tmp_path):
    if stack != "trl":
        stack_python(stack)
    job = write_job(task, tmp_path / "job", stack, "slurm", "--set", "devices.kind=cpu")
    slurm.environment["PATH"] = f"{Path(sys.executable).parent}:{slurm.environment['PATH']}"
    process = slurm.run("sbatch", "--wait", str(job / "job.sbatch"))
    (log,) = job.glob("slurm-*.log")
    assert process.returncode == 0, process.stderr + log.read_text()
    run_record = record.read_record(job / "run")
    assert run_record.state == "finished"
    assert "machine 1 is done" in log.read_text()
    single = tmp_path / "single"
    advisor("train", *task, "--stack", stack, "--set", "devices.kind=cpu", "-o", str(single))
    losses, other = run_record.losses["held_out"], record.read_record(single).losses["held_out"]
    assert losses["adapter"] == pytest.approx(other["adapter"], abs=1e-4)
    assert losses["adapter"] < losses["base"]


def run_with_package(package, code, file):
    """Run code on a file with a package from the index, in an environment that uv caches."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    assert uv, "`make .venv` installs it"
    command = [uv, "run", "--quiet", "--no-project", "--with", package, "python", "-c", code, str(file)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    return process.returncode, process.stdout, process.stderr


def test_skypilot_reads_the_task(task, tmp_path):
    kinds = [
        "--set",
        "devices.kind=cuda",
        "--set",
        "method.name=lora",
    ]  # the processes cannot share the scales of this model
    gpus = ["--gpus", "2", *kinds, "--accelerator", "A100", "--volume", "bucket"]
    job = write_job(task, tmp_path / "job", "torchtune", "skypilot", *gpus) / "job.yaml"
    code, output, error = run_with_package(SKY, READ_SKY, job)
    assert code == 0, error
    assert output.startswith("2 ") and "'A100': 2" in output
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(job.read_text().replace("num_nodes:", "nodes:"))
    assert run_with_package(SKY, READ_SKY, wrong)[0], "it must refuse a wrong file"


def test_kubernetes_schemas_accept_the_job(task, tmp_path):
    remote_task = ["--data", "/advisor/sums.jsonl", "--model", "/advisor/model", *task[4:]]
    gpus = ["--gpus", "2", "--set", "devices.kind=cuda", "--volume", "claim"]
    job = write_job(remote_task, tmp_path / "job", "trl", "kubernetes", *gpus) / "job.yaml"
    code, output, error = run_with_package(KUBERNETES, READ_KUBERNETES, job)
    assert (code, output.split()) == (0, ["ConfigMap", "Service", "Job"]), error
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(job.read_text().replace("completionMode", "completionmode"))
    assert run_with_package(KUBERNETES, READ_KUBERNETES, wrong)[0], "it must refuse a wrong file"
