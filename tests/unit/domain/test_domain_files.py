"""A domain, a criterion or a goal that cannot be meant is refused where it stands; so is data that is not there."""

from __future__ import annotations

import shutil

import pytest

from advisor.answers import recommend
from advisor.answers.question import Request
from advisor.collect.seed import seed
from advisor.domain import domain, files, organisations, population
from advisor.domain import draft as domain_text
from advisor.errors import ConfigError, SnapshotMissing, UnknownName

WEB = files.data_folder() / "domains" / "web-frameworks.toml"


@pytest.fixture
def data(tmp_path):
    """A copy of the bundled data, without the facts."""
    ignored = shutil.ignore_patterns("snapshots")
    return shutil.copytree(files.data_folder(), tmp_path / "data", ignore=ignored)


@pytest.mark.parametrize(("old", "new", "said"), [
    ('default_goal = "balanced"', 'default_goal = "balance"', "'balance' is not one of the goals"),
    ("contributors = 3", "contributors = -3", "must be 0 or more"),
    ("contributors = 3", "contributers = 3", "unknown criterion 'contributers'"),
])  # fmt: skip
def test_a_goal_that_cannot_be(tmp_path, old, new, said):
    text = WEB.read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=said) as raised:
        domain.load_domain(str(tmp_path / "mine.toml"))
    assert "mine.toml" in str(raised.value)


@pytest.mark.parametrize(("scale", "said"), [
    ({"worst": 3, "best": 3}, "worst and best must differ"),
    ({"worst": -1, "best": 3, "curve": "log"}, "a log scale takes no negative ends"),
])  # fmt: skip
def test_a_scale_that_cannot_be(scale, said):
    with pytest.raises(ValueError, match=said):
        domain.Scale.model_validate({"metric": "trend", "weight": 1, "source": "here", **scale})


def test_names_that_nobody_knows(tmp_path):
    mine = tmp_path / "mine.toml"
    with pytest.raises(UnknownName, match="fintuning"):
        domain.load_domain("fintuning")
    with pytest.raises(UnknownName, match="nobody/nothing"):
        recommend.recommend(Request(repositories=("nobody/nothing",)))
    mine.write_text(WEB.read_text().replace('backer = "pallets"', 'backer = "nobody"', 1))
    with pytest.raises(UnknownName, match="nobody"):
        domain.candidates(domain.load_domain(str(mine)), organisations.load_organisations())
    scale = '{ metric = "trnd", weight = 1, worst = 0, best = 1, source = "s" }'
    own = f'{{ name = "activity", title = "t", scales = [{scale}] }}'
    mine.write_text(WEB.read_text().replace('"activity"', own, 1))
    with pytest.raises(UnknownName, match="trnd"):
        recommend.recommend(Request(domain=str(mine)))


def test_tables_of_organisations_and_of_the_population_that_are_none(data):
    (data / "organisations.toml").write_text("[one]\nkind = 3\n")
    with pytest.raises(ConfigError, match=r"organisations\.toml"):
        organisations.load_organisations(data)
    file = next((data / "reference").glob("population*"))
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="population"):
        population.load_population(data)


def test_titles_of_criteria():
    titles = domain_text.criteria_titles()
    assert titles["issues"] and set(titles) == {
        p.stem for p in (files.data_folder() / "criteria").glob("*.toml")
    }


def test_an_installation_without_its_data(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "__file__", str(tmp_path / "advisor" / "domain" / "files.py"))
    with pytest.raises(SnapshotMissing, match="install advisor again"):
        files.data_folder()


def test_the_text_of_a_domain_to_the_letter():
    draft = domain_text.Draft(
        "ships", 'Ships "ü" \x7f', "Which?", {"HuggingFace/trl": "trl", "nobody/knows": None},
        {"issues": 2.0, "activity": 0.5}, "nobody/knows", "we know it", ("library", "own"),
    )  # fmt: skip
    text = domain_text.domain_text(draft)
    assert (
        text
        == r"""# Ships "ü" DEL. Made by `advisor init`; edit it as you like. Only the ratios of weights matter.
title = "Ships \"ü\" \u007f"
question = "Which?"
snapshot = "ships"
rules = ["library", "own"]
criteria = ["issues", "activity"]
default = "nobody/knows"
default_reason = "we know it"
default_goal = "balanced"

[goals.balanced]
title = "what you said when you made this domain"
weights = { issues = 2, activity = 0.5 }

[[candidates]]
repository = "HuggingFace/trl"
package = "trl"
backer = "huggingface"

[[candidates]]
repository = "nobody/knows"
""".replace("DEL", "\x7f")
    )
    plain = domain_text.domain_text(
        domain_text.Draft("x", "X", "?", {"a/b": None}), "finetuning"
    ).splitlines()
    assert plain[3:7] == [
        'snapshot = "finetuning"', 'rules = ["library"]',
        'criteria = ["contributors", "issues", "backing", "activity"]', 'default_goal = "balanced"',
    ]  # fmt: skip


def test_titles_of_criteria_of_a_folder(tmp_path):
    (tmp_path / "criteria").mkdir()
    for name in ("b", "a"):
        (tmp_path / "criteria" / f"{name}.toml").write_text(f'title = "T {name}"\n')
    assert list(domain_text.criteria_titles(tmp_path).items()) == [("a", "T a"), ("b", "T b")]


def test_nothing_comes_along_for_a_domain_whose_snapshot_is_not_bundled(tmp_path):
    text = WEB.with_name("dataframes.toml").read_text().replace('"dataframes"', '"nowhere"')
    (tmp_path / "mine.toml").write_text(text)
    assert seed(tmp_path / "store", str(tmp_path / "mine.toml")) == 0
    assert not (tmp_path / "store").exists()
