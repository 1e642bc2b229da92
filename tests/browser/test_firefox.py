"""The page in Firefox: it opens, answers as Python does, and has the behaviour that it has in Chromium.

These tests run where a Firefox is on PATH, for example Debian's: `apt-get install firefox-esr`.
"""

from __future__ import annotations

import random
import re
import zlib
from contextlib import ExitStack, suppress

import pytest
from firefox import NAMES, find_firefox, open_firefox

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend

DARK = {"layout.css.prefers-color-scheme.content-override": 0}
FORCED_COLOURS = {"browser.display.document_color_use": 2}
READY = "document.documentElement.dataset.ready === 'yes'"
LEFT = "\ue012"
DRAW_ALL = """(async () => {
    for (const f of advisor.charts.figures) {
        f.box.scrollIntoView({ behavior: "instant" });
        while (f.dirty && !f.box.hidden) await new Promise((r) => setTimeout(r, 20));
    }
    scrollTo(0, 0);
    return advisor.charts.figures.map((f) => [f.id, !f.chart.traces || f.box.hidden || !!f.place.querySelector("svg.main-svg")]);
})()"""
COUNT_STEPS = """(() => {
    const push = history.pushState;
    window.steps = 0;
    history.pushState = function (...state) { window.steps += 1; return push.apply(this, state); };
})()"""
RANKING = """[...document.querySelectorAll("#ranking-table tbody tr:not([hidden])")].map((row) =>
    [row.querySelector("bdi").title, row.querySelector("[data-cell=score] b").textContent])"""


def slide(selector, value):
    return (
        f"(() => {{ const e = document.querySelector('{selector}'); e.value = {value};"
        " e.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )


def count_pages(pdf):
    """Firefox writes the objects of a PDF into compressed streams."""
    count = 0
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\n?endstream", pdf, re.DOTALL):
        with suppress(zlib.error):  # not compressed
            count += len(re.findall(rb"/Type\s*/Page\b", zlib.decompress(stream)))
    return count


@pytest.fixture(scope="module")
def start_firefox(tmp_path_factory):
    """Return a function that starts a Firefox with preferences."""
    if find_firefox() is None:
        pytest.skip(f"no Firefox on PATH (tried {', '.join(NAMES)})")
    with ExitStack() as browsers:
        yield lambda **preferences: browsers.enter_context(
            open_firefox(tmp_path_factory.mktemp("firefox"), preferences)
        )


@pytest.fixture(scope="module")
def firefox(start_firefox):
    return start_firefox()


@pytest.mark.parametrize("width", [1440, 1024, 768, 390])
def test_the_page_opens_without_message_or_request_at_each_width(firefox, page_file, width):
    firefox.open(page_file.as_uri(), (width, 900))
    firefox.wait_until(READY)
    charts = firefox.evaluate(DRAW_ALL)
    assert len(charts) > 10
    assert all(is_drawn for _, is_drawn in charts), charts
    assert firefox.evaluate("document.documentElement.scrollWidth") <= width
    assert firefox.messages == []
    assert set(firefox.requests) <= {page_file.as_uri()}


@pytest.mark.parametrize("name", ["dark", "forced"])
def test_dark_and_forced_colours_show_every_chart_and_key(start_firefox, page_file, name):
    firefox = start_firefox(**(DARK if name == "dark" else FORCED_COLOURS))
    firefox.open(page_file.as_uri())
    firefox.wait_until(READY)
    query = "(prefers-color-scheme: dark)" if name == "dark" else "(forced-colors: active)"
    assert firefox.evaluate(f"matchMedia('{query}').matches")
    assert all(is_drawn for _, is_drawn in firefox.evaluate(DRAW_ALL))
    ground, *keys = firefox.evaluate(
        "[document.body, ...document.querySelectorAll('#top tr:not([hidden]) .key')].map((e) => getComputedStyle(e).backgroundColor)"
    )
    assert len(keys) == 3 and ground not in keys
    assert firefox.messages == []


def test_sliders_give_the_scores_of_python(firefox, page_file):
    firefox.open(page_file.as_uri())
    firefox.wait_until(READY)
    dice = random.Random(7)
    for _ in range(5):
        names = firefox.evaluate("advisor.data.criteria.map((c) => c.name)")
        for name in dice.sample(names, 2):
            firefox.evaluate(slide(f'[data-weight="{name}"]', dice.randint(0, 100)))
        weights = firefox.evaluate("advisor.view().weights")
        python = recommend(read_request(Request(weights=weights)))
        assert firefox.evaluate(RANKING) == [
            [r.repository, "?" if r.score is None else f"{r.score:.0f}"] for r in python.ranking
        ]
        choice = firefox.evaluate("advisor.view().answer.choice")
        assert (choice, firefox.evaluate("advisor.answer.certainty")) == (python.choice, python.certainty)
    assert firefox.messages == []


def test_the_keyboard_moves_the_day_and_back_undoes(firefox, page_file):
    firefox.open(page_file.as_uri())
    firefox.wait_until(READY)
    before = firefox.evaluate("document.querySelector('#as-of-text').textContent")
    firefox.evaluate(COUNT_STEPS)
    firefox.evaluate("document.querySelector('#day').focus()")
    firefox.press(*[LEFT] * 12)
    assert firefox.evaluate("document.querySelector('#as-of-text').textContent") == "31 July 2025"
    firefox.wait_until("location.hash.includes('as-of=2025-07-31')")
    # A machine with much other work makes pauses between the keys, and each pause is a step of its own.
    steps = firefox.evaluate("window.steps")
    assert 1 <= steps <= 12
    firefox.evaluate(f"history.go(-{steps})")
    firefox.wait_until(f"document.querySelector('#as-of-text').textContent === '{before}'")
    assert firefox.messages == []


def test_the_address_compares_two_candidates(firefox, page_file):
    firefox.open(f"{page_file.as_uri()}#compare=trl,unsloth")
    firefox.wait_until(READY)
    firefox.evaluate(DRAW_ALL)
    names = "advisor.state.compare.map((i) => advisor.data.candidates[i].name)"
    assert firefox.evaluate(names) == ["trl", "unsloth"]
    assert "trl" in firefox.evaluate("document.querySelector('#figure-compare h3').textContent")
    assert firefox.messages == []


def test_a_print_at_once_equals_a_later_one(firefox, page_file):
    pages = []
    for is_later in (False, True):
        firefox.open("about:blank")
        firefox.open(page_file.as_uri())
        if is_later:
            firefox.wait_until(READY)
            firefox.evaluate(DRAW_ALL)
        pages.append(count_pages(firefox.print()))
        assert firefox.evaluate("advisor.charts.figures.filter((f) => f.chart.traces && !f.place.querySelector('svg.main-svg')).length") == 0  # fmt: skip
        assert firefox.messages == []
    assert pages[0] == pages[1] > 10
