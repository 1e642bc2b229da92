"""Every backer has a kind that the glossary defines, and a page for what its own files do not show."""

from __future__ import annotations

import re
from pathlib import Path

from advisor.decide.requirements import KINDS
from advisor.domain.files import data_folder
from advisor.domain.organisations import load_organisations

GLOSSARY = Path(__file__).resolve().parents[3] / "docs" / "reference" / "glossary.md"


def test_every_kind_is_defined_in_the_glossary():
    defined_terms = re.findall(r"^\| ([^|]+) \|", GLOSSARY.read_text("utf-8"), re.MULTILINE)
    assert set(KINDS) <= {term for terms in defined_terms for term in terms.split(", ")}
    assert {organisation.kind for organisation in load_organisations().values()} <= set(KINDS)


def test_every_entry_has_a_dated_source_and_a_page_for_its_kind():
    text = (data_folder() / "organisations.toml").read_text("utf-8")
    blocks = dict(re.findall(r"^\[([\w-]+)\]\n((?:.+\n?)+)", text, re.MULTILINE))
    organisations = load_organisations()
    assert set(blocks) == set(organisations)
    for key, organisation in organisations.items():
        assert organisation.source.startswith("https://"), key
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", organisation.as_of), key
        if organisation.kind in ("listed company", "start-up"):
            assert re.search(r"^# kind: https://\S+", blocks[key], re.MULTILINE), key
