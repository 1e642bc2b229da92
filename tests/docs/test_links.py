"""No link of the documentation is broken, every page is reached from the index, the picture is true to the folders."""

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
FENCED = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def anchors(page):
    """As GitHub makes them of headings: lower case, punctuation gone, spaces to hyphens."""
    heads = re.findall(
        r"^#+ (.*)$", FENCED.sub(lambda m: "" if "\n" in m[0] else m[0], page.read_text()), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


def links(page):
    return [t for t in LINK.findall(FENCED.sub("", page.read_text())) if not re.match(r"[a-z]+:", t)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    broken = []
    for target in links(page):
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


def test_every_page_is_reached_from_the_index():
    index = ROOT / "docs" / "README.md"
    reached, ahead = set(), [index]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        found = {(page.parent / t.partition("#")[0]).resolve() for t in links(page)}
        ahead += [
            p for p in found if p.suffix == ".md" and p not in reached and p.is_relative_to(ROOT / "docs")
        ]
    assert set((ROOT / "docs").rglob("*.md")) - reached == set()


def test_the_picture_names_what_is_there():
    picture = re.search(
        r"```mermaid\n(.*?)```", (ROOT / "docs" / "explanation" / "architecture.md").read_text(), re.DOTALL
    )[1]
    for half, folder in (("deciding", "advisor"), ("training", "finetune")):
        part = re.search(rf"subgraph {half}.*?\n  end", picture, re.DOTALL)[0]
        names = re.findall(r'\["([^<"]+)', part)
        assert len(names) > 4
        for name in re.split(r", ", ", ".join(names)):
            plain = name.strip().rstrip("/")
            assert (ROOT / folder / plain).is_dir() or (ROOT / folder / f"{plain}.py").is_file(), name
