"""Write a run as a job of Slurm, SkyPilot or Kubernetes, but do not submit it: you start what costs money.

Every machine of the job runs `advisor train --spec FILE -o RUN` with variables for its rank (see
`process.torchrun`). A run on several machines needs a folder that all of them can see: Slurm's home or
scratch, a bucket (SkyPilot) or a volume claim (Kubernetes).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from advisor.files import expand_home
from finetune.errors import SpecError
from finetune.spec import ComposedSpec, RunSpec, resolve_spec, to_toml
from finetune.stacks import Job, load_stack
from finetune.stacks.shared.defaults import render_with_fallbacks

SCHEDULERS = ("slurm", "skypilot", "kubernetes")
_PORT = 29500
_MOUNT = "/advisor"  # mount path of the bucket or volume
_IMAGE = "python:3.11-slim"


@dataclass(frozen=True)
class ClusterSettings:
    """What a job needs besides the spec.

    Attributes:
        accelerator: SkyPilot's name of the GPU (``A100``, ``H100`` …).
        volume: name of a bucket (SkyPilot) or volume claim (Kubernetes), mounted at ``/advisor``.
        image: container image of the Kubernetes job.
        version: version of advisor that the job installs.
    """

    accelerator: str | None = None
    volume: str | None = None
    image: str = _IMAGE
    version: str = ""


def render_job(scheduler: str, spec: RunSpec, folder: Path, cluster: ClusterSettings) -> dict[str, str]:
    """Return the job's files, file name → text, for ``folder``.

    Raises:
        SpecError: there is no such scheduler, or an option is missing.
        UnsupportedField: the stack does not support several processes.
    """
    if scheduler not in SCHEDULERS:
        raise SpecError(f"--submit {scheduler!r}: expected one of {', '.join(SCHEDULERS)}")
    if spec.devices.nodes > 1 and scheduler != "slurm" and cluster.volume is None:
        what = "a bucket" if scheduler == "skypilot" else "a volume claim"
        raise SpecError(
            f"--submit {scheduler} with several machines needs --volume NAME: {what} that all of them can see"
        )
    _check_stack(spec)
    render = {"slurm": _slurm_files, "skypilot": _skypilot_files, "kubernetes": _kubernetes_files}[scheduler]
    return render(spec, folder, cluster)


def _check_stack(spec: RunSpec) -> None:
    """Let the stack refuse the run now, rather than after the wait in the queue.

    Raises:
        UnsupportedField: the stack does not support several processes.
    """
    if spec.world_size > 1:
        gpus = spec.devices.processes if _uses_gpus(spec) else 0
        resolved_spec = resolve_spec(ComposedSpec(spec, {}), gpus=gpus)
        job = Job(Path(), Path(), spec.model.base, None, steps=1, warmup_steps=0, rows=1, test_rows=0)
        render_with_fallbacks(load_stack(spec.stack), resolved_spec, lambda _: job)


def _job_name(spec: RunSpec) -> str:
    """Return a name that all three schedulers accept: lower-case letters, digits, dashes."""
    model = re.sub(r"[^a-z0-9]+", "-", Path(spec.model.base).name.lower()).strip("-")
    return f"advisor-{model or 'run'}"[:40].rstrip("-")


def _uses_gpus(spec: RunSpec) -> bool:
    return spec.devices.kind != "cpu"


def _local_path(value: str | None) -> Path | None:
    """Return the local file or folder that a field names; None for a hub id."""
    path = expand_home(value) if value else None
    return path.resolve() if path is not None and path.exists() else None


def _with_paths(spec: RunSpec, paths: Mapping[str, str]) -> RunSpec:
    """Return the spec with other paths (field → path) and without an output folder."""
    values = spec.model_dump()
    for leaf, path in paths.items():
        section, name = leaf.split(".")
        values[section][name] = path
    return RunSpec.model_validate({**values, "output": None})


def _local_inputs(spec: RunSpec) -> dict[str, Path]:
    """Return field → the local file or folder that the run reads."""
    values = {
        "model.base": spec.model.base,
        "data.train": spec.data.train,
        "data.evaluation": spec.data.evaluation,
        "data.template": spec.data.template if spec.data.template.endswith(".jinja") else None,
    }
    return {leaf: path for leaf, value in values.items() if (path := _local_path(value)) is not None}


def _slurm_files(spec: RunSpec, folder: Path, cluster: ClusterSettings) -> dict[str, str]:
    del cluster
    paths = {leaf: str(path) for leaf, path in _local_inputs(spec).items()}
    run = expand_home(spec.output).resolve() if spec.output else folder / "run"
    options = {
        "job-name": _job_name(spec),
        "nodes": str(spec.devices.nodes),
        "ntasks-per-node": "1",
        **({"gpus-per-node": str(spec.devices.processes)} if _uses_gpus(spec) else {}),
        "output": str(folder / "slurm-%j.log"),
        "signal": "INT@300",  # saves a checkpoint five minutes before the end, like Ctrl-C
    }
    train = shlex.join(["advisor", "train", "--spec", str(folder / "run.toml"), "-o", str(run)])
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH --{key}={shlex.quote(value)}" for key, value in options.items()),
        "set -euo pipefail",
        'MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)',
        "MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))",
        "export MASTER_ADDR MASTER_PORT",
        f"srun bash -c {shlex.quote(f'NODE_RANK=$SLURM_NODEID exec {train}')}",
    ]
    return {"run.toml": to_toml(_with_paths(spec, paths)), "job.sbatch": "\n".join(lines) + "\n"}


def _skypilot_files(spec: RunSpec, folder: Path, cluster: ClusterSettings) -> dict[str, str]:
    if _uses_gpus(spec) and cluster.accelerator is None:
        raise SpecError(
            "--submit skypilot needs --accelerator NAME: the GPU that SkyPilot looks for (A100, H100)"
        )
    inputs = _local_inputs(spec)
    remote_paths = {leaf: f"~/advisor-job/inputs/{leaf}{path.suffix}" for leaf, path in inputs.items()}
    mounts: dict[str, Any] = {remote_paths[leaf]: str(path) for leaf, path in inputs.items()}
    mounts["~/advisor-job/run.toml"] = str(folder / "run.toml")
    run = "~/advisor-job/run"
    if cluster.volume is not None:
        mounts[_MOUNT] = {"name": cluster.volume, "mode": "MOUNT"}
        run = f"{_MOUNT}/{_job_name(spec)}"
    gpus = {"accelerators": f"{cluster.accelerator}:{spec.devices.processes}"} if _uses_gpus(spec) else {}
    config = {
        "name": _job_name(spec),
        "num_nodes": spec.devices.nodes,
        **({"resources": gpus} if gpus else {}),
        "file_mounts": mounts,
        "setup": f"pip install 'library-advisor[train]=={cluster.version}'\n",
        "run": (
            'export MASTER_ADDR=$(echo "$SKYPILOT_NODE_IPS" | sed -n 1p)\n'
            f"export MASTER_PORT={_PORT} NODE_RANK=$SKYPILOT_NODE_RANK\n"
            f"advisor train --spec ~/advisor-job/run.toml -o {run}\n"
        ),
    }
    return {"run.toml": to_toml(_with_paths(spec, remote_paths)), "job.yaml": _to_yaml(config)}


def _kubernetes_files(spec: RunSpec, folder: Path, cluster: ClusterSettings) -> dict[str, str]:
    del folder
    local_inputs = [f"{leaf} ({path})" for leaf, path in _local_inputs(spec).items()]
    if local_inputs:
        raise SpecError(
            f"--submit kubernetes: {', '.join(local_inputs)} is only on this machine; copy it to the "
            f"volume and use its path in the job, {_MOUNT}/…, or use a hub id"
        )
    name, nodes = _job_name(spec), spec.devices.nodes
    command = (
        f"pip install --quiet 'library-advisor[train]=={cluster.version}' && NODE_RANK=$JOB_COMPLETION_INDEX "
        f"exec advisor train --spec /config/run.toml -o {_MOUNT if cluster.volume else '/tmp'}/{name}"  # noqa: S108 - in a container of its own
    )
    text = to_toml(_with_paths(spec, {}))
    mounts = [{"name": "config", "mountPath": "/config"}]
    volumes: list[dict[str, Any]] = [{"name": "config", "configMap": {"name": name}}]
    if cluster.volume is not None:
        mounts.append({"name": "shared", "mountPath": _MOUNT})
        volumes.append({"name": "shared", "persistentVolumeClaim": {"claimName": cluster.volume}})
    gpus = {"resources": {"limits": {"nvidia.com/gpu": str(spec.devices.processes)}}}
    container = {
        "name": "train",
        "image": cluster.image,
        "command": ["bash", "-c", command],
        "env": [
            {"name": "MASTER_ADDR", "value": f"{name}-0.{name}"},
            {"name": "MASTER_PORT", "value": str(_PORT)},
        ],
        **(gpus if _uses_gpus(spec) else {}),
        "volumeMounts": mounts,
    }
    pod = {"subdomain": name, "restartPolicy": "Never", "containers": [container], "volumes": volumes}
    parts: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"run.toml": text}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            # A headless service: it gives the job's pods the names by which they find one another.
            "spec": {
                "clusterIP": "None",
                "selector": {"batch.kubernetes.io/job-name": name},
                "publishNotReadyAddresses": True,
            },
        },
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {
                "completions": nodes,
                "parallelism": nodes,
                "completionMode": "Indexed",
                "backoffLimit": 0,
                "template": {"spec": pod},
            },
        },
    ]
    return {"run.toml": text, "job.yaml": "---\n".join(map(_to_yaml, parts))}


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as a block."""


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Readable.add_representer(str, _represent_text)


def _to_yaml(config: Mapping[str, Any]) -> str:
    return str(yaml.dump(dict(config), Dumper=_Readable, sort_keys=False, allow_unicode=True, width=110))


def submit_command(scheduler: str, folder: Path) -> str:
    """Return the command that submits the job in ``folder``."""
    words = {
        "slurm": ["sbatch", str(folder / "job.sbatch")],
        "skypilot": ["sky", "launch", str(folder / "job.yaml")],
        "kubernetes": ["kubectl", "apply", "-f", str(folder / "job.yaml")],
    }
    return shlex.join(words[scheduler])
