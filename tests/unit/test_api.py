"""The Python interface: any argument gives an answer or an InputError, and an answer shows itself."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import advisor
from advisor.errors import AdvisorError, InputError

DAY = date(2025, 6, 5)
PARAMETERS = (
    "domain", "repositories", "goal", "as_of", "weights", "rules", "store", "requirements", "category",
)  # fmt: skip


class Hostile:
    """An object without a text."""

    def __repr__(self):
        raise RuntimeError("no text")


JUNK = [
    0, -1, 2.5, True, float("nan"), 10**400, Decimal(1), b"trl", "", " ", "\0", "a\0.toml", "x" * 5000, "\ud800",
    [], [None], [[]], ["trl", 1], [""], {}, {"models": "5"}, {"models": None}, {1: 1}, {"models": float("nan")},
    {"models": 10**400}, {"models": 1j}, set(), object(), len, date, Path("/"), Path("nowhere.toml"), pd.NaT,
    np.array([1, 2]), pd.Series([1]), Hostile(), "31-12-2025", "2025-13-01", (), advisor.Requirements,
]  # fmt: skip


@pytest.fixture(scope="module")
def answer():
    return advisor.recommend()


@pytest.mark.parametrize("name", PARAMETERS)
def test_any_value_of_an_argument_is_used_or_refused_in_a_sentence(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    refused = 0
    for value in JUNK:
        try:
            advisor.recommend(**{name: value})
        except AdvisorError as error:
            refused += 1
            is_store = name == "store" and isinstance(error, advisor.FactsError)
            assert (error.exit_code == 2 or is_store) and str(error) and "\n" not in str(error), (
                value,
                error,
            )
    assert refused > 25


@pytest.mark.parametrize("value", [
    "2025-06-05", datetime(2025, 6, 5, 23, 59),  # noqa: DTZ001 - a user may write it
    pd.Timestamp("2025-06-05 12:00"), "2025-06-05T10:00:00Z",
    datetime(2025, 6, 4, 22, tzinfo=timezone(timedelta(hours=-5))), datetime(2025, 6, 5, tzinfo=UTC),
])  # fmt: skip
def test_a_day_may_be_a_text_or_a_time(value):
    assert advisor.recommend(as_of=value).as_of == DAY


def test_a_name_a_path_and_the_bundled_store(answer, tmp_path):
    assert [r.candidate.name for r in advisor.rank(repositories="trl")] == ["trl"]
    assert advisor.recommend(repositories=(n for n in ("trl", "axolotl"))) == advisor.recommend(
        repositories=["trl", "axolotl"]
    )
    assert advisor.recommend(store="bundled") == advisor.recommend(Path("finetuning")) == answer
    domain = tmp_path / "mine.toml"
    domain.write_text(
        'extends = "finetuning"\ntitle = "Mine"\nquestion = "Which?"\ndefault_goal = "one"\n'
        '[goals.one]\ntitle = "issues"\nweights = { issues = 1 }\n'
    )
    assert advisor.recommend(domain).goal == "one"
    assert advisor.recommend(weights={"issues": np.float32(50)}).weights["issues"] > answer.weights["issues"]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: advisor.Requirements(gpus="2"), "invalid gpus '2': expected a number"),
    (lambda: advisor.Requirements(gpu_memory_gib=float("nan")), "invalid gpu memory nan"),
    (lambda: advisor.Requirements(model=5), "invalid model 5: expected a text"),
    (lambda: advisor.Requirements(method=[]), "invalid method []"),
    (lambda: advisor.Requirements(avoid=5), "invalid avoid 5: expected kinds of backer"),
    (lambda: advisor.Requirements(prefer=[None]), "invalid prefer None: expected kinds of backer"),
    (lambda: advisor.recommend(as_of="soon"), "invalid as_of 'soon': expected a date"),
    (lambda: advisor.recommend(weights=[5]), "invalid weights [5]: expected a mapping"),
    (lambda: advisor.recommend().explain("flask"), "unknown candidate 'flask'"),
    (lambda: advisor.recommend().explain(3), "invalid name 3"),
    (lambda: advisor.recommend().compare("trl", "trl"), "huggingface/trl is named 2 times"),
])  # fmt: skip
def test_a_wrong_argument_is_named(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)


def test_today_and_capitals_mean_the_same_as_on_the_command_line(answer):
    own = advisor.recommend(as_of="Today", weights={"Activity": 2, "issues": 1})
    assert own.as_of == answer.as_of and own.weights["activity"] == 2 * own.weights["issues"]
    with pytest.raises(InputError, match="invalid weights"):
        advisor.recommend(weights={"Activity": 2, "activity": 1})


def test_a_requirement_of_one_kind_may_be_a_text():
    assert advisor.Requirements(avoid="listed-company") == advisor.Requirements(avoid=("listed-company",))


def test_a_repr_fits_a_line(answer):
    assert repr(answer) == (
        "<Recommendation finetuning, goal balanced, as of 2026-07-24: unslothai/unsloth (clear), 5 candidates>"
    )
    for value in (answer, *answer.ranking, answer.explain("trl"), answer.compare("trl", "unsloth")):
        assert len(repr(value)) < 300 and "\n" not in repr(value)
    assert "excluded" in repr(next(r for r in answer.ranking if r.excluded))
    one = dataclasses.replace(answer, ranking=answer.ranking[:1])
    assert repr(one).endswith("(clear), 1 candidate>")
    nothing = dataclasses.replace(
        answer, choice=None, ranking=(dataclasses.replace(answer.ranking[0], score=None),)
    )
    assert "no suitable candidate" in repr(nothing) and "no score" in repr(nothing.ranking[0])


def test_the_text_of_an_answer_is_the_report_of_the_command(answer):
    def command(*args):
        words = [sys.executable, "-m", "advisor", *args, "--store", "bundled"]
        return subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=True).stdout

    assert str(answer) == command("rank")
    assert str(answer.explain("Axolotl")) == command("explain", "axolotl")
    assert str(answer.compare("trl", "unsloth")) == command("compare", "trl", "unsloth")
    assert answer.compare("trl", "unsloth")._repr_markdown_() == command(
        "compare", "trl", "unsloth", "--format", "markdown"
    )
    assert answer.explain("trl")._repr_markdown_().startswith("# huggingface/trl\n")


def test_an_answer_about_any_libraries_explains_and_compares_them():
    answer = advisor.recommend(repositories=["flask", "bottle"], domain="libraries")
    assert "pallets/flask" in str(answer.explain("pallets/flask"))
    assert answer.compare("flask", "bottle").second.repository == "bottlepy/bottle"


class Tags(HTMLParser):
    """The tags and the text of an HTML fragment."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.attributes = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data.strip())


