"""First and last day of support, from git histories that the tests create."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.collect.coverage.package import read_uploads
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

    def git(self, *args, day="2024-01-01", author_day=None):
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull,
               "GIT_AUTHOR_DATE": f"{author_day or day}T12:00:00 +0000", "GIT_COMMITTER_DATE": f"{day}T12:00:00 +0000"}  # fmt: skip
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": "Ann Ash", f"GIT_{role}_EMAIL": "ann@corp.example"}
        process = subprocess.run(
            ["git", "-C", str(self.path), *args], env=env, check=True, capture_output=True
        )
        return process.stdout.decode().strip()

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


def collect_rows(repo, tmp_path, name, uploads=None):
    collect_support(
        str(repo.path), tmp_path / "s", tmp_path / "c", FAMILIES, ARCHITECTURES,
        retrieved_on=READ_ON, repository=name, uploads={name: uploads} if uploads else None,
    )  # fmt: skip
    rows = reading.read_rows(reading.open_store(tmp_path / "s"), "model_support", name)
    return {(r["family"], r["route"]): r for r in rows}


def test_first_day_removal_and_evidence(repo, tmp_path):
    repo.put("README.md", day="2024-01-01")
    repo.put("torchtune/models/llama2/a.py", day="2024-01-02")
    first = repo.put("torchtune/models/code_llama2/a.py", day="2024-04-26", author_day="2024-04-01")
    repo.put("torchtune/models/code_llama2/b.py", day="2024-05-01")
    repo.git("rm", "-rq", "torchtune/models/code_llama2")
    repo.save(day="2025-05-30")
    rows = collect_rows(repo, tmp_path, "pytorch/torchtune")
    code_llama = rows["Code Llama", "main"]
    assert (str(code_llama["supported_on"]), str(code_llama["removed_on"])) == ("2024-04-26", "2025-05-30")
    assert (code_llama["evidence_commit"], code_llama["evidence_path"]) == (
        first,
        "torchtune/models/code_llama2/a.py",
    )
    assert code_llama["evidence_name"] == "code_llama2"
    assert rows["Llama 2", "main"]["removed_on"] is None
    gemma = rows["Gemma 3", "main"]
    assert (gemma["supported_on"], gemma["evidence_commit"], gemma["known_until"]) == (None, None, READ_ON)
    assert ("Gemma 3", "transformers") not in rows


def test_a_family_that_returns_and_a_file_that_moves(repo, tmp_path):
    text = 'configs = [dict(org="google", name="gemma-2-9b")]\n'
    repo.put("lit_gpt/config.py", text, day="2024-07-01")
    (repo.path / "litgpt").mkdir()
    repo.git("mv", "lit_gpt/config.py", "litgpt/config.py")
    repo.save(day="2024-07-05")
    row = collect_rows(repo, tmp_path, "Lightning-AI/litgpt")["Gemma 2", "main"]
    assert (str(row["supported_on"]), row["removed_on"]) == ("2024-07-01", None)
    repo.put("litgpt/config.py", "configs = []\n", day="2024-08-01")
    assert (
        str(collect_rows(repo, tmp_path, "Lightning-AI/litgpt")["Gemma 2", "main"]["removed_on"])
        == "2024-08-01"
    )
    repo.put("litgpt/config.py", text, day="2024-08-09")
    row = collect_rows(repo, tmp_path, "Lightning-AI/litgpt")["Gemma 2", "main"]
    assert (str(row["supported_on"]), row["removed_on"]) == ("2024-07-01", None)


def test_a_branch_counts_on_the_day_of_its_merge(repo, tmp_path):
    repo.put("README.md", day="2024-06-01")
    repo.git("checkout", "-q", "-b", "topic")
    repo.put("torchtune/models/gemma2/a.py", day="2024-07-01")
    repo.git("checkout", "-q", "main")
    repo.put("x.py", day="2024-07-02")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "topic", day="2024-11-08")
    assert (
        str(collect_rows(repo, tmp_path, "pytorch/torchtune")["Gemma 2", "main"]["supported_on"])
        == "2024-11-08"
    )


def test_the_package_and_the_default_branch_are_separate_routes(repo, tmp_path):
    repo.put("torchtune/models/llama3/a.py", day="2024-04-18")
    repo.git("tag", "v0.1.0", day="2024-04-20")
    repo.put("torchtune/models/gemma2/a.py", day="2024-11-08")
    repo.git("tag", "v0.2.0rc1", day="2024-11-09")
    rows = collect_rows(repo, tmp_path, "pytorch/torchtune")
    assert rows["Llama 3", "package"]["evidence_commit"] == "0.1.0"
    assert rows["Gemma 2", "main"]["supported_on"] is not None
    assert rows["Gemma 2", "package"]["supported_on"] is None
    uploads = {"0.1.0": datetime(2024, 4, 21, 9, tzinfo=UTC), "0.2.0": datetime(2024, 12, 1, 9, tzinfo=UTC)}
    rows = collect_rows(repo, tmp_path, "pytorch/torchtune", uploads)
    assert (
        str(rows["Llama 3", "package"]["supported_on"]) == "2024-04-21"
    )  # day of the upload, tree of the tag
    package = rows["Gemma 2", "package"]  # no tag: main on that day
    assert (str(package["supported_on"]), package["evidence_commit"]) == ("2024-12-01", "0.2.0")


def test_transformers_adds_families_without_a_commit(repo, tmp_path):
    loader = repo.put("trl/trainer/sft_trainer.py", "AutoModelForCausalLM", day="2024-02-01")
    rows = collect_rows(repo, tmp_path, "huggingface/trl")
    days = {
        f: str(rows[f, "transformers"]["supported_on"]) for f in ("Gemma 2", "Llama 2", "Llama 3", "Gemma 3")
    }
    assert days == {
        "Gemma 2": "2024-06-27",  # the release that first had the architecture
        "Llama 2": "2024-02-01",  # not before the library used transformers
        "Llama 3": "2024-04-18",  # an old architecture: the day of its weights
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
    rows = collect_rows(repo, tmp_path, "axolotl-ai-cloud/axolotl")
    assert str(rows["Qwen1.5", "architecture"]["supported_on"]) == "2024-02-07"
    assert str(rows["Qwen2", "architecture"]["supported_on"]) == "2024-06-06"
    assert str(rows["R1-Distill", "architecture"]["supported_on"]) == "2025-01-20"
    assert rows["Qwen2", "main"]["supported_on"] is None
    assert rows["Qwen2", "shown"]["supported_on"] is None


@pytest.mark.parametrize(("name", "file", "text"), [
    ("pytorch/torchtune", "torchtune/models/llama2/a.py", ""),
    ("Lightning-AI/litgpt", "litgpt/config.py", 'configs = [dict(org="meta-llama", name="Llama-2-7b")]'),
    ("unslothai/unsloth", "unsloth/models/loader.py", 'if model_type == "llama": pass'),
])  # fmt: skip
def test_every_library_gets_the_same_credit_for_an_architecture(repo, tmp_path, name, file, text):
    repo.put(file, text, day="2023-10-25")
    rows = collect_rows(repo, tmp_path, name)
    for family, day in (("Yi", "2023-11-02"), ("Code Llama", "2023-10-25"), ("DeepSeek LLM", "2023-11-29")):
        row = rows[family, "architecture"]
        assert (str(row["supported_on"]), row["evidence_path"]) == (day, file)
        assert rows[family, "main"]["supported_on"] is None
    assert ("Gemma 2", "architecture") not in rows  # another architecture
    assert ("Qwen", "architecture") not in rows  # its weights bring their own code


def test_a_test_or_a_page_shows_a_family_on_its_own_day(repo, tmp_path):
    repo.put("trl/trainer/sft_trainer.py", "AutoModelForCausalLM", day="2024-01-01")
    repo.put("docs/source/x.md", "google/gemma-2-9b", day="2024-07-10")
    repo.put("trl/chat_templates/gemma2.jinja", "", day="2024-08-10")
    rows = collect_rows(repo, tmp_path, "huggingface/trl")
    days = {route: str(rows["Gemma 2", route]["supported_on"]) for route in ("transformers", "shown", "main")}
    assert days == {"transformers": "2024-06-27", "shown": "2024-07-10", "main": "2024-08-10"}


def test_a_page_of_a_library_with_its_own_models_is_no_support_before_the_code(repo, tmp_path):
    repo.put("docs/source/x.rst", "google/gemma-2-9b and Qwen/Qwen3-8B", day="2024-07-10")
    repo.put("torchtune/models/gemma2/a.py", day="2024-11-08")
    rows = collect_rows(repo, tmp_path, "pytorch/torchtune")
    assert str(rows["Gemma 2", "shown"]["supported_on"]) == "2024-11-08"
    assert rows["Qwen3", "shown"]["supported_on"] is None


def test_days_after_the_reading_are_not_known(repo, tmp_path):
    repo.put("litgpt/config.py", 'configs = [dict(org="google", name="gemma-7b")]', day="2024-03-01")
    repo.put("litgpt/config.py", 'configs = [dict(org="google", name="gemma-2-9b")]', day="2025-09-02")
    rows = collect_rows(repo, tmp_path, "Lightning-AI/litgpt")
    assert rows["Gemma 2", "main"]["supported_on"] is None  # the rows are of 2025-09-01
    assert str(rows["Gemma", "main"]["supported_on"]) == "2024-03-01"
    assert rows["Gemma", "main"]["removed_on"] is None


def test_a_pin_delays_what_transformers_loads(repo, tmp_path):
    loader = "src/axolotl/utils/models.py"
    repo.put(loader, "AutoModelForCausalLM", day="2024-01-01")
    repo.put("requirements.txt", "torch==2.2\ntransformers==4.41.1\n", day="2024-05-20")
    pin = repo.put("requirements.txt", "torch==2.2\ntransformers==4.42.3\n", day="2024-07-03")
    rows = collect_rows(repo, tmp_path, "axolotl-ai-cloud/axolotl")
    gemma = rows["Gemma 2", "transformers"]
    assert str(gemma["supported_on"]) == "2024-07-03"  # transformers 4.42.0 is of 2024-06-27
    assert gemma["evidence_commit"].endswith(f"; {pin}")
    assert gemma["evidence_path"].endswith("; requirements.txt")
    assert str(rows["Llama 3", "transformers"]["supported_on"]) == "2024-05-20"


def test_a_pin_below_the_release_means_no_support(repo, tmp_path):
    repo.put("pkg/load.py", "AutoModelForCausalLM", day="2024-01-01")
    repo.put("pyproject.toml", 'dependencies = ["transformers>=4.30,<4.42"]', day="2024-01-02")
    assert collect_rows(repo, tmp_path, "nobody/knows")["Gemma 2", "transformers"]["supported_on"] is None


def test_a_partial_clone_fetches_only_these_files(repo, tmp_path):
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    repo.put("litgpt/config.py", 'configs = [dict(org="google", name="gemma-2-9b")]', day="2024-07-01")
    repo.put("other.py", "print('not fetched')", day="2024-07-02")
    collect_support(f"file://{repo.path}", tmp_path / "s", tmp_path / "c", FAMILIES, {},
                    retrieved_on=READ_ON, repository="Lightning-AI/litgpt")  # fmt: skip
    rows = reading.read_rows(reading.open_store(tmp_path / "s"), "model_support", "Lightning-AI/litgpt")
    assert [r["family"] for r in rows if r["supported_on"] and r["route"] == "main"] == ["Gemma 2"]
    (clone,) = (tmp_path / "c").glob("Lightning-AI__litgpt@*.git")
    objects = subprocess.run(
        ["git", "-C", str(clone), "rev-list", "--objects", "--missing=print", "main"],
        env={**os.environ, "GIT_ALLOW_PROTOCOL": "none"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert objects.count("\n?") == 1


def test_a_history_with_a_missing_file_writes_nothing(repo, tmp_path):
    repo.put("litgpt/config.py", "configs = []", day="2024-07-01")
    blob = repo.git("rev-parse", "HEAD:litgpt/config.py")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitFailed, match="missing from the history"):
        collect_rows(repo, tmp_path, "Lightning-AI/litgpt")
    assert not (tmp_path / "s").exists()


def test_the_command_names_the_histories_that_it_cannot_read(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    load("collect-support")
    repo.put("litgpt/config.py", 'configs = [dict(org="google", name="gemma-2-9b")]', day="2024-07-01")
    repo.git("remote", "add", "origin", "https://github.com/Lightning-AI/litgpt")
    missing_url = f"file://{tmp_path}/no/where"

    def run(*words):
        return CliRunner().invoke(app, ["collect-support", *words, "--store", str(tmp_path / "s")])

    result = run(missing_url, str(repo.path))
    assert (result.exit_code, "advisor: " in result.stderr and "no/where" in result.stderr) == (3, True)
    rows = reading.read_rows(reading.open_store(tmp_path / "s"), "model_support", "Lightning-AI/litgpt")
    assert [r["family"] for r in rows if r["supported_on"] and r["route"] == "main"] == ["Gemma 2"]
    assert run(str(repo.path)).exit_code == 0
    assert isinstance(run(missing_url).exception, CollectError)  # a single history that fails is an error
    assert "exactly one" in str(run(missing_url, str(repo.path), "--name", "a/b").exception)
    repo.git("remote", "remove", "origin")
    assert "has no remote named origin: name the repository with --name owner/name" in str(
        run(str(repo.path)).exception
    )


def test_a_family_that_is_removed_twice_has_the_last_day(repo, tmp_path):
    text = 'configs = [dict(org="google", name="gemma-2-9b"), dict(org="google", name=unknown)]\n'
    for month, content in enumerate((text, "configs = []", "configs = [1]", text, ""), start=1):
        repo.put("litgpt/config.py", content, day=f"2024-0{month}-01")
    row = collect_rows(repo, tmp_path, "Lightning-AI/litgpt")["Gemma 2", "main"]
    assert (str(row["supported_on"]), str(row["removed_on"])) == ("2024-01-01", "2024-05-01")
    before = {"0.0.1": datetime(2023, 1, 1, tzinfo=UTC)}  # before the first commit
    row = collect_rows(repo, tmp_path, "Lightning-AI/litgpt", before).get(("Gemma 2", "package"))
    assert row is None or row["supported_on"] is None


def test_an_invalid_upload_time_is_an_error(tmp_path):
    file = tmp_path / "u.csv"
    file.write_text("repository,version,released_at\na/b,1.0,2024-01-01T10:00:00Z\n")
    assert read_uploads(file) == {"a/b": {"1.0": datetime(2024, 1, 1, 10, tzinfo=UTC)}}
    file.write_text("repository,version,released_at\na/b,1.0,soon\n")
    with pytest.raises(InputError, match=r"u.csv:2: invalid released_at 'soon': expected a time"):
        read_uploads(file)
