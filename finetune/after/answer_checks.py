"""Whether an export answers held-out questions as the adapter did: it ends its answers, and is as right.

Both models answer the same questions greedily. Rounding can change a word, so the words may differ. The
number of answers that end, and the metrics of the task, decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from finetune.after import metrics, task
from finetune.after.comparison import compare
from finetune.child_progress import count_rows

if TYPE_CHECKING:
    from finetune.data.dataset import Dataset
    from finetune.spec import RunSpec

State = Literal["passed", "failed", "not checked"]
QUESTIONS = 32
SMALLEST_SHARE = 0.5  # of the answers that the adapter ends, the export must end so many
CLEAR_P = 0.05


@dataclass(frozen=True)
class Check:
    """One check of an export: its name, its state, and one sentence with the figures or the reason."""

    name: str
    state: State
    result: str


@dataclass(frozen=True)
class Answers:
    """The answers of one model to the questions, and for each whether the model ended it."""

    texts: tuple[str, ...]
    ends: tuple[bool, ...]


def select_questions(data: Dataset, tokenizer: Any, spec: RunSpec) -> task.Questions:
    """Return the first held-out questions, with the metrics that can judge their answers."""
    if spec.method.objective != "sft":
        return task.Questions()
    rows = task.read_whole_rows(data, "test", min(QUESTIONS, spec.evaluation.rows))
    questions = task.build_questions(rows, tokenizer, spec.evaluation.max_new_tokens)
    return replace(questions, metrics=metrics.list_metrics(spec.evaluation.metrics, questions.references))


def answer_with(model: Any, tokenizer: Any, questions: task.Questions, name: str) -> Answers:
    """Return the answers of a model of transformers; ``name`` says in the progress whose they are."""
    on_rows = count_rows(f"answers of the {name}", len(questions.prompts))
    ids = task.generate_answers(model, tokenizer, questions, on_rows)
    stops = questions.stop_tokens | task.list_stop_tokens(model)
    return Answers(
        tuple(task.decode(tokenizer, one) for one in ids),
        tuple(not stops.isdisjoint(one[-1:]) for one in ids),
    )


def check_answers(questions: task.Questions, adapter: Answers, export: Answers) -> list[Check]:
    """Compare the answers of the export with those of the adapter."""
    return [_check_ends(adapter, export), *_check_metrics(questions, adapter, export)]


def _check_ends(adapter: Answers, export: Answers) -> Check:
    name, count = "ends of real answers", len(adapter.ends)
    result = f"the export ends {sum(export.ends)} of {count} answers, and the adapter {sum(adapter.ends)}"
    if not count:
        return Check(name, "not checked", "no held-out row has a question and a whole answer")
    if not any(adapter.ends):
        return Check(name, "not checked", f"the adapter itself ends none of {count} answers")
    is_good = sum(export.ends) >= SMALLEST_SHARE * sum(adapter.ends)
    return Check(name, "passed" if is_good else "failed", result)


def _check_metrics(questions: task.Questions, adapter: Answers, export: Answers) -> list[Check]:
    checks = []
    for name in questions.metrics:
        try:
            metric = metrics.load_metric(name)
            before, after = (
                metric(one.texts, questions.references, questions.questions) for one in (adapter, export)
            )
        except metrics.MetricError as error:
            checks.append(Check(name, "not checked", str(error)))
            continue
        comparison = compare(before, after)
        is_worse = comparison.difference < 0 and comparison.p_value < CLEAR_P
        result = (
            f"{after.value:.3f}, and {before.value:.3f} with the adapter, on {len(questions.references)} "
            f"questions (p = {comparison.p_value:.3f}, {comparison.test})"
        )
        checks.append(Check(name, "failed" if is_worse else "passed", result))
    return checks
