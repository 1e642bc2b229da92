"""Every bundled domain answers from its own snapshot; criteria and rules are shared by name."""

from __future__ import annotations

from itertools import permutations

import pytest

import advisor
from advisor.answers import draw_cache
from advisor.answers.compare import compare
from advisor.answers.question import Request, read_request
from advisor.decide import acceptability
from advisor.domain.domain import available_domains, load_domain
from advisor.domain.files import data_folder
from advisor.errors import ConfigError

DOMAINS = [name for name in available_domains() if load_domain(name).candidates]


def test_several_domains_are_bundled():
    assert {"finetuning", "web-frameworks", "dataframes"} <= set(DOMAINS)
    assert len({load_domain(name).snapshot for name in DOMAINS}) >= 3


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_ranks_each_of_its_candidates(name):
    domain = load_domain(name)
    answer = advisor.recommend(name)
    ranked = {r.candidate.repository for r in answer.ranking}
    rivals = {c.repository for c in domain.rivals}
    assert ranked - rivals == {c.repository for c in domain.candidates}
    assert rivals == (ranked & rivals) | set(answer.rivals)
    assert answer.missing == {}
    assert answer.choice in ranked


@pytest.mark.parametrize("name", DOMAINS)
def test_the_cached_draws_equal_fresh_ones(name, monkeypatch):
    read_draws, calls = draw_cache.read_draws, []
    monkeypatch.setattr(draw_cache, "read_draws", lambda *given: calls.append((read_draws(*given), given)))
    advisor.recommend(name)
    (draws, (_, _, scores, weights)), *_ = calls
    fresh = acceptability.sample_ranks(scores, weights)
    for cached, computed in ((draws.ranks, fresh.ranks), (draws.pairwise, fresh.pairwise)):
        assert cached.keys() == computed.keys()
        assert all(cached[n] == pytest.approx(computed[n]) for n in computed)
    assert all(draws.central_weights[n] == pytest.approx(w) for n, w in fresh.central_weights.items())


@pytest.mark.parametrize("name", DOMAINS)
def test_a_comparison_of_any_two_draws_nothing(name, monkeypatch):
    """Neither numpy nor a second of work for `advisor compare A B`, in either order."""
    drawn = []
    monkeypatch.setattr(acceptability, "sample_ranks", lambda *given: drawn.append(given))
    ranking = [r.candidate.name for r in advisor.recommend(name).ranking][:4]
    for pair in permutations(ranking, 2):
        comparison = compare(read_request(Request(domain=name, repositories=pair)))
        assert (comparison.first.candidate.name, comparison.second.candidate.name) == pair
    assert drawn == []


@pytest.mark.parametrize("goal", ["balanced", "independence", "long-lived"])
def test_another_domain_does_not_mention_models(goal):
    answer = advisor.recommend("web-frameworks", goal=goal)
    findings = (f.text for r in answer.ranking for f in r.findings)
    text = " ".join([*answer.reasons, *answer.doubts, *findings])
    assert "model famil" not in text and "vendors" not in text
    assert "models" not in answer.weights


def test_the_error_names_an_unknown_criterion(tmp_path):
    text = (data_folder() / "domains" / "web-frameworks.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('"issues"', '"isues"', 1))
    with pytest.raises(
        ConfigError, match=r"mine\.toml: unknown criterion 'isues' \(did you mean issues\?\); known: activity"
    ):
        load_domain(str(path))
