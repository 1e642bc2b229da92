"""Invalid domains, criteria and goals, and missing data, are errors with the place."""

from __future__ import annotations

import shutil

import pytest

from advisor.answers import recommend
from advisor.answers.question import Request, read_request
from advisor.collect.seed import seed_store
from advisor.domain import domain, files, organisations, percentiles
from advisor.domain import draft as domain_text
from advisor.domain.fitted_weights import complete_weights
from advisor.errors import ConfigError, SnapshotMissing, UnknownName

WEB = files.data_folder() / "domains" / "web-frameworks.toml"


@pytest.fixture
def data(tmp_path):
    """A copy of the bundled data, without the facts."""
    ignore = shutil.ignore_patterns("snapshots")
    return shutil.copytree(files.data_folder(), tmp_path / "data", ignore=ignore)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('default_goal = "balanced"', 'default_goal = "balance"', "'balance' is not one of the goals"),
    ("contributors = 4", "contributors = -4", "invalid weight -4.0 for criterion contributors"),
    ("contributors = 4", "contributers = 4", "unknown criterion 'contributers'"),
    ('"kept up"', '"kept on"', "unknown outcome 'kept on'"),
    ("{ backing = 15 }", "{ backing = 15, activity = 3 }", "outcomes give the weight of activity"),
    ("{ backing = 15 }", "{ backing = 100 }", "must leave some for them"),
    ("{ backing = 15 }", "{ baking = 15 }", "unknown criterion 'baking'"),
])  # fmt: skip
def test_an_invalid_goal_is_an_error(tmp_path, old, new, message):
    text = WEB.read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as raised:
        domain.load_domain(str(tmp_path / "mine.toml"))
    assert "mine.toml" in str(raised.value)


@pytest.mark.parametrize(("scale", "message"), [
    ({"worst": 3, "best": 3}, "worst and best must be different"),
    ({"worst": -1, "best": 3, "curve": "log"}, "the ends of a log scale must not be negative"),
])  # fmt: skip
def test_an_invalid_scale_is_an_error(scale, message):
    with pytest.raises(ValueError, match=message):
        domain.Scale.model_validate({"metric": "trend", "weight": 1, "source": "here", **scale})


def test_unknown_names_are_errors(tmp_path):
    mine = tmp_path / "mine.toml"
    with pytest.raises(UnknownName, match="fintuning"):
        domain.load_domain("fintuning")
    with pytest.raises(UnknownName, match="nobody/nothing"):
        recommend.recommend(read_request(Request(repositories=("nobody/nothing",))))
    mine.write_text(WEB.read_text().replace('backer = "pallets"', 'backer = "nobody"', 1))
    with pytest.raises(UnknownName, match="nobody"):
        domain.read_candidates(domain.load_domain(str(mine)), organisations.load_organisations())
    scale = '{ metric = "trnd", weight = 1, worst = 0, best = 1, source = "s" }'
    own = f'{{ name = "activity", title = "t", scales = [{scale}] }}'
    mine.write_text(WEB.read_text().replace('"activity"', own, 1))
    with pytest.raises(UnknownName, match="trnd"):
        recommend.recommend(read_request(Request(domain=str(mine))))


def test_invalid_organisations_and_percentiles_are_errors(data):
    (data / "organisations.toml").write_text("[one]\nkind = 3\n")
    with pytest.raises(ConfigError, match=r"organisations\.toml"):
        organisations.load_organisations(data)
    file = next((data / "reference").glob("percentiles*"))
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="percentiles"):
        percentiles.load_percentiles(data)


def test_criteria_have_titles():
    titles = domain_text.criteria_titles()
    assert titles["issues"] and set(titles) == {
        p.stem for p in (files.data_folder() / "criteria").glob("*.toml")
    }


def test_an_installation_without_data_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "__file__", str(tmp_path / "advisor" / "domain" / "files.py"))
    with pytest.raises(SnapshotMissing, match="install advisor again"):
        files.data_folder()


def test_text_of_a_domain():
    draft = domain_text.Draft(
        "ships", 'Ships "ü" \x7f', "Which?", {"HuggingFace/trl": "trl", "nobody/knows": None},
        {"issues": 2.0, "activity": 0.5}, "nobody/knows", "we know it", ("library", "own"),
    )  # fmt: skip
    text = domain_text.domain_text(draft)
    assert (
        text
        == r"""# Ships "ü" DEL. Created by `advisor init`; you can edit it. Only the ratios of weights matter.
title = "Ships \"ü\" \u007f"
question = "Which?"
snapshot = "ships"
rules = ["library", "own"]
criteria = ["issues", "activity"]
default = "nobody/knows"
default_reason = "we know it"
default_goal = "balanced"

[goals.balanced]
title = "the weights that you chose for this domain"
weights = { issues = 2, activity = 0.5 }

[[candidates]]
repository = "HuggingFace/trl"
package = "trl"
backer = "huggingface"

[[candidates]]
repository = "nobody/knows"
""".replace("DEL", "\x7f")
    )
    lines = domain_text.domain_text(
        domain_text.Draft("x", "X", "?", {"a/b": None}), "finetuning"
    ).splitlines()
    assert lines[3:7] == [
        'snapshot = "finetuning"', 'rules = ["library"]',
        'criteria = ["contributors", "issues", "backing", "activity"]', 'default_goal = "balanced"',
    ]  # fmt: skip


def test_titles_of_criteria_of_a_folder(tmp_path):
    (tmp_path / "criteria").mkdir()
    for name in ("b", "a"):
        (tmp_path / "criteria" / f"{name}.toml").write_text(f'title = "T {name}"\n')
    assert list(domain_text.criteria_titles(tmp_path).items()) == [("a", "T a"), ("b", "T b")]


def test_a_domain_without_a_bundled_snapshot_seeds_no_store(tmp_path):
    text = WEB.with_name("dataframes.toml").read_text().replace('"dataframes"', '"nowhere"')
    (tmp_path / "mine.toml").write_text(text)
    assert seed_store(tmp_path / "store", str(tmp_path / "mine.toml")) == 0
    assert not (tmp_path / "store").exists()


def test_outcomes_share_what_the_experts_leave():
    names, experts = ["activity", "adoption", "backing"], {"backing": 20}
    fitted = {
        "alive": {"activity": 0.5, "adoption": 0.3, "outlook": 0.2},
        "kept up": {"activity": 0.1, "adoption": 0.5, "outlook": 0.4},
        "alive without the outlook": {"activity": 0.9, "adoption": 0.1},
    }
    weights = complete_weights(["alive", "kept up"], experts, [*names, "outlook"], fitted)
    assert weights == pytest.approx({"activity": 24, "adoption": 32, "outlook": 24, "backing": 20})
    assert complete_weights(["alive"], experts, names, fitted) == pytest.approx(
        {"activity": 72, "adoption": 8, "backing": 20}
    )
