"""A run as a job of Slurm, SkyPilot or Kubernetes. Written, never submitted: what costs is yours to start.

Every machine of the job runs `advisor train --spec FILE -o RUN` with the variables that say which one it is
(see `process.spread`). A run on several machines needs a folder that all of them see: Slurm's home or
scratch, a bucket (SkyPilot) or a claim on a volume (Kubernetes).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finetune.errors import SpecError
from finetune.spec import ComposedSpec, RunSpec, resolve_spec, to_toml
from finetune.stacks import Job, load_stack

SCHEDULERS = ("slurm", "skypilot", "kubernetes")
_PORT = 29500
_PLACE = "/advisor"  # where a bucket or a volume is seen
_IMAGE = "python:3.11-slim"


@dataclass(frozen=True)
class ClusterSettings:
    """What a cluster has to be told beyond the spec.

    Attributes:
        accelerator: SkyPilot's name of the GPU (``A100``, ``H100`` …).
        volume: name of a bucket (SkyPilot) or of a claim on a volume (Kubernetes), seen as ``/advisor``.
        image: container of the Kubernetes job.
        version: of advisor that the job installs.
    """

    accelerator: str | None = None
    volume: str | None = None
    image: str = _IMAGE
    version: str = ""


def render_job(kind: str, spec: RunSpec, folder: Path, place: ClusterSettings) -> dict[str, str]:
    """The job's files: name → text. ``folder`` is where they will lie.

    Raises:
        SpecError: there is no such scheduler, or it must be told more.
    """
    if kind not in SCHEDULERS:
        raise SpecError(f"--submit {kind!r}: known are {', '.join(KINDS)}")
    if spec.devices.nodes > 1 and kind != "slurm" and place.volume is None:
        what = "a bucket" if kind == "skypilot" else "a claim on a volume"
        raise SpecError(
            f"--submit {kind} with several machines needs --volume NAME: {what} that all of them see"
        )
    _can_spread(spec)
    return {"slurm": _slurm, "skypilot": _skypilot, "kubernetes": _kubernetes}[kind](spec, folder, place)


def _can_spread(spec: RunSpec) -> None:
    """Refuse now what the stack would refuse in the queue.

    Raises:
        UnsupportedField: it runs as one process alone.
    """
    if spec.world_size > 1:
        cuda = _on_gpus(spec)
        resolved = resolve_spec(ComposedSpec(spec, {}), gpus=spec.devices.processes if cuda else 0).spec
        nothing = Job(Path(), Path(), spec.model.base, None, steps=1, warmup_steps=0, rows=1, test_rows=0)
        load_stack(spec.stack).render(resolved, nothing)


def _name(spec: RunSpec) -> str:
    """A name that all three take: lower-case letters, digits, dashes."""
    model = re.sub(r"[^a-z0-9]+", "-", Path(spec.model.base).name.lower()).strip("-")
    return f"advisor-{model or 'run'}"[:40].rstrip("-")


def _on_gpus(spec: RunSpec) -> bool:
    return spec.devices.kind != "cpu"


def _local(value: str | None) -> Path | None:
    """The file or folder here that a field names; None for a hub id."""
    path = Path(value).expanduser() if value else None
    return path.resolve() if path is not None and path.exists() else None


def _moved(spec: RunSpec, into: Mapping[str, str]) -> RunSpec:
    """The spec with other paths: leaf → path."""
    told = spec.model_dump()
    for leaf, path in into.items():
        section, name = leaf.split(".")
        told[section][name] = path
    return RunSpec.model_validate({**told, "output": None})


def _inputs(spec: RunSpec) -> dict[str, Path]:
    """Leaf → the file or folder here that the run reads."""
    named = {
        "model.base": spec.model.base,
        "data.train": spec.data.train,
        "data.evaluation": spec.data.evaluation,
        "data.template": spec.data.template if spec.data.template.endswith(".jinja") else None,
    }
    return {leaf: path for leaf, value in named.items() if (path := _local(value)) is not None}


def _slurm(spec: RunSpec, folder: Path, place: ClusterSettings) -> dict[str, str]:
    del place
    here = {leaf: str(path) for leaf, path in _inputs(spec).items()}
    run = Path(spec.output).expanduser().resolve() if spec.output else folder / "run"
    told = {
        "job-name": _name(spec),
        "nodes": str(spec.devices.nodes),
        "ntasks-per-node": "1",
        **({"gpus-per-node": str(spec.devices.processes)} if _on_gpus(spec) else {}),
        "output": str(folder / "slurm-%j.log"),
        "signal": "INT@300",  # five minutes before the end a checkpoint is saved, as for Ctrl-C
    }
    train = shlex.join(["advisor", "train", "--spec", str(folder / "run.toml"), "-o", str(run)])
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH --{key}={value}" for key, value in told.items()),
        "set -euo pipefail",
        'MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)',
        "MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))",
        "export MASTER_ADDR MASTER_PORT",
        f"srun bash -c {shlex.quote(f'NODE_RANK=$SLURM_NODEID exec {train}')}",
    ]
    return {"run.toml": to_toml(_moved(spec, here)), "job.sbatch": "\n".join(lines) + "\n"}


def _skypilot(spec: RunSpec, folder: Path, place: ClusterSettings) -> dict[str, str]:
    if _on_gpus(spec) and place.accelerator is None:
        raise SpecError(
            "--submit skypilot needs --accelerator NAME, the GPU that it shall look for (A100, H100)"
        )
    inputs = _inputs(spec)
    there = {leaf: f"~/advisor-job/inputs/{leaf}{path.suffix}" for leaf, path in inputs.items()}
    mounts: dict[str, Any] = {there[leaf]: str(path) for leaf, path in inputs.items()}
    mounts["~/advisor-job/run.toml"] = str(folder / "run.toml")
    run = "~/advisor-job/run"
    if place.volume is not None:
        mounts[_PLACE] = {"name": place.volume, "mode": "MOUNT"}
        run = f"{_PLACE}/{_name(spec)}"
    gpus = {"accelerators": f"{place.accelerator}:{spec.devices.processes}"} if _on_gpus(spec) else {}
    config = {
        "name": _name(spec),
        "num_nodes": spec.devices.nodes,
        **({"resources": gpus} if gpus else {}),
        "file_mounts": mounts,
        "setup": f"pip install 'advisor[train]=={place.version}'\n",
        "run": (
            'export MASTER_ADDR=$(echo "$SKYPILOT_NODE_IPS" | sed -n 1p)\n'
            f"export MASTER_PORT={_PORT} NODE_RANK=$SKYPILOT_NODE_RANK\n"
            f"advisor train --spec ~/advisor-job/run.toml -o {run}\n"
        ),
    }
    return {"run.toml": to_toml(_moved(spec, there)), "job.yaml": _yaml(config)}


def _kubernetes(spec: RunSpec, folder: Path, place: ClusterSettings) -> dict[str, str]:
    del folder
    outside = [f"{leaf} ({path})" for leaf, path in _inputs(spec).items()]
    if outside:
        raise SpecError(
            f"--submit kubernetes: {', '.join(outside)} lies on this machine alone; copy it into the volume "
            f"and name it as the job sees it, {_PLACE}/…, or name a hub id"
        )
    name, nodes = _name(spec), spec.devices.nodes
    command = (
        f"pip install --quiet 'advisor[train]=={place.version}' && NODE_RANK=$JOB_COMPLETION_INDEX "
        f"exec advisor train --spec /config/run.toml -o {_PLACE if place.volume else '/tmp'}/{name}"  # noqa: S108 - in a container of its own
    )
    text = to_toml(_moved(spec, {}))
    mounts = [{"name": "config", "mountPath": "/config"}]
    volumes: list[dict[str, Any]] = [{"name": "config", "configMap": {"name": name}}]
    if place.volume is not None:
        mounts.append({"name": "shared", "mountPath": _PLACE})
        volumes.append({"name": "shared", "persistentVolumeClaim": {"claimName": place.volume}})
    gpus = {"resources": {"limits": {"nvidia.com/gpu": str(spec.devices.processes)}}}
    container = {
        "name": "train",
        "image": place.image,
        "command": ["bash", "-c", command],
        "env": [
            {"name": "MASTER_ADDR", "value": f"{name}-0.{name}"},
            {"name": "MASTER_PORT", "value": str(_PORT)},
        ],
        **(gpus if _on_gpus(spec) else {}),
        "volumeMounts": mounts,
    }
    pod = {"subdomain": name, "restartPolicy": "Never", "containers": [container], "volumes": volumes}
    parts: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"run.toml": text}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            # No address of its own: it gives the pods of the job the names that they find one another by.
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
    return {"run.toml": text, "job.yaml": "---\n".join(map(_yaml, parts))}


class _Readable(yaml.SafeDumper):
    """Text of several lines as a block."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Readable.add_representer(str, _text)


def _yaml(config: Mapping[str, Any]) -> str:
    return str(yaml.dump(dict(config), Dumper=_Readable, sort_keys=False, allow_unicode=True, width=110))


def submit_command(kind: str, folder: Path) -> str:
    """The command that submits what was written."""
    return {
        "slurm": f"sbatch {folder / 'job.sbatch'}",
        "skypilot": f"sky launch {folder / 'job.yaml'}",
        "kubernetes": f"kubectl apply -f {folder / 'job.yaml'}",
    }[kind]
