"""advisor bases: base models side by side, for your rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import app
from advisor.cli.run_options import Data, Fields, RunOptions, compose_run
from advisor.cli.run_output import show_progress

if TYPE_CHECKING:
    from finetune.study.bases import Base


@app.command()
def bases(
    data: Data = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="MODELS",
            help="Base models, with commas: folders in Hugging Face's layout, or hub ids.",
        ),
    ] = None,
    fields: Fields = None,
    probe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Result of `advisor probe` (probe.json), to show what was measured."
        ),
    ] = None,
) -> None:
    """Compare base models on your data: tokens, template, licence, memory, base or instruct.

    Loads no weights. What a model card does not say is unknown. How good a model is for your task, only
    `advisor probe` measures.

    Examples:
      advisor bases --data mine.jsonl --models Qwen/Qwen3-0.6B,HuggingFaceTB/SmolLM2-135M
      advisor bases --data mine.jsonl --models A,B --probe PROBE/probe.json
    """
    from advisor.errors import InputError
    from advisor.report.tables import text_table
    from finetune.study.bases import advise_kind, compare_bases

    names = list(dict.fromkeys(name.strip() for name in (models or "").split(",") if name.strip()))
    if not names:
        raise InputError("missing option --models: add it, with the models to compare")
    results = _read_probe(probe)
    options = RunOptions(data, None, None, "trl", fields=fields)
    with show_progress() as callbacks:
        specs = [compose_run(replace(options, model=name), callbacks).composed_spec for name in names]
        compared_bases = compare_bases(specs, callbacks)
        rows = _count_rows(specs[0].spec.data.train)
    lines = _list_lines(compared_bases, results)
    table = [[title, *(line[title] for line in lines)] for title in lines[0]]
    print("\n".join(text_table(["", *(one.name for one in compared_bases)], table)))
    print(f"\nbase or instruct? {advise_kind(rows, [one.kind for one in compared_bases])}")
    if not results:
        print("which of them is best for your task: `advisor probe` with the same options measures it")


def _count_rows(source: str) -> int:
    from finetune.data.files import read_records

    return sum(1 for _ in read_records(source))


def _read_probe(path: Path | None) -> dict[str, str]:
    """Return by model the best result of a prompt and of an adapter.

    Raises:
        InputError: the file is not the result of a probe.
    """
    from advisor.errors import InputError
    from advisor.files import read_text

    if path is None:
        return {}
    try:
        probe = json.loads(read_text(path))
        lower_is_better = probe["measure"].startswith("loss")
        best: dict[str, dict[bool, float]] = {}
        for one in probe["results"]:
            group = best.setdefault(one["model"], {})
            choose = min if lower_is_better else max
            has_adapter = one["rows"] > 0
            group[has_adapter] = choose(group.get(has_adapter, one["value"]), one["value"])
        return {
            model: f"{probe['measure']}: prompt {group[False]:.3f}, adapter {group[True]:.3f}"
            for model, group in best.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not the result of `advisor probe`: {error}") from None


def _list_lines(compared_bases: tuple[Base, ...], results: dict[str, str]) -> list[dict[str, str]]:
    return [_describe(one, results) for one in compared_bases]


def _describe(one: Base, results: dict[str, str]) -> dict[str, str]:
    def number(value: Any, form: str = ",") -> str:
        return "unknown" if value is None else format(value, form)

    memory = {name: f"{size / 2**30:.1f} GiB" for name, size in one.memory_bytes.items()}
    identifiers = "none" if one.tokens_per_identifier is None else f"{one.tokens_per_identifier:.1f}"
    lines = {
        "kind": one.kind,
        "parameters": number(one.parameters),
        "context, tokens": number(one.context),
        "tokens a word": f"{one.tokens_per_word:.2f}",
        "tokens a row, longest": f"{one.tokens_per_row:.0f}, {one.longest}",
        "rows over the context": f"{one.over_context:.1%}",
        "tokens an identifier": identifiers,
        "most split": ", ".join(one.split_identifiers) or "none",
        "rows with special tokens": str(one.rows_with_special_tokens),
        "template": ("none: plain text" if one.kind == "base" else "; ".join(one.quirks) or "no quirks"),
        "licence": one.licence,
        **_describe_pretraining(one),
        "access": one.access,
        **{f"memory, {name}": size for name, size in memory.items()},
    }
    return lines | ({"measured": results.get(one.name, "not probed")} if results else {})


def _describe_pretraining(one: Base) -> dict[str, str]:
    """Return what the model card says, else what the vendor description of the family."""
    from advisor.domain.pretraining import find_pretraining
    from finetune.study.bases import UNKNOWN

    entry = find_pretraining(one.name)
    if entry is None:
        return {
            "languages": one.languages,
            "newest pre-training data": UNKNOWN,
            "pre-training data": one.data,
            "source, read on": "the model card" if one.data != UNKNOWN else UNKNOWN,
        }
    description = ", ".join(filter(None, (entry.tokens and f"{entry.tokens} tokens", entry.data)))
    return {
        "languages": one.languages if one.languages != UNKNOWN else entry.languages or UNKNOWN,
        "newest pre-training data": entry.cutoff or UNKNOWN,
        "pre-training data": one.data if one.data != UNKNOWN else description or UNKNOWN,
        "source, read on": f"{entry.source}, {entry.read}",
    }
