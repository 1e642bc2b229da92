"""The user's own task in five libraries on the page: columns, copy buttons, a phone, paper."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import tiny_model

from finetune.stacks import STACKS

# Text that is markup if the page does not escape it.
HOSTILE = "</pre><script>alert(1)</script>"


@pytest.fixture(scope="session")
def task_page(tmp_path_factory):
    """A run file, its page, and the output of the terminal for the same task."""
    folder = tmp_path_factory.mktemp("task")
    base = tiny_model.model(folder / f"tiny{HOSTILE}")
    data = tiny_model.write(folder / "sums.jsonl", tiny_model.sums())
    run = folder / "run.toml"
    run.write_text(
        f"[model]\nbase = {json.dumps(str(base))}\n"
        f"[data]\ntrain = {json.dumps(str(data))}\nmax_length = 64\n"
        '[training]\nsteps = 5\ndtype = "bfloat16"\n[devices]\nkind = "cpu"\n'
    )

    def advisor(*words):
        process = subprocess.run([sys.executable, "-m", "advisor", *words], capture_output=True, text=True, check=False)  # fmt: skip
        assert process.returncode == 0, process.stderr
        return process.stdout

    page = folder / "report.html"
    advisor("dashboard", "--store", "bundled", "--months", "3", "--plan", str(run), "-o", str(page))
    return run, page, advisor("plan", "--native", "--all-stacks", "--spec", str(run))


def columns(report):
    return report.page.eval_on_selector_all(
        "#task article",
        "(all) => all.map((a) => ({name: a.querySelector('h3').innerText, text: a.innerText,"
        " left: a.getBoundingClientRect().left, top: a.getBoundingClientRect().top,"
        " files: [...a.querySelectorAll('pre')].map((p) => p.textContent)}))",
    )


def test_five_columns_show_what_the_terminal_shows(open_page, task_page):
    run, page, terminal = task_page
    report = open_page(page)
    sides = columns(report)
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
    assert "trl 4" in report.text("header"), "the top of the page has a summary"
    assert report.messages == []


def test_the_copy_button_copies_a_whole_config(open_page, task_page):
    report = open_page(task_page[1], permissions=["clipboard-read", "clipboard-write"])
    (trl,) = (side for side in columns(report) if side["name"] == "trl")
    config = trl["files"][2]
    report.page.click("#task button[aria-label='Copy sft.yaml of trl']")
    report.page.wait_for_function("() => document.getElementById('task-status').textContent")
    assert "sft.yaml of trl" in report.text("#task-status")
    assert report.page.evaluate("navigator.clipboard.readText()") == config
    assert HOSTILE in config


def test_without_a_clipboard_the_button_selects_the_text(open_page, task_page):
    report = open_page(task_page[1])
    report.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no clipboard')); }"
    )
    report.page.click("#task button[aria-label='Copy Command of trl']")
    report.page.wait_for_function("() => document.getElementById('task-status').textContent")
    assert report.page.evaluate("getSelection().toString()").startswith("advisor train --spec")


def test_the_link_to_the_task_keeps_the_weights(open_page, task_page):
    report = open_page(task_page[1])
    report.slide('[data-weight="models"]', 80)
    report.page.click("header a[href='#task']")
    report.page.wait_for_function("() => document.getElementById('task').getBoundingClientRect().top < 100")
    assert report.page.input_value('[data-weight="models"]') == "80"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_serious_in_it(open_page, task_page, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    report = open_page(
        task_page[1], color_scheme=scheme, viewport={"width": width, "height": 844}, bypass_csp=True
    )
    violations = Axe().run(report.page, context="#task").response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in violations if v["impact"] in {"serious", "critical"}] == []  # fmt: skip
    assert report.page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390:
        assert len({side["left"] for side in columns(report)}) == 1, "one below the other"


def test_paper_shows_whole_configs(open_page, task_page):
    report = open_page(task_page[1], viewport={"width": 700, "height": 900})
    report.page.emulate_media(media="print")
    cut = report.page.eval_on_selector_all(
        "#task pre",
        "(all) => all.filter((p) => p.scrollHeight > p.clientHeight + 1 || p.scrollWidth > p.clientWidth + 1).length",
    )
    assert cut == 0
    assert not report.page.is_visible("#task button")
