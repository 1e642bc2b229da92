"""How well a model tells better answers from worse ones: loss, accuracy and margin on held-out preferences.

The reward of an answer is ``beta`` times (its log-probability minus that of the reference, the base model).
ORPO has no reference: there it is ``beta`` times the mean log-probability of its tokens.

DPO (arXiv 2305.18290): the loss is the mean of -log sigmoid(margin) over the pairs; the margin is the reward
of the chosen minus that of the rejected answer. KTO (arXiv 2402.01306): the loss is the mean of 1 -
sigmoid(reward - z) over the desirable answers and of 1 - sigmoid(z - reward) over the others; z is ``beta``
times the mean log-ratio of answers to other prompts, and 0 at least. A model that equals its reference has
the loss log 2 (DPO) or 0.5 (KTO), and the margin 0.

ORPO (arXiv 2403.07691): the loss has two parts. One is the mean of -log p over the tokens of the prompts and
their chosen answers. The other is ``beta`` times the mean of -log sigmoid(the log odds of the chosen answer
minus those of the rejected one). The p of an answer is the geometric mean over its tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from finetune.data.encoded_row import EncodedRow
from finetune.runners.emit import count_trained_labels
from finetune.sections import Method

Figures = dict[str, float]


def list_sequences(rows: Sequence[EncodedRow], objective: str) -> list[EncodedRow]:
    """Return what a model must read to judge the rows of an objective.

    Returns:
        For ``sft`` the rows, for ``dpo`` the chosen and the rejected side of each row, for ``orpo`` also the
        chosen sides with all tokens trained, and for ``kto`` the rows and then each prompt with the answer of
        the row before it.
    """
    if objective == "kto":
        return [*rows, *(_join(row, rows[n - 1]) for n, row in enumerate(rows))]
    sides = [side for row in rows for side in row.sides]
    whole_rows = [replace(row, labels=row.input_ids, rejected=None) for row in rows]
    return [*sides, *whole_rows] if objective == "orpo" else sides


def _join(row: EncodedRow, other: EncodedRow) -> EncodedRow:
    end, start = row.answer_start, other.answer_start
    ids, labels = row.input_ids[:end] + other.input_ids[start:], row.labels[:end] + other.labels[start:]
    return replace(row, input_ids=ids, labels=labels)


def compare_models(
    rows: Sequence[EncodedRow], method: Method, log_probabilities: Mapping[str, Sequence[float]]
) -> tuple[dict[str, float], dict[str, Figures]]:
    """Return the losses and the other figures of each model that has its reference beside it (ORPO has none).

    Args:
        rows: the held-out preferences.
        method: objective and beta.
        log_probabilities: name of the model (``base``, ``adapter``, the same with ``_quantised``) → the
            log-probability of each of `list_sequences`.

    Returns:
        Name → loss; name → ``accuracy``, ``margin``, ``chosen_reward`` and ``rejected_reward`` (for ``orpo``
        also of ``base``), and for ``dpo`` ``likelier_chosen`` (the share of pairs whose chosen answer is the
        likelier one; also of ``base``).
    """
    losses: dict[str, float] = {}
    figures: dict[str, Figures] = {}
    labels = [bool(row.is_desirable) for row in rows]
    for name, values in log_probabilities.items():
        if rows and method.objective == "orpo":
            losses[name], figures[name] = _judge_odds(rows, method.beta, values)
            continue
        reference = log_probabilities.get(name.replace("adapter", "base"))
        if reference is None or not rows:
            continue
        rewards = [method.beta * (own - other) for own, other in zip(values, reference, strict=True)]
        losses[name], own_figures = (
            _judge_pairs(rewards) if method.objective == "dpo" else _judge_labels(labels, rewards)
        )
        figures[name] = {} if name.startswith("base") else own_figures
        if method.objective == "dpo":
            figures[name]["likelier_chosen"] = _share(a > b for a, b in _pair(values))
    return losses, {name: values for name, values in figures.items() if values}


def _judge_pairs(rewards: Sequence[float]) -> tuple[float, Figures]:
    margins = [chosen - rejected for chosen, rejected in _pair(rewards)]
    return _mean([_log1p_exp(-margin) for margin in margins]), _describe_rewards(rewards)


def _judge_odds(rows: Sequence[EncodedRow], beta: float, values: Sequence[float]) -> tuple[float, Figures]:
    """Return loss and figures of ORPO from the log-probabilities of `list_sequences`."""
    sides = [side for row in rows for side in row.sides]
    means = [value / count_trained_labels(side.labels) for value, side in zip(values, sides, strict=False)]
    ratios = [_log_odds(chosen) - _log_odds(rejected) for chosen, rejected in _pair(means)]
    tokens = sum(len(row.input_ids) - 1 for row in rows)  # no token comes before the first one
    chosen_loss = -math.fsum(values[len(sides) :]) / tokens
    loss = chosen_loss + beta * _mean([_log1p_exp(-ratio) for ratio in ratios])
    return loss, _describe_rewards([beta * value for value in means])


def _log_odds(log_probability: float) -> float:
    """Return log(p / (1 - p)) of a p below 1."""
    return log_probability - math.log(-math.expm1(min(log_probability, -1e-12)))


def _describe_rewards(rewards: Sequence[float]) -> Figures:
    pairs = _pair(rewards)
    margins = [chosen - rejected for chosen, rejected in pairs]
    return {
        "accuracy": _share(margin > 0 for margin in margins),
        "margin": _mean(margins),
        "chosen_reward": _mean([chosen for chosen, _ in pairs]),
        "rejected_reward": _mean([rejected for _, rejected in pairs]),
    }


def _judge_labels(labels: Sequence[bool], rewards: Sequence[float]) -> tuple[float, Figures]:
    zero_point = max(0.0, _mean(rewards[len(labels) :]))
    rewards = rewards[: len(labels)]
    signs = [1 if label else -1 for label in labels]
    loss = _mean(
        [_sigmoid(sign * (zero_point - reward)) for sign, reward in zip(signs, rewards, strict=True)]
    )
    desirable = [reward for reward, label in zip(rewards, labels, strict=True) if label]
    undesirable = [reward for reward, label in zip(rewards, labels, strict=True) if not label]
    if not desirable or not undesirable:
        return loss, {}
    return loss, {
        "accuracy": _share(a > b for a in desirable for b in undesirable),
        "margin": _mean(desirable) - _mean(undesirable),
        "chosen_reward": _mean(desirable),
        "rejected_reward": _mean(undesirable),
    }


def _pair(values: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(values[::2], values[1::2], strict=True))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _share(facts: Iterable[bool]) -> float:
    return _mean([float(fact) for fact in facts])


def _sigmoid(value: float) -> float:
    return math.exp(-_log1p_exp(-value))


def _log1p_exp(value: float) -> float:
    """Return log(1 + exp(value)) without overflow."""
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
