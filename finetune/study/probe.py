"""Probe a task before the real training: prompts against short trainings, on the same held-out rows.

    FOLDER/held-out.jsonl, rows-10.jsonl, …    the split; a smaller file is a part of a larger one
    FOLDER/MODEL/rows-10/ …                    a run on each file
    FOLDER/MODEL/answers.json                  what prompts and adapters answered
    FOLDER/probe.json                          the result

All trainings of a probe have the same number of steps, so the rows are the only difference between them.
"""

from __future__ import annotations

import json
import math
import random
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune import isolation, record, run
from finetune.after import metrics
from finetune.after.comparison import Scores, divide, find_interval
from finetune.callbacks import RunCallbacks
from finetune.data.dataset import choose_held_out_rows
from finetune.data.files import read_records
from finetune.data.rows import Row, parse_record
from finetune.data.template import load_tokenizer
from finetune.errors import DataError, TrainingError, TrainingInterruption
from finetune.machine import cuda_variables
from finetune.sections import Data
from finetune.spec import ComposedSpec, RunSpec, override_fields
from finetune.study.earlier import read_earlier_run
from finetune.study.prompting import EARLIER_FILE
from finetune.study.verdict import FEW_ROWS, Contestant, Verdict, judge
from finetune.weights import base

SHARES = (10, 30, 100)  # percent of the rows
EXAMPLES = 5
LOSS = "loss of the answers"
_FEWEST_TRAINING_ROWS = 10
_LONGER = (
    "before you collect rows or give up, try longer trainings with --set training.steps=N and another -o"
)


@dataclass(frozen=True)
class Result:
    """One line of a probe.

    Attributes:
        model, name, rows: as in `verdict.Contestant`.
        value, low, high: the measure with its 95 % interval.
        loss: mean -log p of a token of the answers.
        seconds: seconds of the training, or of an answer to a prompt.
        peak_bytes: peak memory of the training, or of the answers to prompts.
        sample: an answer to the first question.
    """

    model: str
    name: str
    rows: int
    value: float
    low: float
    high: float
    loss: float
    seconds: float
    peak_bytes: int
    sample: str


@dataclass(frozen=True)
class Probe:
    """A whole probe.

    Attributes:
        measure: name of the metric, or `LOSS`.
        held_out_rows: how many rows all bases answered.
        steps: how many steps each training had.
        results: a line for each contestant.
        question, reference: of the samples.
        verdict: is it worth it?
        cautions: what the verdict does not say.
    """

    measure: str
    held_out_rows: int
    steps: int
    results: tuple[Result, ...]
    question: str
    reference: str
    verdict: Verdict
    cautions: tuple[str, ...]


def run_probe(specs: Sequence[ComposedSpec], folder: Path, callbacks: RunCallbacks) -> Probe:
    """Probe one spec for each base model; write and return the result.

    Args:
        specs: the job, once with each base.
        folder: folder of the probe; what is finished there does not run again.
        callbacks: called with stages and events.

    Raises:
        InputError: the data or a model cannot be used.
        TrainingError: a training or the judging failed.
        TrainingInterruption: the user stopped it; what is finished stays.
    """
    try:
        return _run_probe(specs, folder, callbacks)
    except (TrainingInterruption, KeyboardInterrupt):
        raise TrainingInterruption(
            f"stopped; run the same command with -o {shlex.quote(str(folder))} to resume the probe"
        ) from None


def _run_probe(specs: Sequence[ComposedSpec], folder: Path, callbacks: RunCallbacks) -> Probe:
    files = split_rows(specs[0].spec, folder)
    all_answers: dict[str, dict[str, Any]] = {}
    trainings: dict[tuple[str, str], tuple[int, Path]] = {}
    for composed_spec in specs:
        name = base.public_name(composed_spec.spec.model.base)
        home = folder / re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")
        job_spec, runs = _train_curve(composed_spec, files, home, callbacks)
        callbacks.on_stage(f"{name}: answer the held-out questions with prompts and adapters")
        adapters = {key: path for key, (_, path) in runs.items()}
        all_answers[name] = _judge_base(job_spec, files, home, adapters, callbacks)
        trainings |= {(name, key): value for key, value in runs.items()}
    probe = _summarise(all_answers, trainings, specs[0].spec.evaluation.metrics)
    record.write_text(folder / "probe.json", json.dumps(_to_json(probe), indent=1, ensure_ascii=False) + "\n")
    return probe


def _to_json(probe: Probe) -> dict[str, Any]:
    return {**asdict(probe), "rule": (sys.modules[Verdict.__module__].__doc__ or "").strip()}


