"""Every bundled domain answers from its own snapshot; criteria and rules are shared by name."""

from __future__ import annotations

import pytest

import advisor
from advisor.answers import draw_cache
from advisor.decide import acceptability
from advisor.domain.domain import available_domains, load_domain
from advisor.domain.files import data_folder
from advisor.errors import ConfigError

DOMAINS = [name for name in available_domains() if load_domain(name).candidates]


def test_more_than_one_field_is_known():
    assert {"finetuning", "web-frameworks", "dataframes"} <= set(DOMAINS)
    assert len({load_domain(name).snapshot for name in DOMAINS}) >= 3


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_answers_for_each_of_its_candidates(name):
    domain = load_domain(name)
    answer = advisor.recommend(name)
    assert {r.candidate.repository for r in answer.ranking} | set(answer.missing) == {
        c.repository for c in domain.candidates
    }
    assert answer.missing == {}
    assert answer.choice in {c.repository for c in domain.candidates}


@pytest.mark.parametrize("name", DOMAINS)
def test_the_kept_draws_are_what_is_drawn(name, monkeypatch):
    kept_draws, found = draw_cache.kept_draws, []
    monkeypatch.setattr(draw_cache, "kept_draws", lambda *asked: found.append((kept_draws(*asked), asked)))
    advisor.recommend(name)
    (draws, (_, scores, weights)), *_ = found
    fresh = acceptability.accept(scores, weights)
    for mine, its in ((draws.ranks, fresh.ranks), (draws.pairwise, fresh.pairwise)):
        assert mine.keys() == its.keys()
        assert all(mine[n] == pytest.approx(its[n]) for n in its)
    assert all(draws.central_weights[n] == pytest.approx(w) for n, w in fresh.central_weights.items())


@pytest.mark.parametrize("goal", ["balanced", "independence", "long-lived"])
def test_nothing_of_fine_tuning_is_in_another_field(goal):
    answer = advisor.recommend("web-frameworks", goal=goal)
    said = " ".join([*answer.reasons, *answer.doubts, *(f.text for r in answer.ranking for f in r.findings)])
    assert "model famil" not in said and "vendors" not in said
    assert "models" not in answer.weights


def test_an_unknown_criterion_is_named(tmp_path):
    text = (data_folder() / "domains" / "web-frameworks.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('"issues"', '"isues"', 1))
    with pytest.raises(ConfigError, match=r"mine\.toml: criteria: there is no 'isues'; known: activity"):
        load_domain(str(path))
