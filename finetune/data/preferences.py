"""Read preferences: two answers to one prompt, or an answer with a label.

The forms are those of trl ("preference" and "unpaired preference", with an explicit or an implicit prompt,
as texts or as messages). LLaMA-Factory has columns of the alpaca format or a chat beside the answers, and in
UltraFeedback the answers repeat the prompt. Each form becomes rows for training on answers: the prompt with
the chosen and with the rejected answer, or the row without its label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from finetune.data.turns import RowError, is_empty

PreferenceFormat = Literal["preference", "unpaired-preference"]
PAIR = ("chosen", "rejected")
LABELS = ("label", "kto_tag")
SCORES = ("score_chosen", "score_rejected")
_LAST_SPEAKER = "\n\nAssistant:"  # of the texts of Anthropic's HH-RLHF
_CHATS = ("messages", "conversations")
_QUESTIONS = ("instruction", "question")


def detect_preference(record: Mapping[str, Any]) -> PreferenceFormat | None:
    """Return which kind of preference a record is; None: it is none."""
    if all(record.get(name) is not None for name in PAIR):
        return "preference"
    has_answer = any(
        record.get(name) is not None for name in (*_CHATS, "completion", "output", "answer", "response")
    )
    labels = [record[name] for name in LABELS if record.get(name) is not None]
    return "unpaired-preference" if has_answer and any(_is_label(label) for label in labels) else None


def _is_label(value: object) -> bool:
    return isinstance(value, bool | int | float) and value in (0, 1)


def remove_label(record: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return an unpaired preference without its label, and the label."""
    labels = [bool(record[name]) for name in LABELS if record.get(name) is not None]
    return {name: value for name, value in record.items() if name not in LABELS}, labels[0]


def read_score_gap(record: Mapping[str, Any]) -> float | None:
    """Return how much better the scores of a preference rate its chosen answer; None without two scores."""
    scores = [record.get(name) for name in SCORES]
    numbers = [float(score) for score in scores if isinstance(score, int | float)]
    return numbers[0] - numbers[1] if len(numbers) == len(SCORES) else None


def split_pair(record: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of a preference: the prompt with the chosen, and the prompt with the rejected answer.

    Raises:
        RowError: the answers do not follow the same prompt, or cannot be read.
    """
    answers = record["chosen"], record["rejected"]
    rest = {name: value for name, value in record.items() if name not in (*PAIR, *SCORES)}
    rest = {name: value for name, value in rest.items() if name not in _CHATS or value not in answers}
    if not is_empty(rest.get("prompt")):
        return _add_answers(rest, *_follow_prompt(rest.pop("prompt"), *answers))
    if any(name in rest for name in _CHATS):
        name = next(name for name in _CHATS if name in rest)
        turns = rest.pop(name)
        if not isinstance(turns, list):
            raise RowError(f"has {name} of type {type(turns).__name__}, not a list of turns")
        sides = [_to_turns(answer) for answer in answers]
        return _add_answers(rest, turns, *sides)
    if any(name in rest for name in _QUESTIONS):
        return {**rest, "output": answers[0]}, {**rest, "output": answers[1]}
    return _add_answers(rest, *_find_prompt(*answers))


def _add_answers(
    rest: Mapping[str, Any], prompt: object, chosen: object, rejected: object
) -> tuple[dict[str, Any], dict[str, Any]]:
    common = {**rest, "prompt": prompt}
    return {**common, "completion": chosen}, {**common, "completion": rejected}


def _follow_prompt(prompt: object, chosen: object, rejected: object) -> tuple[object, object, object]:
    """Return an explicit prompt and the two answers without the prompt, all as texts or all as turns."""
    if isinstance(prompt, str) and isinstance(chosen, str) and isinstance(rejected, str):
        return prompt, chosen, rejected
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    if not isinstance(turns, list):
        raise RowError(f"has a prompt of type {type(prompt).__name__}, not text and not a list of messages")
    sides = _to_turns(chosen), _to_turns(rejected)
    if all(_read_role(side[0]) == "assistant" for side in sides):
        return turns, sides[0], sides[1]
    common_prompt, *answers = _find_prompt(*sides)
    if common_prompt != turns and _read_text(common_prompt[-1]) != prompt:
        raise RowError("has another prompt in chosen and rejected than in 'prompt'; delete one of them")
    return common_prompt, answers[0], answers[1]


def _find_prompt(chosen: object, rejected: object) -> tuple[Any, Any, Any]:
    """Return the implicit prompt, which is the common beginning of the two answers, and what follows it."""
    if isinstance(chosen, str) and isinstance(rejected, str):
        return _find_prompt_text(chosen, rejected)
    if not isinstance(chosen, list) or not isinstance(rejected, list):
        raise RowError("chosen and rejected must both be text, or both lists of messages")
    longest = min(len(chosen), len(rejected)) - 1
    length = next((n for n in range(max(0, longest)) if chosen[n] != rejected[n]), max(0, longest))
    if not length:
        raise RowError("has no prompt: chosen and rejected do not begin with the same turn; add a 'prompt'")
    if any(_read_role(side[length]) != "assistant" for side in (chosen, rejected)):
        raise RowError(f"has different prompts: turn {length + 1} of chosen and rejected must be the answer")
    return chosen[:length], chosen[length:], rejected[length:]


def _find_prompt_text(chosen: str, rejected: str) -> tuple[str, str, str]:
    """Return the implicit prompt of two texts: up to the last speaker, or up to a white space."""
    shortest = min(len(chosen), len(rejected))
    length = next((n for n in range(shortest) if chosen[n] != rejected[n]), shortest)
    end = chosen.rfind(_LAST_SPEAKER, 0, length)
    if end >= 0:
        end += len(_LAST_SPEAKER)
    else:
        end = max(chosen.rfind(space, 0, length) for space in " \n\t")
    if end <= 0 or not chosen[:end].strip():
        raise RowError("has no prompt: chosen and rejected do not begin with the same words; add a 'prompt'")
    return chosen[:end], chosen[end:], rejected[end:]


def _to_turns(answer: object) -> list[Any]:
    """Return an answer (text, a turn or a list of turns) as a list of turns."""
    if isinstance(answer, str):
        return [{"role": "assistant", "content": answer}]
    turns = [answer] if isinstance(answer, Mapping) else answer
    if not isinstance(turns, list) or not turns:
        raise RowError(f"has an answer of type {type(answer).__name__}, not text and not a list of messages")
    return turns


def _read_role(turn: object) -> object:
    role = turn.get("role", turn.get("from")) if isinstance(turn, Mapping) else None
    return "assistant" if role in ("gpt", "chatgpt", "bot", "function_call") else role


def _read_text(turn: object) -> object:
    return turn.get("content", turn.get("value")) if isinstance(turn, Mapping) else None
