"""Links work, the index reaches every page, and the diagram names existing folders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def anchors(page):
    """Return the anchors that GitHub makes of headings: lower case, no punctuation, hyphens for spaces."""
    heads = re.findall(
        r"^#+ (.*)$", CODE.sub(lambda m: "" if "\n" in m[0] else m[0], page.read_text()), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


def links(page):
    return [t for t in LINK.findall(CODE.sub("", page.read_text())) if not re.match(r"[a-z]+:", t)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    broken_links = []
    for target in links(page):
        file, _, anchor = target.partition("#")
        target_file = (page.parent / file).resolve() if file else page
        if not target_file.exists() or (anchor and anchor not in anchors(target_file)):
            broken_links.append(target)
    assert broken_links == []


def test_the_index_reaches_every_page():
    index = ROOT / "docs" / "README.md"
    visited_pages, queue = set(), [index]
    while queue:
        page = queue.pop()
        visited_pages.add(page)
        targets = {(page.parent / t.partition("#")[0]).resolve() for t in links(page)}
        queue += [
            p
            for p in targets
            if p.suffix == ".md" and p not in visited_pages and p.is_relative_to(ROOT / "docs")
        ]
    assert set((ROOT / "docs").rglob("*.md")) - visited_pages == set()


def test_the_diagram_names_existing_folders():
    diagram = re.search(
        r"```mermaid\n(.*?)```", (ROOT / "docs" / "explanation" / "architecture.md").read_text(), re.DOTALL
    )[1]
    for half, folder in (("deciding", "advisor"), ("training", "finetune")):
        part = re.search(rf"subgraph {half}.*?\n  end", diagram, re.DOTALL)[0]
        names = re.findall(r'\["([^<"]+)', part)
        assert len(names) > 4
        for name in re.split(r", ", ", ".join(names)):
            plain = name.strip().rstrip("/")
            assert (ROOT / folder / plain).is_dir() or (ROOT / folder / f"{plain}.py").is_file(), name
