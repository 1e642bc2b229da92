"""The history of the licence, and the people of tags, from real repositories."""

from __future__ import annotations

from datetime import date

import pytest
from repositories import Repo

from advisor.collect.git import collect_history
from advisor.collect.git.licences import find_licence
from advisor.facts import reading

MIT = "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\nof this software and associated documentation files"
APACHE = (
    "                                 Apache License\n                           Version 2.0, January 2004"
)
GPL = "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007"


@pytest.mark.parametrize(("text", "licence"), [
    (MIT, "MIT"), (APACHE, "Apache-2.0"), (GPL, "GPL-3.0"), ("# Apache License\n\n_Version 2.0, January 2004_", "Apache-2.0"),
    (f"{MIT}\n\nThird-party code:\n{GPL}", "MIT"), ("All rights reserved.", None), ("", None),
    ("Business Source License 1.1\nChange License: GNU General Public License Version 2.0 or later", "BUSL-1.1"),
    ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999", "LGPL-2.1"),
    ("“Commons Clause” License Condition v1.0\n\n" + APACHE, "Commons Clause"),
])  # fmt: skip
def test_a_licence_is_recognised_by_the_first_phrase(text, licence):
    assert find_licence(text) == licence


def write(repo, text, *names, day):
    for name in names:
        (repo.path / name).parent.mkdir(exist_ok=True)
        (repo.path / name).write_text("")
    repo.commit(*names, text=text, day=day)


def test_licence_history_and_the_people_of_tags(tmp_path):
    repo = Repo(tmp_path / "clone")
    write(repo, MIT, "LICENSE", day="2020-01-01")
    write(repo, f"{MIT}, 2021", "LICENSE", day="2021-01-01")
    repo.git("mv", "LICENSE", "LICENCE.md")
    repo.git("commit", "-qm", "rename", day="2021-02-01")
    write(repo, GPL, "licence/LICENSE", "docs/COPYING", day="2021-03-01")
    write(repo, APACHE, "LICENSE-APACHE", day="2022-01-01")
    write(repo, "Ask us.", "LICENCE.md", day="2023-01-01")
    write(repo, GPL, "LICENCE.md", day="2023-06-01")
    repo.git("tag", "-a", "-m", "release", "v1.0.0", who=("Rel Ease", "rel@corp.example"), day="2023-06-02")
    repo.git("tag", "-a", "-m", "release", "v1.1.0", who=("releaser[bot]", "r@x.example"), day="2023-06-03")
    repo.git("tag", "v1.2.0")
    collect_history(str(repo.path), tmp_path / "s", tmp_path / "c", retrieved_on=date(2024, 6, 1))
    facts = reading.open_store(tmp_path / "s")
    rows = [r for r in reading.read_rows(facts, "repositories", "own/er") if r["declared_status"] is None]
    states = sorted((str(r["observed_on"]), r["licence"], r["evidence_path"]) for r in rows)
    assert states == [
        ("2020-01-01", "MIT", "LICENSE"), ("2022-01-01", "Apache-2.0 and MIT", "LICENSE-APACHE"),
        ("2023-01-01", "Apache-2.0", "LICENCE.md"), ("2023-06-01", "Apache-2.0 and GPL-3.0", "LICENCE.md"),
    ]  # fmt: skip
    releases = {r["tag"]: r["released_by"] for r in reading.read_rows(facts, "releases", "own/er")}
    writers = {r["author"] for r in reading.read_rows(facts, "contributions", "own/er")}
    assert writers == {0}
    assert releases == {"v1.0.0": 1, "v1.1.0": None, "v1.2.0": None}, "a person without commits has a number"
