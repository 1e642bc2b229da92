"""The model card of an adapter: what it is, what it was made of, what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finetune.record import Record, write_text

_COUNTS = ("train_rows", "train_tokens", "trained_tokens")


def write_card(folder: Path, told: Record) -> None:
    """Write ``RUN/adapter/README.md``."""
    write_text(folder / "adapter" / "README.md", render_card(folder, told))


def render_card(folder: Path, told: Record) -> str:
    """The card, in the form that the hub reads: a YAML head, then Markdown."""
    spec: dict[str, Any] = dict(told.spec)
    base = spec["model"]["base"]
    method = spec["method"]["name"]
    head = [
        "---",
        f"base_model: {json.dumps(base)}",
        f"library_name: {'transformers' if method == 'full' else 'peft'}",
        "pipeline_tag: text-generation",
        f"tags: [{method}, sft, {told.stack}]",
        "---",
        "",
        f"# {Path(base).name}, fine-tuned with {method}",
        "",
    ]
    return (
        "\n".join([*head, *_measured(told), *_made_of(told, spec), *_answers(folder), *_use(base, method)])
        + "\n"
    )


def _measured(told: Record) -> list[str]:
    lines = ["## Measured", "", "| what | value |", "|---|---|"]
    held = told.losses.get("held_out", {})
    for name, loss in held.items():
        lines.append(f"| held-out loss, {name.replace('_', ', ')} | {loss:.4f} |")
    if held:
        lines.append(f"| held-out tokens (trained ones) | {told.losses['held_out_tokens']} |")
    else:
        lines.append("| held-out loss | not measured: no held-out rows |")
    if "measured_peak" in told.memory_bytes:
        what = "GPU" if told.memory_bytes["device"] == "gpu" else "resident"
        lines.append(f"| peak {what} memory | {told.memory_bytes['measured_peak'] / 2**30:.2f} GiB |")
    for stage, seconds in told.timings_seconds.items():
        lines.append(f"| seconds, {stage} | {seconds:.0f} |")
    return [*lines, ""]


def _made_of(told: Record, spec: dict[str, Any]) -> list[str]:
    packages = told.environment.get("packages", {})
    versions = ", ".join(
        f"{n} {packages[n]}" for n in ("torch", "transformers", "trl", "peft") if n in packages
    )
    lines = ["## Made of", "", "| what | value |", "|---|---|"]
    lines += [
        f"| base model | {spec['model']['base']} ({told.model.get('fingerprint', '?')}) |",
        f"| data | {Path(spec['data']['train']).name}, sha256 {told.data.get('source_sha256', '?')} |",
        f"| rows, tokens, trained tokens | {', '.join(str(told.data.get(n)) for n in _COUNTS)} |",
        f"| method | {json.dumps(spec['method'])} |",
        f"| training | {json.dumps(spec['training'])} |",
        f"| versions | {versions or '?'} |",
        f"| run | {told.id}, {told.started} |",
    ]
    if told.recommendation:
        why = "; ".join(told.recommendation.get("reasons", ()))
        lines.append(f"| stack | {told.stack}: {told.recommendation.get('certainty', '')} ({why}) |")
    else:
        lines.append(f"| stack | {told.stack}, chosen by the user |")
    lines += [f"| deviation | {d} |" for d in told.deviations]
    lines += [f"| finding | {f['what']} |" for f in told.findings if f["severity"] != "note"]
    return [*lines, ""]


def _answers(folder: Path) -> list[str]:
    path = folder / "evaluation.json"
    if not path.is_file():
        return []
    shown = json.loads(path.read_text("utf-8")).get("generations", [])
    lines = ["## Answers to held-out questions", ""] if shown else []
    for one in shown:
        question = " ".join(one["question"].split())
        lines += [f"**{question}**", "", f"- base: {' '.join(one['base'].split())}"]
        lines += [f"- fine-tuned: {' '.join(one['adapter'].split())}", ""]
    return lines


def _use(base: str, method: str) -> list[str]:
    if method == "full":
        return [
            "## Use",
            "",
            "```python",
            'AutoModelForCausalLM.from_pretrained("path/of/this/folder")',
            "```",
        ]
    return [
        "## Use",
        "",
        "```python",
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM",
        f"model = AutoModelForCausalLM.from_pretrained({json.dumps(base)})",
        'model = PeftModel.from_pretrained(model, "path/of/this/folder")',
        "```",
    ]
