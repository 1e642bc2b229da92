"""Jobs for schedulers: they match the spec, and runs that cannot work there are refused before the queue."""

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
from finetune.plan.submit import ClusterSettings, render_job, submit_command
from finetune.process import torchrun
from finetune.spec import ComposedSpec, RunSpec, resolve_spec
from finetune.stacks import Job


def spec(tmp_path, **devices):
    data = tmp_path / "my rows.jsonl"
    data.touch()
    values = {"model": {"base": "a/Small_Model"}, "data": {"train": str(data)}, "stack": "trl"}
    return RunSpec.model_validate({**values, "devices": {"processes": 4, "nodes": 2, **devices}})


def test_submit_command_writes_a_job_into_the_output_folder(tmp_path):
    (tmp_path / "rows.jsonl").touch()
    words = ["train", "--data", "rows.jsonl", "--model", "a/Small", "--stack", "trl", "--preset", "quick", "--gpus", "4",
             "--nodes", "2", "--submit", "slurm"]  # fmt: skip

    def run(*more):
        return subprocess.run([sys.executable, "-m", "advisor", *words, *more], env=bare_environment(HOME=str(tmp_path)),
                              cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip

    process = run()
    assert (process.returncode, process.stdout) == (2, "")
    assert "missing option -o: --submit needs a folder" in process.stderr
    process = run("-o", "job")
    assert process.returncode == 0, process.stderr
    paths, submit = process.stdout.splitlines()
    assert submit == f"submit:  sbatch {next((tmp_path / 'job').glob('*.sbatch'))}"
    assert set(paths.removeprefix("written: ").split(", ")) == set(map(str, (tmp_path / "job").iterdir()))


def test_slurm_job_starts_advisor_on_every_machine_with_its_rank(tmp_path):
    files = render_job("slurm", spec(tmp_path), tmp_path / "a job", ClusterSettings())
    script = tmp_path / "job.sbatch"
    script.write_text(files["job.sbatch"])
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.+)$", files["job.sbatch"], re.MULTILINE))
    assert (options["nodes"], options["ntasks-per-node"], options["gpus-per-node"]) == ("2", "1", "4")
    # Stand-ins for scontrol and srun on the second of two machines, and for an advisor that prints its input.
    for name, text in {
        "scontrol": "echo first; echo second",
        "srun": 'SLURM_NODEID=1 exec "$@"',
        "advisor": 'echo "$MASTER_ADDR $MASTER_PORT $NODE_RANK"; printf "%s\\n" "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    lines = subprocess.run(
        ["bash", str(script)], capture_output=True, text=True, check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_ID": "7"},
    ).stdout.splitlines()  # fmt: skip
    assert lines[0] == "first 20007 1"
    assert lines[1:] == [
        "train",
        "--spec",
        str(tmp_path / "a job" / "run.toml"),
        "-o",
        str(tmp_path / "a job" / "run"),
    ]
    job_spec = RunSpec.model_validate(tomllib.loads(files["run.toml"]))
    assert job_spec.devices == spec(tmp_path).devices
    assert job_spec.data.train == str(tmp_path / "my rows.jsonl")


def test_skypilot_job_mounts_local_files_under_new_paths(tmp_path):
    files = render_job(
        "skypilot",
        spec(tmp_path),
        tmp_path,
        ClusterSettings(accelerator="A100", volume="bucket", version="1.2"),
    )
    job = yaml.safe_load(files["job.yaml"])
    assert (job["num_nodes"], job["resources"]["accelerators"]) == (2, "A100:4")
    remote_path = tomllib.loads(files["run.toml"])["data"]["train"]
    assert job["file_mounts"][remote_path] == str(tmp_path / "my rows.jsonl")
    assert job["file_mounts"]["/advisor"] == {"name": "bucket", "mode": "MOUNT"}
    assert "'library-advisor[train]==1.2'" in job["setup"]
    assert shlex.split(job["run"].splitlines()[-1])[-1] == "/advisor/advisor-small-model"


