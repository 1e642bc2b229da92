"""The commands of advisor runs that hand a model or a run over: merge, gguf, push and export."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from advisor.cli.output import check_output
from advisor.cli.run_options import Run
from advisor.cli.run_output import show_progress


class BaseWeights(StrEnum):
    """The weights of the base that an adapter is merged into."""

    auto = "auto"
    original = "original"
    from_4_bits = "dequantised"


class Part(StrEnum):
    """A part of a run that the hub can have."""

    adapter = "adapter"
    whole_model = "merged"


class Tool(StrEnum):
    """A tool that can show a run."""

    mlflow = "mlflow"
    trackio = "trackio"


def merge(
    run: Run,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder of the model. Default: RUN/merged."),
    ] = None,
    base: Annotated[
        BaseWeights,
        typer.Option(
            help="Weights of a QLoRA run to merge into: the original ones, or the 4-bit ones converted back. "
            "auto: those on which the adapter has the lower held-out loss."
        ),
    ] = BaseWeights.auto,
) -> None:
    """Merge the adapter into the base model (safetensors).

    Loads the model afresh and compares it with the run: token ids of the held-out rows and their prompts,
    the token that ends an answer, the held-out loss, and real answers. Writes no model that fails a check.
    """
    from finetune import record
    from finetune.after.merge import merge_adapter

    folder = record.find_run(run)
    with show_progress() as callbacks:
        model = merge_adapter(folder, output, base.value, callbacks)
    print(model)
    _print_checks(record.read_record(folder).export)


def _print_checks(checks: Iterable[Mapping[str, Any]]) -> None:
    for check in checks:
        print(f"{check['state']}: {check['name']}: {check['result']}", file=sys.stderr)


def gguf(
    run: Run,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The GGUF file to write.", callback=check_output),
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Type of the weights: f32, f16, bf16, q8_0, q6_k, q5_k_m, q4_k_m or another of llama.cpp.",
        ),
    ] = "f16",
) -> None:
    """Write the merged model as a GGUF file that answers as the adapter did.

    Loads the file in llama.cpp and compares it with the run: token ids, chat template, held-out loss, and
    real answers. Writes no file that fails a check. Beside the file it writes how to serve it: a Modelfile
    for Ollama, and the commands for llama.cpp and vLLM.
    """
    from finetune import record
    from finetune.after.gguf import export_gguf

    with show_progress() as callbacks:
        checks = export_gguf(record.find_run(run), output, kind, callbacks)
    print(output)
    _print_checks(checks)
    print(f"how to serve it: {output.with_suffix('.serve.md')}", file=sys.stderr)


def push(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository of the hub.")],
    part: Annotated[Part, typer.Option(help="What to upload.")] = Part.adapter,
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository public. Default: private.")
    ] = False,
) -> None:
    """Push the adapter or the merged model to the Hugging Face Hub, with its model card.

    Creates the repository if it is missing. Uses the token of `hf auth login` or HF_TOKEN. The card has the
    measurements, versions and hashes of the run; rows of your data are in it only as the sample answers.
    """
    from finetune import record
    from finetune.after.push import push_run

    print(push_run(record.find_run(run), name, part.value, is_public=public))


def export(
    run: Run,
    to: Annotated[Tool, typer.Option(help="Tool that the files are for.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Folder of the MLflow store, or CSV file for trackio."
        ),
    ],
) -> None:
    """Write a run for MLflow (file store) or trackio (CSV).

    Prints on stderr how to open the files.
    """
    from finetune import record
    from finetune.after.export import to_mlflow, to_trackio

    folder = record.find_run(run)
    print(to_mlflow(folder, output) if to is Tool.mlflow else to_trackio(folder, output))
    path = shlex.quote(str(output))
    script = f"import trackio; trackio.import_csv({str(output)!r}, project='PROJECT')"
    commands = {
        Tool.mlflow: f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {path}, or "
        f"mlflow migrate-filestore --source {path} --target sqlite:///mlflow.db",
        Tool.trackio: f"python -c {shlex.quote(script)}",
    }
    print(f"open it with: {commands[to]}", file=sys.stderr)
