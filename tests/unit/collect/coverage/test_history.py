"""Days of support from real histories made on the spot."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.collect.coverage.package import read_index
from advisor.collect.coverage.transformers import Architecture
from advisor.collect.model_support import collect_support
from advisor.domain.families import load_families
from advisor.errors import CollectError, GitFailed, InputError
from advisor.facts import reading

FAMILIES = load_families()
ARCHITECTURES = {
    "gemma2": Architecture("gemma2", "4.42.0", date(2024, 6, 27)),
    "llama": Architecture("llama", "4.28.0", date(2023, 4, 13)),
}
READ_ON = date(2025, 9, 1)


class Repo:
    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *args, day="2024-01-01", written=None):
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull,
               "GIT_AUTHOR_DATE": f"{written or day}T12:00:00 +0000", "GIT_COMMITTER_DATE": f"{day}T12:00:00 +0000"}  # fmt: skip
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": "Ann Ash", f"GIT_{role}_EMAIL": "ann@corp.example"}
        run = subprocess.run(["git", "-C", str(self.path), *args], env=env, check=True, capture_output=True)
        return run.stdout.decode().strip()

    def put(self, file, text="", **when):
        (self.path / file).parent.mkdir(parents=True, exist_ok=True)
        (self.path / file).write_text(text)
        return self.save(**when)

    def save(self, **when):
        self.git("add", "-A", **when)
        self.git("commit", "-q", "-m", "change", "--allow-empty", **when)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path / "clone")


def support(repo, tmp_path, name, uploads=None):
    collect_support(
        str(repo.path), tmp_path / "s", tmp_path / "c", FAMILIES, ARCHITECTURES,
        retrieved_on=READ_ON, repository=name, uploads={name: uploads} if uploads else None,
    )  # fmt: skip
    rows = reading.read(reading.open_store(tmp_path / "s"), "model_support", name)
    return {(r["family"], r["route"]): r for r in rows}


def test_first_day_removal_and_evidence(repo, tmp_path):
    repo.put("README.md", day="2024-01-01")
    repo.put("torchtune/models/llama2/a.py", day="2024-01-02")
    first = repo.put("torchtune/models/code_llama2/a.py", day="2024-04-26", written="2024-04-01")
    repo.put("torchtune/models/code_llama2/b.py", day="2024-05-01")
    repo.git("rm", "-rq", "torchtune/models/code_llama2")
    repo.save(day="2025-05-30")
    rows = support(repo, tmp_path, "pytorch/torchtune")
    gone = rows["Code Llama", "main"]
    assert (str(gone["supported_on"]), str(gone["removed_on"])) == ("2024-04-26", "2025-05-30")
    assert (gone["evidence_commit"], gone["evidence_path"]) == (first, "torchtune/models/code_llama2/a.py")
    assert gone["evidence_name"] == "code_llama2"
    assert rows["Llama 2", "main"]["removed_on"] is None
    never = rows["Gemma 3", "main"]
    assert (never["supported_on"], never["evidence_commit"], never["known_until"]) == (None, None, READ_ON)
    assert ("Gemma 3", "transformers") not in rows


def test_what_comes_back_is_not_gone_and_what_moves_stays(repo, tmp_path):
    text = 'configs = [dict(org="google", name="gemma-2-9b")]\n'
    repo.put("lit_gpt/config.py", text, day="2024-07-01")
    (repo.path / "litgpt").mkdir()
    repo.git("mv", "lit_gpt/config.py", "litgpt/config.py")
    repo.save(day="2024-07-05")
    row = support(repo, tmp_path, "Lightning-AI/litgpt")["Gemma 2", "main"]
    assert (str(row["supported_on"]), row["removed_on"]) == ("2024-07-01", None)
    repo.put("litgpt/config.py", "configs = []\n", day="2024-08-01")
    assert (
        str(support(repo, tmp_path, "Lightning-AI/litgpt")["Gemma 2", "main"]["removed_on"]) == "2024-08-01"
    )
    repo.put("litgpt/config.py", text, day="2024-08-09")
    row = support(repo, tmp_path, "Lightning-AI/litgpt")["Gemma 2", "main"]
    assert (str(row["supported_on"]), row["removed_on"]) == ("2024-07-01", None)


def test_a_branch_counts_on_the_day_of_its_merge(repo, tmp_path):
    repo.put("README.md", day="2024-06-01")
    repo.git("checkout", "-q", "-b", "topic")
    repo.put("torchtune/models/gemma2/a.py", day="2024-07-01")
    repo.git("checkout", "-q", "main")
    repo.put("x.py", day="2024-07-02")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "topic", day="2024-11-08")
    assert (
        str(support(repo, tmp_path, "pytorch/torchtune")["Gemma 2", "main"]["supported_on"]) == "2024-11-08"
    )


def test_the_package_is_told_from_the_default_branch(repo, tmp_path):
    repo.put("torchtune/models/llama3/a.py", day="2024-04-18")
    repo.git("tag", "v0.1.0", day="2024-04-20")
    repo.put("torchtune/models/gemma2/a.py", day="2024-11-08")
    repo.git("tag", "v0.2.0rc1", day="2024-11-09")
    rows = support(repo, tmp_path, "pytorch/torchtune")
    assert rows["Llama 3", "package"]["evidence_commit"] == "0.1.0"
    assert rows["Gemma 2", "main"]["supported_on"] is not None
    assert rows["Gemma 2", "package"]["supported_on"] is None
    uploads = {"0.1.0": datetime(2024, 4, 21, 9, tzinfo=UTC), "0.2.0": datetime(2024, 12, 1, 9, tzinfo=UTC)}
    rows = support(repo, tmp_path, "pytorch/torchtune", uploads)
    assert str(rows["Llama 3", "package"]["supported_on"]) == "2024-04-21"  # the upload's day, the tag's tree
    package = rows["Gemma 2", "package"]  # no tag of this name: what main held on that day
    assert (str(package["supported_on"]), package["evidence_commit"]) == ("2024-12-01", "0.2.0")


def test_transformers_brings_what_needs_no_commit(repo, tmp_path):
    loader = repo.put("trl/trainer/sft_trainer.py", "AutoModelForCausalLM", day="2024-02-01")
    rows = support(repo, tmp_path, "huggingface/trl")
    days = {
        f: str(rows[f, "transformers"]["supported_on"]) for f in ("Gemma 2", "Llama 2", "Llama 3", "Gemma 3")
    }
    assert days == {
        "Gemma 2": "2024-06-27",  # the release that first had the architecture
        "Llama 2": "2024-02-01",  # not before the library loaded anything
        "Llama 3": "2024-04-18",  # an old architecture: there on the day of its weights
        "Gemma 3": "None",  # an architecture that these releases do not have
    }
    assert rows["Gemma 2", "transformers"]["evidence_commit"] == f"transformers 4.42.0; {loader}"


def test_an_older_architecture_does_not_support_a_family_before_its_weights(repo, tmp_path):
    repo.put("examples/README.md", "base_model: google/gemma-2-9b", day="2024-02-01")  # no configuration
    repo.put(
        "src/axolotl/monkeypatch/multipack.py",
        'SUPPORTED_MULTIPACK_MODEL_TYPES = ["qwen2"]',
        day="2024-02-07",
    )
    rows = support(repo, tmp_path, "axolotl-ai-cloud/axolotl")
    assert str(rows["Qwen1.5", "main"]["supported_on"]) == "2024-02-07"
    assert str(rows["Qwen2", "main"]["supported_on"]) == "2024-06-06"
    assert str(rows["R1-Distill", "main"]["supported_on"]) == "2025-01-20"


def test_a_history_without_contents_is_asked_for_just_these_files(repo, tmp_path):
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    repo.put("litgpt/config.py", 'configs = [dict(org="google", name="gemma-2-9b")]', day="2024-07-01")
    repo.put("other.py", "print('not asked for')", day="2024-07-02")
    collect_support(f"file://{repo.path}", tmp_path / "s", tmp_path / "c", FAMILIES, {},
                    retrieved_on=READ_ON, repository="Lightning-AI/litgpt")  # fmt: skip
    rows = reading.read(reading.open_store(tmp_path / "s"), "model_support", "Lightning-AI/litgpt")
    assert [r["family"] for r in rows if r["supported_on"]] == ["Gemma 2"]
    left = subprocess.run(
        ["git", "-C", str(tmp_path / "c" / "Lightning-AI__litgpt.git"), "rev-list", "--objects", "--missing=print", "main"],
        env={**os.environ, "GIT_ALLOW_PROTOCOL": "none"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert left.count("\n?") == 1


def test_a_history_with_a_hole_writes_nothing(repo, tmp_path):
    repo.put("litgpt/config.py", "configs = []", day="2024-07-01")
    blob = repo.git("rev-parse", "HEAD:litgpt/config.py")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitFailed, match="missing from the history"):
        support(repo, tmp_path, "Lightning-AI/litgpt")
    assert not (tmp_path / "s").exists()


def test_the_command_collects_what_it_can_and_names_the_rest(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    load("collect-support")
    repo.put("litgpt/config.py", 'configs = [dict(org="google", name="gemma-2-9b")]', day="2024-07-01")
    repo.git("remote", "add", "origin", "https://github.com/Lightning-AI/litgpt")
    gone = f"file://{tmp_path}/no/where"

    def run(*words):
        return CliRunner().invoke(app, ["collect-support", *words, "--store", str(tmp_path / "s")])

    done = run(gone, str(repo.path))
    assert (done.exit_code, "advisor: " in done.stderr and "no/where" in done.stderr) == (3, True)
    rows = reading.read(reading.open_store(tmp_path / "s"), "model_support", "Lightning-AI/litgpt")
    assert [r["family"] for r in rows if r["supported_on"] and r["route"] == "main"] == ["Gemma 2"]
    assert run(str(repo.path)).exit_code == 0
    assert isinstance(run(gone).exception, CollectError)  # asked for alone, it is the error
    assert "exactly one" in str(run(gone, str(repo.path), "--name", "a/b").exception)
    repo.git("remote", "remove", "origin")
    assert "say whose history it is with --name" in str(run(str(repo.path)).exception)


def test_what_goes_comes_and_goes_is_gone_since_the_last_day(repo, tmp_path):
    text = 'configs = [dict(org="google", name="gemma-2-9b"), dict(org="google", name=unknown)]\n'
    for month, content in enumerate((text, "configs = []", "configs = [1]", text, ""), start=1):
        repo.put("litgpt/config.py", content, day=f"2024-0{month}-01")
    row = support(repo, tmp_path, "Lightning-AI/litgpt")["Gemma 2", "main"]
    assert (str(row["supported_on"]), str(row["removed_on"])) == ("2024-01-01", "2024-05-01")
    before = {"0.0.1": datetime(2023, 1, 1, tzinfo=UTC)}  # uploaded before there was a history
    row = support(repo, tmp_path, "Lightning-AI/litgpt", before).get(("Gemma 2", "package"))
    assert row is None or row["supported_on"] is None


def test_the_index_file_is_checked(tmp_path):
    file = tmp_path / "u.csv"
    file.write_text("repository,version,released_at\na/b,1.0,2024-01-01T10:00:00Z\n")
    assert read_index(file) == {"a/b": {"1.0": datetime(2024, 1, 1, 10, tzinfo=UTC)}}
    file.write_text("repository,version,released_at\na/b,1.0,soon\n")
    with pytest.raises(InputError, match=r"u.csv:2: released_at is 'soon'"):
        read_index(file)
