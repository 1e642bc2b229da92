"""Each scheduler's own word on the jobs that we write; and Slurm runs one, on two machines.

`make test` reads the same files by their rules alone (tests/unit/finetune/plan/test_submit.py); here Slurm itself
(from Debian's packages), SkyPilot itself and Kubernetes' schemas (from the package index) are asked.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import slurm_here
import tiny_model
from stack_cases import python_of

from advisor.files import cache_home
from finetune import record

pytestmark = [pytest.mark.every_stack, pytest.mark.xdist_group("stacks")]
STACKS = ["trl", "torchtune", "litgpt"]  # the three that spread over CPUs
SKY = "skypilot==0.14.1"
KUBERNETES = "kubernetes-validate==1.37.0"
READS_SKY = "import sys, sky; t = sky.Task.from_yaml(sys.argv[1]); print(t.num_nodes, t.resources)"
READS_KUBERNETES = (
    "import sys, yaml, kubernetes_validate as kv\n"
    "for one in yaml.safe_load_all(open(sys.argv[1])): kv.validate(one, '1.31', strict=True); print(one['kind'])"
)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A cluster of two machines."""
    if not slurm_here.can_be_had():
        pytest.skip("Slurm is fetched from Debian's packages, and there is no apt-get here")
    cluster = slurm_here.Cluster(slurm_here.lay_out(cache_home() / "slurm"), tmp_path_factory.mktemp("slurm"))
    yield cluster
    cluster.end()


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Options of a small run."""
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
    done = subprocess.run([sys.executable, "-m", "advisor", *words], capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(task, folder, stack, kind, *more):
    advisor("train", *task, "--stack", stack, "--nodes", "2", "--submit", kind, "-o", str(folder), *more)
    return folder


@pytest.mark.parametrize("stack", STACKS)
def test_sbatch_takes_the_job_of_every_stack(slurm, task, stack, tmp_path):
    job = written(task, tmp_path / "job", stack, "slurm", "--set", "devices.kind=cpu") / "job.sbatch"
    asked = slurm.run("sbatch", "--test-only", str(job))
    assert asked.returncode == 0, asked.stderr
    assert "to start at" in asked.stderr and all(node in asked.stderr for node in slurm.nodes)
    wrong = tmp_path / "wrong.sbatch"
    wrong.write_text(job.read_text().replace("--ntasks-per-node=1", "--ntasks-a-node=1"))
    assert slurm.run("sbatch", "--test-only", str(wrong)).returncode, "or its word would mean nothing"


@pytest.mark.parametrize("stack", STACKS)
def test_slurm_runs_a_job_on_two_machines_to_the_adapter_of_one(slurm, task, stack, tmp_path):
    if stack != "trl":
        python_of(stack)
    job = written(task, tmp_path / "job", stack, "slurm", "--set", "devices.kind=cpu")
    slurm.environment["PATH"] = f"{Path(sys.executable).parent}:{slurm.environment['PATH']}"
    ran = slurm.run("sbatch", "--wait", str(job / "job.sbatch"))
    (log,) = job.glob("slurm-*.log")
    assert ran.returncode == 0, ran.stderr + log.read_text()
    told = record.load(job / "run")
    assert told.state == "finished"
    assert "machine 1 is done" in log.read_text()
    alone = tmp_path / "alone"
    advisor("train", *task, "--stack", stack, "--set", "devices.kind=cpu", "-o", str(alone))
    held, other = told.losses["held_out"], record.load(alone).losses["held_out"]
    assert held["adapter"] == pytest.approx(other["adapter"], abs=1e-4)
    assert held["adapter"] < held["base"]


def asked_of(package, code, file):
    """What a package of the index says to a file, in an environment that uv keeps."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    assert uv, "`make .venv` installs it"
    words = [uv, "run", "--quiet", "--no-project", "--with", package, "python", "-c", code, str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_skypilot_reads_the_task(task, tmp_path):
    kinds = [
        "--set",
        "devices.kind=cuda",
        "--set",
        "method.name=lora",
    ]  # this model's scales cannot be dealt out
    gpus = ["--gpus", "2", *kinds, "--accelerator", "A100", "--volume", "bucket"]
    job = written(task, tmp_path / "job", "torchtune", "skypilot", *gpus) / "job.yaml"
    code, said, why = asked_of(SKY, READS_SKY, job)
    assert code == 0, why
    assert said.startswith("2 ") and "'A100': 2" in said
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(job.read_text().replace("num_nodes:", "nodes:"))
    assert asked_of(SKY, READS_SKY, wrong)[0], "or its word would mean nothing"


def test_kubernetes_schemas_take_the_job(task, tmp_path):
    there = ["--data", "/advisor/sums.jsonl", "--model", "/advisor/model", *task[4:]]
    gpus = ["--gpus", "2", "--set", "devices.kind=cuda", "--volume", "claim"]
    job = written(there, tmp_path / "job", "trl", "kubernetes", *gpus) / "job.yaml"
    code, said, why = asked_of(KUBERNETES, READS_KUBERNETES, job)
    assert (code, said.split()) == (0, ["ConfigMap", "Service", "Job"]), why
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(job.read_text().replace("completionMode", "completionmode"))
    assert asked_of(KUBERNETES, READS_KUBERNETES, wrong)[0], "or its word would mean nothing"
