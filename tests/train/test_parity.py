"""`advisor bench --parity` on the demo's real model, with released versions of trl and one that parts."""

from __future__ import annotations

import json

import pytest
import version_environments

from finetune.bench.figures import GATES

# trl itself comes from the index; all other packages are those of the tests.
RELEASES = ("1.14.0", "1.16.0")
SCALED = "1.99.0"
SHORT = {"training.steps": 4, "data.max_length": 64, "evaluation.rows": 0}


@pytest.fixture(scope="module")
def bench(advisor, demo_model, home, tmp_path_factory):
    """The output of a comparison of two releases and of a copy that scales its loss by 1.01, and the result."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", version_environments.read_cache_folder())
        patch.setenv("XDG_CACHE_HOME", home["XDG_CACHE_HOME"])
        for version in RELEASES:
            version_environments.link_environment(version)
        version_environments.link_scaled_environment(RELEASES[-1], SCALED, 1.01)
    folder = tmp_path_factory.mktemp("parity")
    fields = [word for name, value in SHORT.items() for word in ("--set", f"{name}={value}")]
    versions = ",".join((*RELEASES, SCALED))
    words = ["bench", "--cpu", "--quick", "--parity", f"trl=={versions}", "-o", folder, *fields]
    return advisor(*words).stdout, folder / "bench.json"


def read_runs(file):
    runs = json.loads(file.read_text())["runs"]
    return {f"{one['version']}{' again' if one['again'] else ''}": one for one in runs}


def test_releases_do_the_same_work_and_the_copy_parts_in_its_loss(bench):
    output, file = bench
    runs = read_runs(file)
    assert list(runs) == [*RELEASES, SCALED, f"{RELEASES[0]} again"]
    failures = {
        name: [gate for gate, passes in one["gates"].items() if not passes] for name, one in runs.items()
    }
    assert failures == {**{name: [] for name in runs}, SCALED: ["first loss", "losses"]}
    assert all(set(one["gates"]) == {*GATES, "losses", "adapter"} for one in runs.values())
    assert [one["libraries"]["trl"] for one in runs.values()] == [*RELEASES, SCALED, RELEASES[0]]
    assert (
        f"trl {SCALED} is the first version that parts from {RELEASES[0]}, in: first loss, losses" in output
    )


def test_differences_are_those_of_what_was_trained(bench):
    runs = read_runs(bench[1])
    reference, scaled = runs[RELEASES[0]], runs[SCALED]
    assert len(reference["losses"]) == SHORT["training.steps"]
    assert reference["losses"][-1] < reference["losses"][0] - 0.3, "it learns"
    assert scaled["first_loss"] == pytest.approx(1.01 * reference["first_loss"], rel=1e-3)
    for name in (RELEASES[1], f"{RELEASES[0]} again"):
        assert runs[name]["losses"] == pytest.approx(reference["losses"], abs=1e-3)
        assert runs[name]["differences"]["adapter"] < 1e-4


def test_result_is_shown_again(advisor, bench):
    assert advisor("bench", "--from", bench[1]).stdout.strip() in bench[0]
