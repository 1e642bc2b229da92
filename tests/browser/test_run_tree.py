"""The page of `advisor runs tree` in a browser: what it draws, and that no name or note is more than text."""

from __future__ import annotations

import json

import pytest
from browser_page import BrowserPage

from advisor.cli.run_tree import format_tree, render_page
from finetune import record
from finetune.after.lineage import build_groups
from finetune.spec import compose_spec

HOSTILE = "</script><script>alert(1)</script><b>bold</b>"


def write_run(folder, *, loss, metric, parent="", note="", rate=2e-4, state="finished"):
    """Write record and events of a run; return folder and record."""
    folder.mkdir()
    sections = {"model": {"base": "a/b"}, "data": {"train": "x"}, "training": {"learning_rate": rate}}
    result = {
        "base": 0.25,
        "base_interval": [0.1, 0.4],
        "adapter": metric,
        "adapter_interval": [metric - 0.1, metric + 0.1],
    }
    run = record.Record(
        id=folder.name, state=state, started=record.utc_now(), origins={}, stack="trl", parent=parent, note=note,
        spec=compose_spec([("t", sections)]).spec.model_dump(mode="json"), tags=("first",),
        data={"test_sha256": "h"}, losses={"held_out": {"base": 3.0, "adapter": loss}},
        task={"metrics": {"exact-match": result}} if state == "finished" else {},
        outcome="" if state == "finished" else "stopped early after 2 of 4 quarters",
    )  # fmt: skip
    record.write_record(folder, run)
    events = [{"event": "step", "step": n, "steps": 4, "loss": loss + 1 / n} for n in range(1, 5)]
    events.append({"event": "validated", "step": 2, "loss": loss})
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder, run


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    runs = [
        write_run(home / "first", loss=2.0, metric=0.5),
        write_run(home / "second", loss=1.5, metric=0.75, parent="first", rate=1e-3, note=HOSTILE),
        write_run(home / "third", loss=1.25, metric=0.625, parent="second", rate=1e-2),
        write_run(home / "fourth", loss=4.0, metric=0.0, parent="first", rate=1.0, state="interrupted"),
    ]
    return build_groups(runs)


def test_text_has_branches_changes_and_effects(groups):
    lines = format_tree(groups)
    assert lines[0] == "4 runs, compared by exact-match"
    assert lines[1] == "first  0.2500 → 0.5000  [first]"
    assert lines[2] == "├─ second ★  training.learning_rate 0.0002 → 0.001  0.7500 (+0.2500)  [first]"
    assert lines[4] == "│  └─ third  training.learning_rate 0.001 → 0.01  0.6250 (-0.1250)  [first]"
    assert lines[5].startswith("└─ fourth  training.learning_rate 0.0002 → 1.0  stopped early after 2 of 4")
    assert lines[6].startswith("best: second: exact-match 0.7500 is the highest of 3 finished runs")


def test_page_draws_tree_results_and_curves_without_network(chromium, groups, tmp_path):
    file = tmp_path / "tree.html"
    file.write_text(render_page(groups))
    page = BrowserPage(chromium).open(file)
    assert page.messages == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.page.locator("#tree-0 path.point").count() == 4
    assert page.page.locator("#results-0 g.point").count() == 3, "the stopped run has no result"
    assert page.page.locator("#curves-0 path.js-line").count() == 4
    assert "second ★" in page.text("tr.winner")
    assert HOSTILE in page.text("table"), "a note is text"
    assert page.page.evaluate("document.querySelectorAll('table b').length") == 4, "only the states are bold"
    page.page.hover("#tree-0 path.point >> nth=1", force=True)  # plotly's own layer gets the pointer
    page.page.wait_for_selector("#tree-0 .hovertext")
    assert "effect +0.2500" in page.page.text_content("#tree-0 .hoverlayer")
    page.context.close()


def test_page_without_runs_says_so(chromium, tmp_path):
    file = tmp_path / "tree.html"
    file.write_text(render_page([]))
    page = BrowserPage(chromium).open(file)
    assert page.text("main") == "What was tried No runs yet."
    assert page.messages == []
    page.context.close()
