"""An address that asks for what the page does not have: the page shows the nearest thing and says so."""

from __future__ import annotations

import pytest

SHOWN = "() => ({ day: advisor.data.days[advisor.state.day], goal: advisor.state.goal, size: advisor.state.selection.size })"


def gaps_of(report):
    return report.text("#gaps") if report.page.is_visible("#gaps") else ""


def test_a_day_between_two_months_shows_the_earlier_one_and_says_so(open_page, page_file):
    report = open_page(page_file, "#as-of=2026-06-05")
    assert report.page.evaluate(SHOWN)["day"] == "2026-05-31"
    assert "5 June 2026" in gaps_of(report) and "The page shows 31 May 2026" in gaps_of(report)
    assert "31 May 2026" in report.text("header .context")
    report.slide("#day", 3)
    assert gaps_of(report) == ""


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("#as-of=1999-01-01", "1 January 1999"),
        ("#as-of=2026-02-31", "the date “2026-02-31”"),
        ("#as-of=soon", "the date “soon”"),
        ("#goal=fame", "the goal “fame”"),
        ("#w=contributors:1,fame:2", "the weights of “fame”"),
        ("#w=contributors:-1", "its weights"),
        ("#only=trl,nobody/nothing", "facts about “nobody/nothing”"),
        ("#compare=trl,nobody", "the comparison “trl,nobody”"),
        ("#goal=<b>bold</b>", "the goal “<b>bold</b>”"),
    ],
)
def test_the_page_says_what_it_does_not_have(open_page, page_file, address, word):
    report = open_page(page_file, address)
    assert word in gaps_of(report)
    assert report.messages == []


@pytest.mark.parametrize(
    "address",
    ["", "#as-of=", "#as-of=2026-05-31", "#goal=independence", "#w=contributors:1e308,issues:1e308", "#compare=trl,unsloth", "#ranking"],
)  # fmt: skip
def test_an_address_of_the_page_has_no_gaps(open_page, page_file, address):
    assert gaps_of(open_page(page_file, address)) == ""


def test_one_candidate_wins_nothing(open_page, page_file):
    report = open_page(page_file, "#only=trl")
    assert report.text("#headline") == "No comparison, only"
    for selector in ("#ranking-table", "#top"):
        assert report.text(f"{selector} tbody tr:not([hidden]) [data-cell=wins]") == ""


def test_the_button_of_the_ranking_stands_below_its_table(open_page, page_file):
    report = open_page(page_file)
    table, button = (report.page.locator(s).bounding_box() for s in ("#ranking-table", "#ranking button.csv"))
    assert 0 < button["y"] - table["y"] - table["height"] < 100