def test_the_card_has_the_choice_and_no_more_than_five_rows(answer):
    card = Tags(answer._repr_html_())
    assert set(card.tags) <= {"div", "b", "ul", "li", "table", "tr", "td", "th"}
    assert {name for name, _ in card.attributes} <= {"style", "colspan"}
    assert "unslothai/unsloth" in card.texts and set(answer.reasons + answer.doubts) <= set(card.texts)
    assert card.tags.count("tr") == 1 + 5
    six = dataclasses.replace(
        answer, ranking=(*answer.ranking, answer.ranking[0]), missing={"a/b": "no facts"}
    )
    texts = Tags(six._repr_html_()).texts
    assert "and 1 more: print the answer, or to_frame()" in texts and "not ranked: a/b" in texts


def test_the_card_shows_hostile_text_as_text(answer):
    evil = '<img src=x onerror="alert(1)">'
    candidate = dataclasses.replace(answer.ranking[0].candidate, name=evil)
    hostile = dataclasses.replace(
        answer, choice=evil, reasons=(evil,), domain=evil, missing={evil: ""},
        ranking=(dataclasses.replace(answer.ranking[0], candidate=candidate),),
    )  # fmt: skip
    card = Tags(hostile._repr_html_())
    assert "img" not in card.tags and card.texts.count(evil) == 3


def test_the_figure_shows_scores_with_their_bounds(answer):
    (bars,) = answer.plot().data
    assert list(bars.y) == [r.candidate.name for r in answer.ranking]
    for row, score, up, down in zip(
        answer.ranking, bars.x, bars.error_x.array, bars.error_x.arrayminus, strict=True
    ):
        assert (score, score + up, score - down) == pytest.approx((row.score, row.high, row.low))
    assert [t == "excluded" for t in bars.text] == [r.excluded for r in answer.ranking]


def test_without_plotly_the_message_names_the_extra(answer, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(InputError, match=r"pip install 'library-advisor\[plot\]'"):
        answer.plot()


def test_an_answer_is_a_value(answer):
    assert pickle.loads(pickle.dumps(answer)) == answer == advisor.recommend()
    assert "request" not in dataclasses.asdict(answer)
    changed = dataclasses.replace(answer, doubts=())
    trl = next(r for r in answer.ranking if r.candidate.name == "trl")
    assert changed != answer and changed.explain("trl").ranked == trl
    bare = advisor.Recommendation(**{f.name: getattr(answer, f.name) for f in dataclasses.fields(answer)})
    assert bare == answer
    with pytest.raises(InputError, match=r"use one that advisor\.recommend returned"):
        bare.explain("trl")
