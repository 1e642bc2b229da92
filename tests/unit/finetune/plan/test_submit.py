"""Jobs for schedulers: what they say is what the spec says; what cannot run there is refused before the queue."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tiny_model
import yaml
from bare_environment import bare_environment

from finetune import stacks
from finetune.errors import SpecError, UnsupportedField
from finetune.plan.submit import Place, how, job
from finetune.process import spread
from finetune.spec import Composed, RunSpec, resolve
from finetune.stacks import Job


def spec(tmp_path, **devices):
    data = tmp_path / "my rows.jsonl"
    data.touch()
    told = {"model": {"base": "a/Small_Model"}, "data": {"train": str(data)}, "stack": "trl"}
    return RunSpec.model_validate({**told, "devices": {"processes": 4, "nodes": 2, **devices}})


def test_the_command_writes_a_job_into_the_folder_it_is_told(tmp_path):
    (tmp_path / "rows.jsonl").touch()
    words = ["train", "--data", "rows.jsonl", "--model", "a/Small", "--stack", "trl", "--preset", "quick", "--gpus", "4",
             "--nodes", "2", "--submit", "slurm"]  # fmt: skip

    def run(*more):
        return subprocess.run([sys.executable, "-m", "advisor", *words, *more], env=bare_environment(HOME=str(tmp_path)),
                              cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip

    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "--submit needs -o FOLDER: where the job's files go" in done.stderr
    done = run("-o", "made")
    assert done.returncode == 0, done.stderr
    written, submit = done.stdout.splitlines()
    assert submit == f"submit:  sbatch {next((tmp_path / 'made').glob('*.sbatch'))}"
    assert set(written.removeprefix("written: ").split(", ")) == set(map(str, (tmp_path / "made").iterdir()))


def test_slurm_starts_one_advisor_a_machine_that_knows_its_rank_and_the_first(tmp_path):
    files = job("slurm", spec(tmp_path), tmp_path / "a job", Place())
    script = tmp_path / "job.sbatch"
    script.write_text(files["job.sbatch"])
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    asked = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.+)$", files["job.sbatch"], re.MULTILINE))
    assert (asked["nodes"], asked["ntasks-per-node"], asked["gpus-per-node"]) == ("2", "1", "4")
    # Played: scontrol and srun as they answer on the second machine of the two, and an advisor that tells.
    for name, text in {
        "scontrol": "echo first; echo second",
        "srun": 'SLURM_NODEID=1 exec "$@"',
        "advisor": 'echo "$MASTER_ADDR $MASTER_PORT $NODE_RANK"; printf "%s\\n" "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    ran = subprocess.run(
        ["bash", str(script)], capture_output=True, text=True, check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_ID": "7"},
    ).stdout.splitlines()  # fmt: skip
    assert ran[0] == "first 20007 1"
    assert ran[1:] == [
        "train",
        "--spec",
        str(tmp_path / "a job" / "run.toml"),
        "-o",
        str(tmp_path / "a job" / "run"),
    ]
    moved = RunSpec.model_validate(tomllib.loads(files["run.toml"]))
    assert moved.devices == spec(tmp_path).devices
    assert moved.data.train == str(tmp_path / "my rows.jsonl")


def test_skypilot_mounts_what_lies_here_and_renames_it(tmp_path):
    files = job(
        "skypilot", spec(tmp_path), tmp_path, Place(accelerator="A100", volume="bucket", version="1.2")
    )
    told = yaml.safe_load(files["job.yaml"])
    assert (told["num_nodes"], told["resources"]["accelerators"]) == (2, "A100:4")
    moved = tomllib.loads(files["run.toml"])["data"]["train"]
    assert told["file_mounts"][moved] == str(tmp_path / "my rows.jsonl")
    assert told["file_mounts"]["/advisor"] == {"name": "bucket", "mode": "MOUNT"}
    assert "advisor[train]==1.2" in told["setup"]
    assert shlex.split(told["run"].splitlines()[-1])[-1] == "/advisor/advisor-small-model"


def test_kubernetes_is_an_indexed_job_whose_pods_find_the_first_by_name(tmp_path):
    made = spec(tmp_path).model_copy(
        update={"data": spec(tmp_path).data.model_copy(update={"train": "some/set"})}
    )
    files = job("kubernetes", made, tmp_path, Place(volume="claim", version="1.2"))
    config, service, told = yaml.safe_load_all(files["job.yaml"])
    assert (config["kind"], service["kind"], told["kind"]) == ("ConfigMap", "Service", "Job")
    assert RunSpec.model_validate(tomllib.loads(config["data"]["run.toml"])).devices.nodes == 2
    assert (told["spec"]["completions"], told["spec"]["completionMode"]) == (2, "Indexed")
    pod = told["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "4"}
    address = next(e["value"] for e in container["env"] if e["name"] == "MASTER_ADDR")
    assert address == f"{told['metadata']['name']}-0.{service['metadata']['name']}"
    assert pod["subdomain"] == service["metadata"]["name"]
    mounted = {v["name"] for v in container["volumeMounts"]}
    assert mounted == {v["name"] for v in pod["volumes"]} == {"config", "shared"}


@pytest.mark.parametrize(
    ("kind", "place", "devices", "message"),
    [
        ("lsf", Place(), {}, "known are slurm, skypilot, kubernetes"),
        ("skypilot", Place(accelerator="A100"), {}, "--volume NAME: a bucket"),
        ("skypilot", Place(volume="v"), {}, "--accelerator"),
        ("kubernetes", Place(), {}, "--volume NAME: a claim"),
        ("kubernetes", Place(volume="v"), {}, "lies on this machine alone"),
    ],
)
def test_what_a_scheduler_must_be_told_is_asked_for(tmp_path, kind, place, devices, message):
    with pytest.raises(SpecError, match=message):
        job(kind, spec(tmp_path, **devices), tmp_path, place)


@pytest.mark.parametrize(
    ("kind", "command"), [("skypilot", "sky launch "), ("kubernetes", "kubectl apply -f ")]
)
def test_one_process_needs_no_place_that_others_see(tmp_path, kind, command):
    alone = spec(tmp_path, nodes=1, processes=1)
    alone = alone.model_copy(update={"data": alone.data.model_copy(update={"train": "some/set"})})
    text = job(kind, alone, tmp_path, Place(accelerator="A100"))["job.yaml"]
    assert "/advisor/" not in text
    told = list(yaml.safe_load_all(text))
    if kind == "kubernetes":
        (container,) = told[-1]["spec"]["template"]["spec"]["containers"]
        assert "-o /tmp/advisor-small-model" in container["command"][-1]
        assert [v["name"] for v in container["volumeMounts"]] == ["config"]
    else:
        assert told[0]["run"].splitlines()[-1].endswith("-o ~/advisor-job/run")
        assert list(told[0]["file_mounts"]) == ["~/advisor-job/run.toml"]
    assert how(kind, tmp_path) == f"{command}{tmp_path / 'job.yaml'}"


def test_several_machines_need_a_folder_that_all_see(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "first")
    monkeypatch.setenv("NODE_RANK", "0")
    with pytest.raises(SpecError, match="needs -o FOLDER, and all must see it"):
        spread.check(spec(tmp_path))


def with_stack(tmp_path, stack, kind, **sections):
    """The same with another stack, of a model that is here, for the native config names its sizes."""
    (tmp_path / "config.json").write_text(json.dumps(tiny_model.config()))
    asked = {**spec(tmp_path, kind=kind).model_dump(), "stack": stack, "model": {"base": str(tmp_path)}}
    asked["method"] = {**asked["method"], "name": "lora"}
    return RunSpec.model_validate(
        {**asked, **{name: {**asked[name], **one} for name, one in sections.items()}}
    )


@pytest.mark.parametrize("stack", ["axolotl", "unsloth"])
def test_a_stack_that_needs_gpus_is_refused_before_the_queue(tmp_path, stack):
    made = with_stack(tmp_path, stack, "cpu")
    with pytest.raises(UnsupportedField, match=r"GPUs alone|on a GPU"):
        job("slurm", made, tmp_path, Place())


@pytest.mark.parametrize(
    ("stack", "change", "message"),
    [
        ("litgpt", {"method": {"name": "qlora"}}, "it quantises in one process alone"),
        ("torchtune", {"training": {"optimizer": "paged_adamw_8bit"}}, "do not know the parts"),
        ("axolotl", {"devices": {"strategy": "fsdp"}}, "DDP"),
        ("unsloth", {"devices": {"strategy": "fsdp"}}, "DDP"),
    ],
)
def test_what_a_stack_cannot_spread_is_refused_before_the_queue(tmp_path, stack, change, message):
    made = with_stack(tmp_path, stack, "cuda", **change)
    with pytest.raises(UnsupportedField, match=message):
        job("slurm", made, tmp_path, Place())


RUN = Job(Path("RUN"), Path("RUN/data"), "a/b", None, steps=3, warmup_steps=0, rows=48, test_rows=0)
# What each library's own launch must be told of 2 machines with 4 GPUs each; torchrun starts all of them.
TOLD = {
    "trl": {},
    "torchtune": {"gradient_accumulation_steps: 1"},
    "litgpt": {"devices: 4", "num_nodes: 2", "global_batch_size: 16"},
    "axolotl": {"gradient_accumulation_steps: 1"},
    "unsloth": {"gradient_accumulation_steps: 1"},
}


@pytest.mark.parametrize("stack", TOLD)
def test_each_stack_is_started_by_torchrun_on_every_machine(tmp_path, stack, monkeypatch):
    monkeypatch.setenv("NODE_RANK", "1")
    monkeypatch.setenv("MASTER_ADDR", "first")
    monkeypatch.setenv("MASTER_PORT", "20007")
    made = with_stack(tmp_path, stack, "cuda")
    assert "job.sbatch" in job("slurm", made, tmp_path, Place())
    resolved = resolve(Composed(made, {}), gpus=4).spec
    rendered = stacks.stack(stack).render(resolved, RUN)
    words = stacks.stack(stack).command(Path("python"), resolved, RUN)
    assert words[1:13] == [
        *("-m", "torch.distributed.run", "--nproc-per-node", "4", "--nnodes", "2", "--node-rank", "1"),
        *("--master-addr", "first", "--master-port", "20007"),
    ]
    assert Path(words[13]).is_file(), "a runner of ours"
    (config,) = [name for name in rendered.files if words[14].endswith(name)]
    for line in TOLD[stack]:
        assert line in rendered.files[config]
    if stack == "torchtune":
        assert config == "lora_finetune_distributed.yaml"
    if stack in {"torchtune", "litgpt"}:
        assert any("FSDP2" in one for one in rendered.deviations)


def test_torchtune_deals_out_quantised_weights_where_their_scales_divide(tmp_path):
    made = with_stack(tmp_path, "torchtune", "cuda", method={"name": "qlora"})
    with pytest.raises(UnsupportedField, match=r"the 1 scales of q_proj cannot be dealt out to 8 processes"):
        job("slurm", made, tmp_path, Place())
    (tmp_path / "config.json").write_text(
        json.dumps(tiny_model.config(hidden_size=512, intermediate_size=1024))
    )
    assert stacks.stack("torchtune").render(resolve(Composed(made, {}), gpus=4).spec, RUN).files
