"""A merged model answers as the adapter did, or it is refused with the reason."""

from __future__ import annotations

import json
import re
import shutil
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file, save_file

from finetune.after.export_checks import add_end_tokens, check_export
from finetune.record import read_record

# PEFT uses an old name of transformers when it loads an adapter.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    """A copy of the finished run that these tests may damage."""
    return shutil.copytree(finished_run[0], tmp_path_factory.mktemp("merge") / "run")


@pytest.fixture(scope="module")
def merging(advisor, run):
    """The process that merged the run into RUN/merged."""
    return advisor("runs", "merge", run)


@pytest.fixture
def model(run, merging, tmp_path):
    """A copy of the merged model that a test may damage."""
    return shutil.copytree(run / "merged", tmp_path / "model")


def find_failures(run, model):
    return {check.name: check.result for check in check_export(run, model) if check.state == "failed"}


def change_json(path, **fields):
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_good_merge_passes_every_check_and_says_so(run, merging):
    checks = read_record(run).export
    assert [(check["name"], check["state"]) for check in checks] == [
        ("tokens", "passed"), ("end of the answer", "passed"), ("held-out loss", "passed"),
        ("ends of real answers", "not checked"), ("exact-match", "passed"),
    ]  # fmt: skip
    card = (run / "adapter" / "README.md").read_text()
    for check in checks:
        assert f"{check['state']}: {check['name']}: {check['result']}" in merging.stderr
        assert f"| {check['name']} | {check['state']} | {check['result']} |" in card
    assert "<|im_end|> (2)" in checks[1]["result"]
    assert "bound 1.0e-03 (float32)" in checks[2]["result"]


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ("+ '<|im_end|>'", "", r"held-out row 1 of \d+ has token \d+ at place \d+, and 2 in the run"),
        ("{{ '<|im_start|>assistant\n' }}", "", "the prompt of held-out row 1 has "),
        ("{% for m", "{{ raise_exception('no') }}{% for m", "held-out row 1 .* refuses this chat: no"),
    ],
)  # fmt: skip
def test_broken_template_is_refused(run, model, old, new, result):
    template = (model / "chat_template.jinja").read_text()
    changed_template = template.replace(old, new)
    assert changed_template != template
    (model / "chat_template.jinja").write_text(changed_template)
    failures = find_failures(run, model)
    assert list(failures) == ["tokens"]
    assert re.match(result, failures["tokens"])


def test_wrong_end_token_is_refused(run, model):
    change_json(model / "generation_config.json", eos_token_id=0)
    assert find_failures(run, model) == {
        "end of the answer": "the trained answers end with <|im_end|> (2), and the generation config stops at 0: "
        "no answer would end"
    }


def test_changed_or_missing_data_file_is_said_and_no_reason_to_refuse(run, merging, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    spec = read_record(copy).spec
    change_json(copy / "record.json", spec={**spec, "data": {**spec["data"], "train": "/gone.jsonl"}})
    first, *others = check_export(copy, copy / "merged")
    assert (first.state, first.result) == ("not checked", "/gone.jsonl has changed since the run, or is gone")
    assert {check.state for check in others} == {"passed", "not checked"}
    assert [check.result for check in others if check.state == "not checked"] == [
        "the adapter itself ends none of 12 answers"
    ]


def test_base_whose_generation_config_lacks_the_trained_end_token_gets_it():
    """The generation config of a base model often has only <|endoftext|>."""
    from transformers import GenerationConfig

    for stop, tokens in ((0, [0, 2]), (None, 2), ([0, 2], [0, 2]), (2, 2)):
        model = SimpleNamespace(generation_config=GenerationConfig(eos_token_id=stop))
        add_end_tokens(model, [2])
        assert model.generation_config.eos_token_id == tokens


def test_weights_of_another_adapter_are_refused(advisor, run, merging, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(copy / "merged")
    weights = load_file(copy / "adapter" / "adapter_model.safetensors")
    save_file({name: -tensor for name, tensor in weights.items() if "lora_A" in name} | {
        name: tensor for name, tensor in weights.items() if "lora_A" not in name
    }, copy / "adapter" / "adapter_model.safetensors")  # fmt: skip
    process = advisor("runs", "merge", copy, code=1)
    assert "held-out loss: " in process.stderr
    assert "with the adapter: difference " in process.stderr
    assert "bound 1.0e-03 (float32)" in process.stderr
    assert process.stdout == ""
    assert not (copy / "merged").exists()
    assert not list(copy.glob(".advisor-draft-*"))
