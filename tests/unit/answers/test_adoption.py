"""What advice would have been worth to a project: its own git history against the bundled domains."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import date

import pytest
from typer.testing import CliRunner

from advisor import recommend
from advisor.answers.adoption import find_uses
from advisor.cli import app, load
from advisor.collect.git.local_clone import open_local_clone
from advisor.collect.git.manifests import read_manifests
from advisor.model import Recommendation

load("replay-adoption")


class Project:
    """A clone with commits on chosen days."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", "https://github.com/own/project.git")

    def git(self, *words, day="2024-01-01"):
        time = f"{day}T12:00:00Z"
        environment = {**os.environ, "GIT_COMMITTER_DATE": time, "GIT_AUTHOR_DATE": time}
        command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-C", str(self.folder)]
        subprocess.run([*command, *words], check=True, env=environment)

    def commit(self, day, **texts):
        """Write files ("/" is "__" and "." is "_DOT_" in a name; None removes one) and commit them."""
        for name, text in texts.items():
            file = self.folder / name.replace("__", "/").replace("_DOT_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink() if text is None else file.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change", day=day)

    def uses(self, tmp_path):
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        with open_local_clone(self.folder, tmp_path / "cache") as history:
            return find_uses(read_manifests(history), scratch)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def periods(uses):
    return [
        (u.dependency.name, str(u.first_day), u.last_day and str(u.last_day), u.file) for u in uses.periods
    ]


def test_a_period_ends_when_the_last_file_drops_the_package(project, tmp_path):
    project.commit("2024-01-10", requirements_DOT_txt="trl\nnumpy\n")
    project.commit("2024-02-10", docs__requirements_DOT_txt="numpy\n")
    project.commit("2024-03-10", requirements_DOT_txt="trl==1.0\n")
    project.commit("2024-04-10", docs__requirements_DOT_txt=None)
    project.commit("2024-05-10", requirements_DOT_txt="trl==1.0\nnumpy>=2\n")
    assert periods(project.uses(tmp_path)) == [
        ("numpy", "2024-01-10", "2024-04-10", "requirements.txt"),
        ("trl", "2024-01-10", None, "requirements.txt"),
        ("numpy", "2024-05-10", None, "requirements.txt"),
    ]


def test_a_package_that_moves_to_another_file_stays(project, tmp_path):
    project.commit("2024-01-10", requirements_DOT_txt="trl\n")
    moved = '[project]\nname = "p"\nversion = "1"\ndependencies = ["TRL>=1"]\n'
    project.commit("2024-02-10", requirements_DOT_txt=None, pyproject_DOT_toml=moved)
    assert periods(project.uses(tmp_path)) == [("trl", "2024-01-10", None, "requirements.txt")]


def test_an_unreadable_version_is_counted_and_ends_nothing(project, tmp_path):
    project.commit("2024-01-10", pyproject_DOT_toml='[project]\nname = "p"\ndependencies = ["trl"]\n')
    project.commit("2024-02-10", pyproject_DOT_toml="<<<<<<< HEAD\n")
    project.commit("2024-03-10", pyproject_DOT_toml='[project]\nname = "p"\ndependencies = []\n')
    uses = project.uses(tmp_path)
    assert uses.unreadable == 1
    assert periods(uses) == [("trl", "2024-01-10", "2024-03-10", "pyproject.toml")]


def test_copies_locks_and_links_are_not_the_choices_of_the_project(project, tmp_path):
    project.commit("2024-01-10", node_modules__a__package_DOT_json='{"dependencies": {"react": "1"}}',
                   requirements__all_DOT_lock_DOT_txt="aiohttp==1\n", vendor__requirements_DOT_txt="flask\n")  # fmt: skip
    outside = tmp_path / "requirements.txt"
    outside.write_text("django\n")
    (project.folder / "requirements.txt").symlink_to(outside)
    project.commit("2024-02-10", requirements__dev_DOT_in="trl\n")
    assert periods(project.uses(tmp_path)) == [("trl", "2024-02-10", None, "requirements/dev.in")]


def test_a_branch_counts_from_the_day_of_its_merge(project, tmp_path):
    project.commit("2024-01-10", README="p\n")
    project.git("switch", "--quiet", "--create", "feature")
    project.commit("2024-02-10", requirements_DOT_txt="trl\n")
    project.git("switch", "--quiet", "main")
    project.commit("2024-03-10", README="q\n")
    project.git("merge", "--quiet", "--no-edit", "feature", day="2024-04-10")
    assert periods(project.uses(tmp_path)) == [("trl", "2024-04-10", None, "requirements.txt")]


def find(answer: Recommendation, name: str):
    return next(r for r in answer.ranking if r.candidate.name == name)


def test_advice_of_the_day_is_that_of_recommend_and_knows_nothing_later(project):
    """torchtune's README declared its end in July 2025."""
    project.commit("2025-03-14", requirements_DOT_txt="torchtune\nsome-package-of-nobody\n")
    project.commit("2025-12-01", requirements_DOT_txt="trl\n")
    project.commit("2099-01-01", requirements_DOT_txt="trl\nlitgpt\n")
    command = ["replay-adoption", str(project.folder), "--format", "json"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    replay = json.loads(result.stdout)
    assert (replay["project"], replay["others"]) == ("own/project", 1)
    torchtune, trl, litgpt = replay["adoptions"]
    assert (torchtune["use"]["first_day"], torchtune["use"]["last_day"]) == ("2025-03-14", "2025-12-01")
    then, today = recommend("finetuning", as_of=date(2025, 3, 14)), recommend("finetuning")
    for answer, asked in ((torchtune["advice"], then), (torchtune["today"], today)):
        ranked = find(asked, "torchtune")
        assert (answer["choice"], answer["certainty"]) == (asked.choice, asked.certainty)
        assert (answer["rank"], answer["score"]) == (ranked.rank, pytest.approx(ranked.score, abs=1e-6))
    assert not any("no longer actively maintained" in doubt for doubt in torchtune["advice"]["doubts"])
    assert any("no longer actively maintained" in doubt for doubt in torchtune["today"]["doubts"])
    assert trl["advice"]["choice"] and litgpt["advice"] is None
    assert "2099-01-01" in litgpt["gap"]
    text = CliRunner().invoke(app, command[:2], catch_exceptions=False).stdout
    assert "torchtune: 2025-03-14, until 2025-12-01 (requirements.txt, commit " in text
    assert f"advice of that day: {then.choice.partition('/')[2]} (" in text


def test_a_project_without_dependency_files_is_an_answer(project):
    project.commit("2024-01-10", README="p\n")
    result = CliRunner().invoke(app, ["replay-adoption", str(project.folder)], catch_exceptions=False)
    assert result.stdout.startswith("own/project: its history took in 0 libraries of our domains")
