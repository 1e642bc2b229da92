"""The model card of an adapter: what it is, how it was trained, and what was measured."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from finetune.after import task
from finetune.record import Record, write_text
from finetune.weights.base import public_name

_SHARES = ("accuracy", "likelier_chosen")
_PREFERENCE_FIGURES = {
    "accuracy": "reward accuracy",
    "margin": "reward margin",
    "chosen_reward": "reward of the better answers",
    "rejected_reward": "reward of the worse answers",
    "likelier_chosen": "pairs whose chosen answer is the likelier one",
}
_COUNTS = ("train_rows", "train_tokens", "trained_tokens")


def write_card(folder: Path, record: Record) -> None:
    """Write the card to ``RUN/adapter/README.md``."""
    write_text(folder / "adapter" / "README.md", render_card(folder, record))


def render_card(folder: Path, record: Record) -> str:
    """Return the card in the hub's format: a YAML header, then Markdown."""
    spec: dict[str, Any] = dict(record.spec)
    base = public_name(spec["model"]["base"])
    method, objective = spec["method"]["name"], spec["method"].get("objective", "sft")
    head = [
        "---",
        f"base_model: {json.dumps(base)}",
        f"library_name: {'transformers' if method == 'full' else 'peft'}",
        "pipeline_tag: text-generation",
        f"tags: [{method}, {objective}, {record.stack}]",
        "---",
        "",
        f"# {Path(base).name}, fine-tuned with {method}{f' and {objective}' if objective != 'sft' else ''}",
        "",
    ]
    sections = [*_render_measurements(record), *_render_task(record), *_render_inputs(record, spec)]
    sections += [*_render_export(record), *_render_answers(folder)]
    usage = [*_render_usage(base, method), *_render_public_tasks(base, method)]
    return "\n".join([*head, *sections, *usage]) + "\n"


def _render_measurements(record: Record) -> list[str]:
    lines = ["## Measured", "", "| what | value |", "|---|---|"]
    losses = record.losses.get("held_out", {})
    for name, loss in losses.items():
        lines.append(f"| held-out loss, {name.replace('_', ', ')} | {loss:.4f} |")
    shortages = record.losses.get("not_judged", {})
    for name, reason in shortages.items():
        lines.append(f"| held-out loss, {name.replace('_', ', ')} | not judged: {reason} |")
    if losses:
        lines.append(f"| held-out tokens that count for the loss | {record.losses['held_out_tokens']} |")
    lines += _render_preferences(record)
    if not losses and not shortages:
        lines.append("| held-out loss | not measured: there are no held-out rows |")
    if "measured_peak" in record.memory_bytes:
        what = "GPU" if record.memory_bytes["device"] == "gpu" else "resident"
        lines.append(f"| peak {what} memory | {record.memory_bytes['measured_peak'] / 2**30:.2f} GiB |")
    for stage, seconds in record.timings_seconds.items():
        lines.append(f"| seconds, {stage} | {seconds:.0f} |")
    return [*lines, ""]


def _render_preferences(record: Record) -> list[str]:
    """Return a line for each figure about held-out preferences."""
    lines = []
    for name, figures in record.losses.get("preferences", {}).items():
        for figure, value in figures.items():
            text = f"{value:.1%}" if figure in _SHARES else f"{value:.3f}"
            lines.append(f"| {_PREFERENCE_FIGURES[figure]}, {name.replace('_', ', ')} | {text} |")
    if lines:
        lines.append(f"| held-out preferences | {record.losses['held_out_rows']} |")
    return lines


def _render_task(record: Record) -> list[str]:
    results = {n: r for n, r in record.task.get("metrics", {}).items() if "error" not in r}
    if not results:
        return []
    rows = record.task["rows"]
    lines = [
        f"## The task, on {rows} held-out rows",
        "",
        "| metric | base | fine-tuned | |",
        "|---|---|---|---|",
    ]
    for name, result in results.items():
        values = [task.format_value(result, m) if m in result else "not judged" for m in task.MODELS]
        lines.append(f"| {Path(name).name} | {' | '.join(values)} | {task.describe_test(result)} |")
    return [*lines, "", "Values have 95 % intervals of the bootstrap over the rows.", ""]


def _render_inputs(record: Record, spec: dict[str, Any]) -> list[str]:
    packages = record.environment.get("packages", {})
    versions = ", ".join(
        f"{n} {packages[n]}" for n in ("torch", "transformers", "trl", "peft") if n in packages
    )
    lines = ["## Training", "", "| what | value |", "|---|---|"]
    lines += [
        f"| base model | {public_name(spec['model']['base'])} ({record.model.get('fingerprint', '?')}) |",
        f"| data | {Path(spec['data']['train']).name}, sha256 {record.data.get('source_sha256', '?')} |",
        f"| rows, tokens, trained tokens | {', '.join(str(record.data.get(n)) for n in _COUNTS)} |",
        f"| method | {json.dumps(spec['method'])} |",
        f"| training | {json.dumps(spec['training'])} |",
        f"| versions | {versions or '?'} |",
        f"| run | {record.id}, {record.started} |",
    ]
    if record.recommendation:
        why = "; ".join(record.recommendation.get("reasons", ()))
        lines.append(f"| stack | {record.stack}: {record.recommendation.get('certainty', '')} ({why}) |")
    else:
        lines.append(f"| stack | {record.stack}, chosen by the user |")
    lines += [f"| deviation | {d} |" for d in record.deviations]
    lines += [f"| finding | {f['what']} |" for f in record.findings if f["severity"] != "note"]
    return [*lines, ""]


def _render_export(record: Record) -> list[str]:
    if not record.export:
        return []
    lines = ["## Merged model, loaded afresh", "", "| check | state | result |", "|---|---|---|"]
    lines += [f"| {check['name']} | {check['state']} | {check['result']} |" for check in record.export]
    return [*lines, ""]


def _render_answers(folder: Path) -> list[str]:
    path = folder / "evaluation.json"
    if not path.is_file():
        return []
    generations = json.loads(path.read_text("utf-8")).get("generations", [])
    lines = ["## Answers to held-out questions", ""] if generations else []
    for generation in generations:
        question = " ".join(generation["question"].split())
        lines += [f"**{question}**", "", f"- base: {' '.join(generation['base'].split())}"]
        lines += [f"- fine-tuned: {' '.join(generation['adapter'].split())}", ""]
    return lines


def _render_usage(base: str, method: str) -> list[str]:
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


def _render_public_tasks(base: str, method: str) -> list[str]:
    """Return the command of lm-evaluation-harness, which judges what the model may have forgotten."""
    folder = "path/of/this/folder"
    model = f"pretrained={folder}" if method == "full" else f"pretrained={base},peft={folder}"
    command = (
        f"lm_eval --model hf --model_args {shlex.quote(model)} --tasks hellaswag,arc_easy --batch_size auto"
    )
    return ["", "## Public tasks", "", "```", "pip install lm-eval", command, "```"]