def test_kubernetes_job_is_indexed_and_its_pods_find_the_first_by_name(tmp_path):
    run_spec = spec(tmp_path).model_copy(
        update={"data": spec(tmp_path).data.model_copy(update={"train": "some/set"})}
    )
    files = render_job("kubernetes", run_spec, tmp_path, ClusterSettings(volume="claim", version="1.2"))
    config, service, job = yaml.safe_load_all(files["job.yaml"])
    assert (config["kind"], service["kind"], job["kind"]) == ("ConfigMap", "Service", "Job")
    assert RunSpec.model_validate(tomllib.loads(config["data"]["run.toml"])).devices.nodes == 2
    assert (job["spec"]["completions"], job["spec"]["completionMode"]) == (2, "Indexed")
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "4"}
    address = next(e["value"] for e in container["env"] if e["name"] == "MASTER_ADDR")
    assert address == f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert pod["subdomain"] == service["metadata"]["name"]
    mounts = {v["name"] for v in container["volumeMounts"]}
    assert mounts == {v["name"] for v in pod["volumes"]} == {"config", "shared"}


@pytest.mark.parametrize(
    ("scheduler", "cluster", "devices", "message"),
    [
        ("lsf", ClusterSettings(), {}, "expected one of slurm, skypilot, kubernetes"),
        ("skypilot", ClusterSettings(accelerator="A100"), {}, "--volume NAME: a bucket"),
        ("skypilot", ClusterSettings(volume="v"), {}, "--accelerator"),
        ("kubernetes", ClusterSettings(), {}, "--volume NAME: a volume claim"),
        ("kubernetes", ClusterSettings(volume="v"), {}, "is only on this machine"),
    ],
)
def test_error_names_the_missing_option(tmp_path, scheduler, cluster, devices, message):
    with pytest.raises(SpecError, match=message):
        render_job(scheduler, spec(tmp_path, **devices), tmp_path, cluster)


@pytest.mark.parametrize(
    ("scheduler", "command"), [("skypilot", "sky launch "), ("kubernetes", "kubectl apply -f ")]
)
def test_single_process_needs_no_shared_folder(tmp_path, scheduler, command):
    single = spec(tmp_path, nodes=1, processes=1)
    single = single.model_copy(update={"data": single.data.model_copy(update={"train": "some/set"})})
    text = render_job(scheduler, single, tmp_path, ClusterSettings(accelerator="A100"))["job.yaml"]
    assert "/advisor/" not in text
    documents = list(yaml.safe_load_all(text))
    if scheduler == "kubernetes":
        (container,) = documents[-1]["spec"]["template"]["spec"]["containers"]
        assert "-o /tmp/advisor-small-model" in container["command"][-1]
        assert [v["name"] for v in container["volumeMounts"]] == ["config"]
    else:
        assert documents[0]["run"].splitlines()[-1].endswith("-o ~/advisor-job/run")
        assert list(documents[0]["file_mounts"]) == ["~/advisor-job/run.toml"]
    assert submit_command(scheduler, tmp_path) == f"{command}{tmp_path / 'job.yaml'}"


def test_run_on_several_machines_needs_an_output_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "first")
    monkeypatch.setenv("NODE_RANK", "0")
    with pytest.raises(SpecError, match="needs -o FOLDER that all of them can see"):
        torchrun.check_nodes(spec(tmp_path))


def with_stack(tmp_path, stack, kind, **sections):
    """Return the spec with another stack and a local model, because the native config has the model's sizes."""
    (tmp_path / "config.json").write_text(json.dumps(tiny_model.config()))
    values = {**spec(tmp_path, kind=kind).model_dump(), "stack": stack, "model": {"base": str(tmp_path)}}
    values["method"] = {**values["method"], "name": "lora"}
    return RunSpec.model_validate(
        {**values, **{name: {**values[name], **section} for name, section in sections.items()}}
    )