def split_rows(spec: RunSpec, folder: Path) -> dict[int | str, Path]:
    """Write the held-out rows and the shares of the training rows; return their files by share.

    Raises:
        DataError: there are too few rows with a question and an answer.
    """
    data = spec.data
    train = _read_pairs(data.train, data)
    if data.evaluation is not None:
        held_out = _read_pairs(data.evaluation, data)
    else:
        places = choose_held_out_rows((row for row, _ in train), data.evaluation_share, spec.training.seed)
        held_out = [pair for pair in train if pair[0].place in places]
        train = [pair for pair in train if pair[0].place not in places]
    if len(train) < _FEWEST_TRAINING_ROWS or not held_out:
        raise DataError(
            f"a probe needs at least {_FEWEST_TRAINING_ROWS} rows with a question and an answer to train on, "
            f"and some to hold out; {data.train} gives {len(train)} and {len(held_out)}"
        )
    random.Random(spec.training.seed).shuffle(train)  # noqa: S311 - a sample, not a secret
    groups: dict[int | str, list[tuple[Row, Any]]] = {"held-out": held_out[: spec.evaluation.rows]}
    groups |= {share: train[: max(2, math.ceil(len(train) * share / 100))] for share in SHARES}
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)  # for the user alone, as the folder of a run
    files = {}
    for key, pairs in groups.items():
        files[key] = folder / (f"rows-{key}.jsonl" if isinstance(key, int) else f"{key}.jsonl")
        lines = [json.dumps(raw, ensure_ascii=False, default=str) + "\n" for _, raw in pairs]
        record.write_text(files[key], "".join(lines))
    return files


def _read_pairs(source: str, data: Data) -> list[tuple[Row, Any]]:
    """Return the rows with a question and an answer, parsed and raw."""
    pairs = []
    for place, raw in read_records(source):
        row = parse_record(place, raw, data.format, data.ignored_columns)
        if isinstance(row, Row) and row.format != "text":
            pairs.append((row, raw))
    return pairs


def choose_template(spec: RunSpec) -> str:
    """Return the chat template for a base: its own, or alpaca's plain text if it has none."""
    if spec.data.template != "auto":
        return spec.data.template
    model = spec.model
    tokenizer = load_tokenizer(model.base, model.revision, trust_remote_code=model.trust_remote_code)
    return "auto" if tokenizer.chat_template else "alpaca"


def _train_curve(
    composed_spec: ComposedSpec, files: Mapping[int | str, Path], home: Path, callbacks: RunCallbacks
) -> tuple[RunSpec, dict[str, tuple[int, Path]]]:
    """Train on each share; return the resolved spec, and by name the rows and the folder of each run."""
    template = choose_template(composed_spec.spec)
    runs: dict[str, tuple[int, Path]] = {}
    spec = composed_spec.spec
    for share in SHARES:
        folder = home / f"rows-{share}"
        values = {
            "data.train": str(files[share]),
            "data.evaluation": str(files["held-out"]),
            "data.template": template,
            "evaluation.rows": 0,
            "output": str(folder),
        }
        callbacks.on_stage(f"{home.name}: train on {share} % of the rows")
        _train_or_keep(override_fields(composed_spec, "probe", values), folder, callbacks)
        spec = record.read_spec(folder, record.read_record(folder))
        rows = int(record.read_record(folder).data["train_rows"])
        runs[f"{spec.method.name}, {rows} rows"] = (rows, folder)
    evaluation = replace_rows(spec, composed_spec.spec.evaluation.rows)
    return evaluation, runs


def replace_rows(spec: RunSpec, rows: int) -> RunSpec:
    """Return the spec with another number of held-out rows."""
    return spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"rows": rows})})


def _train_or_keep(composed_spec: ComposedSpec, folder: Path, callbacks: RunCallbacks) -> None:
    """Train, or go on with the run with these settings that is here, unless it is finished."""
    earlier_run = read_earlier_run(folder, composed_spec.spec)
    if earlier_run is not None:
        if earlier_run.current_state != "finished":
            run.resume_run(folder, callbacks)
        return
    run.start_run(composed_spec, callbacks=callbacks)


