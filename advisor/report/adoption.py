"""What advice was worth to a project, as text or JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import assert_never

from advisor.answers.adoption import Adoption, Answer, Replay
from advisor.report.formats import AdoptionFormat, Format
from advisor.report.json import write_json
from advisor.report.values import chance

_CERTAINTIES = {
    "clear": "clear", "leaning": "leaning", "tie": "a tie", "only": "no other candidate", "none": "no choice",
}  # fmt: skip


def render(replay: Replay, output_format: AdoptionFormat) -> str:
    """Return the replay in a format."""
    match output_format:
        case Format.table:
            return _text(replay)
        case Format.json:
            return write_json("adoption", asdict(replay))
        case _:
            assert_never(output_format)


def _text(replay: Replay) -> str:
    count = len(replay.adoptions)
    lines = [
        f"{replay.project}: its history took in {_count(count, 'library', 'libraries')} of our domains,",
        f"and {_count(replay.others, 'other package', 'other packages')}, of which no advice is kept.",
    ]
    if replay.unreadable:
        versions = _count(replay.unreadable, "version", "versions")
        lines.append(
            f"{versions} of its dependency files could not be read; the version before counts there."
        )
    for adoption in replay.adoptions:
        lines += ["", *_adoption_lines(adoption)]
    return "\n".join(lines) + "\n"


def _adoption_lines(adoption: Adoption) -> list[str]:
    use, name = adoption.use, adoption.repository.rpartition("/")[2]
    end = f"until {use.last_day}" if use.last_day else "still there"
    lines = [f"{use.dependency.name}: {use.first_day}, {end} ({use.file}, commit {use.commit[:10]})"]
    if adoption.advice is None:
        lines.append(f"  advice of that day: none: {adoption.gap}")
    else:
        lines += _answer_lines("advice of that day", name, adoption.advice)
    return lines + _answer_lines(f"as of {adoption.today.day}", name, adoption.today)


def _answer_lines(when: str, name: str, answer: Answer) -> list[str]:
    choice = answer.choice.rpartition("/")[2] if answer.choice else "nothing suitable"
    place = f"rank {answer.rank} of {answer.ranked}" if answer.rank else "no rank"
    score = "" if answer.score is None else f", {answer.score:.0f} of 100"
    outlook = ""
    if answer.chance_of_abandonment is not None:
        outlook = f", abandoned within 24 months: {chance(answer.chance_of_abandonment)}"
    lines = [f"  {when}: {choice} ({_CERTAINTIES[answer.certainty]}); {name}: {place}{score}{outlook}"]
    return lines + [f"    - {doubt}" for doubt in answer.doubts]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
