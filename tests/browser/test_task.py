"""The user's own task in five libraries, on the page: side by side, to copy, on a phone, on paper."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import tiny_model

from finetune.stacks import STACKS

# Text that would be markup, were it not escaped.
HOSTILE = "</pre><script>alert(1)</script>"


@pytest.fixture(scope="session")
def planned(tmp_path_factory):
    """A run file, its page, and what the terminal says to the same task."""
    folder = tmp_path_factory.mktemp("task")
    base = tiny_model.model(folder / "tiny")
    data = tiny_model.write(folder / "sums.jsonl", tiny_model.sums())
    run = folder / "run.toml"
    run.write_text(
        f"[model]\nbase = {json.dumps(str(base))}\nrevision = {json.dumps(HOSTILE)}\n"
        f"[data]\ntrain = {json.dumps(str(data))}\nmax_length = 64\n"
        '[training]\nsteps = 5\ndtype = "bfloat16"\n[devices]\nkind = "cpu"\n'
    )

    def advisor(*words):
        done = subprocess.run([sys.executable, "-m", "advisor", *words], capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    page = folder / "report.html"
    advisor("dashboard", "--store", "bundled", "--months", "3", "--plan", str(run), "-o", str(page))
    return run, page, advisor("plan", "--native", "--all-stacks", "--spec", str(run))


def columns(opened):
    return opened.page.eval_on_selector_all(
        "#task article",
        "(all) => all.map((a) => ({name: a.querySelector('h3').innerText, text: a.innerText,"
        " left: a.getBoundingClientRect().left, top: a.getBoundingClientRect().top,"
        " files: [...a.querySelectorAll('pre')].map((p) => p.textContent)}))",
    )


def test_five_columns_say_what_the_terminal_says(open_page, planned):
    run, page, terminal = planned
    opened = open_page(page)
    sides = columns(opened)
    assert [side["name"] for side in sides] == list(STACKS)
    assert [s["left"] for s in sides] == sorted({s["left"] for s in sides}), "side by side"
    assert len({side["top"] for side in sides}) == 1
    for side in sides[:-1]:
        assert f"advisor train --spec {run} --stack {side['name']}" in side["files"][0]
        for text in side["files"][2:]:
            assert text.rstrip() in terminal
        assert f"{sum(text.count(chr(10)) for text in side['files'][2:])} lines" in side["text"]
        assert "Deviations" in side["text"] and "training.dtype" in side["text"]
    refuses = sides[-1]
    assert "cannot do it" in refuses["text"]
    assert "devices.kind = 'cpu'" in refuses["text"] and "devices.kind = 'cpu'" in terminal
    assert not refuses["files"]
    assert "trl 4" in opened.text("header"), "a glance at the top leads here"
    assert opened.said == []


def test_a_config_is_copied_whole(open_page, planned):
    opened = open_page(planned[1], permissions=["clipboard-read", "clipboard-write"])
    (trl,) = (side for side in columns(opened) if side["name"] == "trl")
    wanted = trl["files"][2]
    opened.page.click("#task button[aria-label='Copy sft.yaml of trl']")
    opened.page.wait_for_function("() => document.getElementById('task-said').textContent")
    assert "sft.yaml of trl" in opened.text("#task-said")
    assert opened.page.evaluate("navigator.clipboard.readText()") == wanted
    assert HOSTILE in wanted


def test_where_the_clipboard_is_barred_the_text_is_selected(open_page, planned):
    opened = open_page(planned[1])
    opened.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('barred')); }"
    )
    opened.page.click("#task button[aria-label='Copy Command of trl']")
    opened.page.wait_for_function("() => document.getElementById('task-said').textContent")
    assert opened.page.evaluate("getSelection().toString()").startswith("advisor train --spec")


def test_the_way_there_does_not_undo_what_was_set(open_page, planned):
    opened = open_page(planned[1])
    opened.slide('[data-weight="models"]', 80)
    opened.page.click("header a[href='#task']")
    opened.page.wait_for_function("() => document.getElementById('task').getBoundingClientRect().top < 100")
    assert opened.page.input_value('[data-weight="models"]') == "80"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_serious_in_it(open_page, planned, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    opened = open_page(
        planned[1], color_scheme=scheme, viewport={"width": width, "height": 844}, bypass_csp=True
    )
    found = Axe().run(opened.page, context="#task").response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in {"serious", "critical"}] == []  # fmt: skip
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390:
        assert len({side["left"] for side in columns(opened)}) == 1, "one under the other"


def test_on_paper_a_config_is_whole(open_page, planned):
    opened = open_page(planned[1], viewport={"width": 700, "height": 900})
    opened.page.emulate_media(media="print")
    cut = opened.page.eval_on_selector_all(
        "#task pre",
        "(all) => all.filter((p) => p.scrollHeight > p.clientHeight + 1 || p.scrollWidth > p.clientWidth + 1).length",
    )
    assert cut == 0
    assert not opened.page.is_visible("#task button")