def _judge_base(
    spec: RunSpec,
    files: Mapping[int | str, Path],
    home: Path,
    adapters: Mapping[str, Path],
    callbacks: RunCallbacks,
) -> dict[str, Any]:
    """Let prompts and adapters of one base answer, in a process of its own."""
    job = {
        "spec": spec.model_dump(mode="json"),
        "train": str(files[100]),
        "held_out": str(files["held-out"]),
        "examples": EXAMPLES,
        "adapters": {name: str(folder / "adapter") for name, folder in adapters.items()},
    }
    path = home / "answers.json"
    text = json.dumps(job, indent=1)
    job_file = home / "job.json"
    is_same_job = job_file.is_file() and job_file.read_text("utf-8") == text
    if path.is_file() and is_same_job:
        return dict(json.loads(path.read_text("utf-8")))
    if not is_same_job:
        for old_file in (path, home / EARLIER_FILE):
            old_file.unlink(missing_ok=True)
        record.write_text(job_file, text)
    variables = cuda_variables.build_variables(1) if spec.devices.kind == "cuda" else {}
    command = [sys.executable, "-m", "finetune.study.prompting", str(home)]
    process = isolation.run_program(command, {**isolation.OFFLINE, **variables}, callbacks.on_progress)
    if process.returncode:
        last_line = (process.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise TrainingError(f"judging {home.name} failed with exit code {process.returncode}: {last_line}")
    return dict(json.loads(path.read_text("utf-8")))


def _summarise(
    all_answers: Mapping[str, Mapping[str, Any]],
    trainings: Mapping[tuple[str, str], tuple[int, Path]],
    names: Sequence[str],
) -> Probe:
    # A row can be too long for one tokenizer: only the rows that all bases answered count.
    places = set.intersection(*(set(answers["places"]) for answers in all_answers.values()))
    if not places:
        raise DataError("no held-out row is short enough for all bases; set a larger data.max_length")
    all_answers = {model: _select(answers, places) for model, answers in all_answers.items()}
    first = next(iter(all_answers.values()))
    chosen_names = metrics.list_metrics(names, first["references"])
    measure = chosen_names[0] if chosen_names else LOSS
    score = build_scorer(measure)
    contestants, results = [], []
    for model, answers in all_answers.items():
        for name, one in answers["contestants"].items():
            count, folder = trainings.get((model, name), (0, None))
            scores = score(one, answers)
            contestants.append(Contestant(model, name, count, scores))
            seconds, peak = _read_costs(folder) if folder else (one["seconds"], one["peak_bytes"])
            low, high = find_interval(scores)
            loss, sample = _score_loss(one).value, one["answers"][0] or ""
            results.append(Result(model, name, count, scores.value, low, high, loss, seconds, peak, sample))
    verdict = judge(contestants, measure=measure, is_loss=measure == LOSS)
    attempts = [one for _, folder in trainings.values() for one in record.read_record(folder).attempts]
    steps = max(one.to_step for one in attempts)
    cautions = _list_cautions(measure, results, len(places))
    if verdict.answer != "worth it":
        cautions = (*cautions, f"{steps} steps may be too few: {_LONGER}")
    samples = first["questions"][0], first["references"][0]
    return Probe(measure, len(places), steps, tuple(results), *samples, verdict, cautions)


def _list_cautions(measure: str, results: Sequence[Result], rows: int) -> tuple[str, ...]:
    """Return what the verdict does not say."""
    cautions = []
    if measure == LOSS:
        cautions.append(
            "no built-in metric suits these answers, so the verdict compares their loss. A lower loss can be "
            "the style of the rows alone, without one more right answer. To judge what you need, use --metric"
        )
    elif not any(result.value for result in results):
        cautions.append(
            "no answer was right, so the probe says little: use a larger model, or longer trainings"
        )
    if rows < FEW_ROWS:
        cautions.append(f"only {rows} rows are held out, so only large differences can be seen")
    cautions.append(
        "one seed and one setting: a full training with other settings can be better, and another seed a "
        "little better or worse"
    )
    return tuple(cautions)


def _select(answers: Mapping[str, Any], places: set[int]) -> dict[str, Any]:
    """Return the answers to the rows with these places only."""
    numbers = [number for number, place in enumerate(answers["places"]) if place in places]

    def pick(values: Sequence[Any]) -> list[Any]:
        return [values[number] for number in numbers]

    contestants = {
        name: {**one, "answers": pick(one["answers"]), "losses": pick(one["losses"])}
        for name, one in answers["contestants"].items()
    }
    columns = {name: pick(answers[name]) for name in ("questions", "references")}
    return {**columns, "contestants": contestants}


def build_scorer(measure: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Scores]:
    """Return the function from a contestant and the rows to its scores.

    Raises:
        TrainingError: a metric of the user fails.
    """
    if measure == LOSS:
        return lambda one, _: _score_loss(one)

    def score(one: Mapping[str, Any], answers: Mapping[str, Any]) -> Scores:
        try:
            return metrics.load_metric(measure)(one["answers"], answers["references"], answers["questions"])
        except metrics.MetricError as error:
            raise TrainingError(str(error)) from None

    return score


def _score_loss(one: Mapping[str, Any]) -> Scores:
    return Scores(np.array(one["losses"], float), lambda sums: divide(sums[..., 0], sums[..., 1]))


def _read_costs(folder: Path) -> tuple[float, int]:
    run_record = record.read_record(folder)
    seconds = sum(one.seconds for one in run_record.attempts)
    return round(seconds, 2), int(run_record.memory_bytes.get("measured_peak", 0))
