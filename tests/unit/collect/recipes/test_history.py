"""Recipes over the history of a real repository, and the nearest ones of two libraries for a task."""

from __future__ import annotations

import json
from datetime import date

import pytest
from repositories import Repo
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.facts import reading
from advisor.facts.views import as_of_view

READ_ON = "2024-12-01"
LITGPT, TORCHTUNE = "Lightning-AI/litgpt", "pytorch/torchtune"


def write(repo, path, text, day):
    (repo.path / path).unlink(missing_ok=True)
    return repo.commit(path, text=text, day=day)


def config(model, quantize=""):
    return f"checkpoint_dir: checkpoints/{model}\n{quantize}\ndevices: 1\ndata: litgpt.data.Alpaca2k\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    litgpt, torchtune = Repo(folder / "litgpt"), Repo(folder / "torchtune")
    litgpt.commit("README.md", day="2023-06-01")
    write(litgpt, "config_hub/finetune/gemma-2b/lora.yaml", config("google/gemma-2b"), "2024-03-01")
    write(litgpt, "config_hub/finetune/llama-3-8b/qlora.yaml",
          config("meta-llama/Meta-Llama-3-8B", "quantize: bnb.nf4"), "2024-05-01")  # fmt: skip
    write(litgpt, "config_hub/finetune/gemma-2b/lora.yaml", config("google/gemma-2-2b"), "2024-08-01")
    litgpt.git("mv", "config_hub/finetune/llama-3-8b", "config_hub/finetune/llama3", day="2024-09-01")
    litgpt.git("commit", "-q", "-m", "move", day="2024-09-01")
    litgpt.git("rm", "-q", "config_hub/finetune/gemma-2b/lora.yaml", day="2024-10-01")
    litgpt.git("commit", "-q", "-m", "remove", day="2024-10-01")
    write(litgpt, "config_hub/finetune/late/lora.yaml", config("google/gemma-2b"), "2025-01-01")
    write(torchtune, "recipes/configs/llama3_1/8B_lora.yaml",
          "# tune download meta-llama/Meta-Llama-3.1-8B --output-dir x\n"
          "# tune run --nproc_per_node 4 lora_finetune_distributed\n"
          "model:\n  _component_: torchtune.models.llama3_1.lora_llama3_1_8b\n", "2024-07-25")  # fmt: skip
    for repo, name in ((litgpt, LITGPT), (torchtune, TORCHTUNE)):
        run("collect-docs", repo.path, "--name", name, "--store", folder / "s", "--retrieved-on", READ_ON)
    return folder / "s"


def run(*arguments, code=0):
    load(arguments[0])
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout


def rows_of(store, name):
    return [r for r in reading.read_rows(reading.open_store(store), "recipes", name) if r["path"]]


def test_each_version_has_its_days(store):
    rows = rows_of(store, LITGPT)
    days = sorted((r["path"].split("/")[2], r["family"], *(r[c] and f"{r[c]:%m-%d}" for c in
                  ("added_on", "changed_on", "replaced_on"))) for r in rows)  # fmt: skip
    assert days == [
        ("gemma-2b", "Gemma", "03-01", "03-01", "08-01"),
        ("gemma-2b", "Gemma 2", "03-01", "08-01", "10-01"),
        ("llama-3-8b", "Llama 3", "05-01", "05-01", "09-01"),
        ("llama3", "Llama 3", "05-01", "09-01", None),  # it only moved, so it is as old as before
    ]
    assert {r["known_until"] for r in rows} == {date(2024, 12, 1)}, "a later commit is not known"


def test_a_history_without_recipes_is_known_to_have_none(tmp_path):
    repo = Repo(tmp_path / "clone")
    repo.commit("README.md", day="2024-02-03")
    run("collect-docs", repo.path, "--name", LITGPT, "--store", tmp_path / "s", "--retrieved-on", READ_ON)
    (row,) = reading.read_rows(reading.open_store(tmp_path / "s"), "recipes", LITGPT)
    assert (row["path"], row["changed_on"], row["known_until"]) == (None, date(2024, 2, 3), date(2024, 12, 1))
    text = run("recipes", "litgpt", "--store", tmp_path / "s", code=4)
    assert f"{LITGPT}: no recipe in its tree" in text


def answer(store, *options, code=0):
    return json.loads(run("recipes", *options, "--store", store, "--format", "json", code=code))


def test_the_nearest_recipe_says_what_differs(store):
    report = answer(store, "--model", "llama-3", "--method", "qlora", "--gpu", "24GB")
    assert list(report["nearest"]) == [LITGPT, TORCHTUNE]
    (fits,), (near,) = report["nearest"].values()
    assert (fits["differences"], fits["steps"], fits["age_days"]) == ([], 0, 91)
    assert fits["address"].endswith("/config_hub/finetune/llama3/qlora.yaml")
    assert near["differences"] == [
        "made for meta-llama/Meta-Llama-3.1-8B, not for Llama 3",
        "lora, not qlora",
        "for 4 GPUs",
    ]
    assert report["missing"]["huggingface/trl"] == "no data: run `advisor collect-docs`"


def test_the_answer_for_a_past_day_has_what_was_there(store):
    report = answer(store, "litgpt", "--method", "lora", "--as-of", "2024-08-15", "--most", "3")
    assert [(r["family"], r["method"]) for r in report["nearest"][LITGPT]] == [
        ("Gemma 2", "lora"),
        ("Llama 3", "qlora"),
    ]
    past = answer(store, "litgpt", "--method", "lora", "--as-of", "2024-04-01")
    assert [r["family"] for r in past["nearest"][LITGPT]] == ["Gemma"]
    assert "replaced_on <=" in as_of_view("recipes", "x", "DATE '2024-04-01'")


def test_another_task_is_further_than_another_model(store):
    report = answer(store, "torchtune", "--model", "google/gemma-2-9b", "--method", "dpo")
    (recipe,) = report["nearest"][TORCHTUNE]
    assert recipe["differences"][1] == "sft, not dpo"
    assert recipe["steps"] == 10


def test_formats(store):
    options = ("recipes", "--model", "llama-3", "--method", "qlora", "--store", store)
    text = run(*options)
    assert "litgpt (0 steps): config_hub/finetune/llama3/qlora.yaml" in text
    assert "differs: nothing" in text
    assert run(*options, "--format", "csv").splitlines()[1].startswith(f"{LITGPT},config_hub/")
    assert "| litgpt | 0 |" in run(*options, "--format", "markdown")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "qloar"), "did you mean lora or qlora"),
        (("--method", "lora", "--method", "full"), "exclude each other"),
        (("--model", "gema-2"), "unknown model 'gema-2'"),
        (("--gpu", "big"), "write it as 24GB"),
    ],
)
def test_a_wrong_wish_is_an_error(store, options, message):
    result = CliRunner().invoke(app, ["recipes", *options, "--store", str(store)])
    assert message in str(result.exception), result.output


def test_another_history_of_a_library_needs_its_layout(tmp_path, store):
    repo = Repo(tmp_path / "clone")
    repo.commit("README.md")
    result = CliRunner().invoke(app, ["collect-docs", str(repo.path), "--name", "own/er", "--library", LITGPT,
                                      "--store", str(tmp_path / "s")])  # fmt: skip
    assert "own/er is not a repository with recipes of Lightning-AI/litgpt" in str(result.exception)
    assert not (tmp_path / "s").exists()