@pytest.mark.parametrize("stack", ["axolotl", "unsloth"])
def test_stack_without_gpus_is_refused_before_the_queue(tmp_path, stack):
    run_spec = with_stack(tmp_path, stack, "cpu")
    with pytest.raises(UnsupportedField, match=r"needs a GPU|on a GPU"):
        render_job("slurm", run_spec, tmp_path, ClusterSettings())


@pytest.mark.parametrize(
    ("stack", "change", "message"),
    [
        ("litgpt", {"method": {"name": "qlora"}}, "it quantises in a single process only"),
        ("torchtune", {"training": {"optimizer": "paged_adamw_8bit"}}, "do not support sharded weights"),
        ("axolotl", {"devices": {"strategy": "fsdp"}}, "DDP"),
        ("unsloth", {"devices": {"strategy": "fsdp"}}, "DDP"),
    ],
)
def test_unsupported_distribution_is_refused_before_the_queue(tmp_path, stack, change, message):
    run_spec = with_stack(tmp_path, stack, "cuda", **change)
    with pytest.raises(UnsupportedField, match=message):
        render_job("slurm", run_spec, tmp_path, ClusterSettings())


RUN = Job(Path("RUN"), Path("RUN/data"), "a/b", None, steps=3, warmup_steps=0, rows=48, test_rows=0)
# Lines that each native config needs for 2 machines with 4 GPUs each; torchrun starts all processes.
CONFIG_LINES = {
    "trl": {},
    "torchtune": {"gradient_accumulation_steps: 1"},
    "litgpt": {"devices: 4", "num_nodes: 2", "global_batch_size: 16"},
    "axolotl": {"gradient_accumulation_steps: 1"},
    "unsloth": {"gradient_accumulation_steps: 1"},
}


@pytest.mark.parametrize("stack", CONFIG_LINES)
def test_torchrun_starts_each_stack_on_every_machine(tmp_path, stack, monkeypatch):
    monkeypatch.setenv("NODE_RANK", "1")
    monkeypatch.setenv("MASTER_ADDR", "first")
    monkeypatch.setenv("MASTER_PORT", "20007")
    run_spec = with_stack(tmp_path, stack, "cuda")
    assert "job.sbatch" in render_job("slurm", run_spec, tmp_path, ClusterSettings())
    resolved_spec = resolve_spec(ComposedSpec(run_spec, {}), gpus=4).spec
    native_config = stacks.load_stack(stack).render(resolved_spec, RUN)
    words = stacks.load_stack(stack).command(Path("python"), resolved_spec, RUN)
    assert words[1:13] == [
        *("-m", "torch.distributed.run", "--nproc-per-node", "4", "--nnodes", "2", "--node-rank", "1"),
        *("--master-addr", "first", "--master-port", "20007"),
    ]
    assert Path(words[13]).is_file(), "the path of our runner"
    (config,) = [name for name in native_config.files if words[14].endswith(name)]
    for line in CONFIG_LINES[stack]:
        assert line in native_config.files[config]
    if stack == "torchtune":
        assert config == "lora_finetune_distributed.yaml"
    if stack in {"torchtune", "litgpt"}:
        assert any("FSDP2" in deviation for deviation in native_config.deviations)


def test_torchtune_shards_quantised_weights_only_if_the_processes_divide_their_scales(tmp_path):
    run_spec = with_stack(tmp_path, "torchtune", "cuda", method={"name": "qlora"})
    with pytest.raises(
        UnsupportedField, match=r"8 processes cannot share the scales of q_proj equally \(1\)"
    ):
        render_job("slurm", run_spec, tmp_path, ClusterSettings())
    (tmp_path / "config.json").write_text(
        json.dumps(tiny_model.config(hidden_size=512, intermediate_size=1024))
    )
    assert (
        stacks.load_stack("torchtune")
        .render(resolve_spec(ComposedSpec(run_spec, {}), gpus=4).spec, RUN)
        .files
    )
