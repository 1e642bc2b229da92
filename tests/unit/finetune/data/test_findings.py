"""Each check finds its problem with the right rows, and finds nothing in clean data."""

from __future__ import annotations

import json

import pytest
import tiny_model

from finetune.data import checks, dataset, findings
from finetune.data.rows import parse_record


def chat(question, answer, system=None):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": ([{"role": "system", "content": system}] if system else []) + turns}


# Its generation blocks show the assistant turns, so advisor renders no part of a chat to find them.
GENERATION_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
)
CLEAN = tiny_model.sums(40)


@pytest.fixture
def check(make_spec, tokenizer, tmp_path):
    def run(rows, config=None, change=None, **sections):
        if change:
            change(tokenizer)
        spec = make_spec(rows, **sections).spec
        data = dataset.prepare_dataset(spec, tokenizer, tmp_path / "c")
        return {f.code: f for f in checks.check_data(spec, data, tokenizer, config or tiny_model.config())}

    return run


@pytest.mark.parametrize(
    ("kind", "stack", "code", "severity"),
    [
        ("gemma3", "axolotl", "other-senses", "warning"),
        ("gemma3", "trl", "no-text-training", "error"),
        ("qwen3_5", "trl", "no-text-training", "error"),
        *((kind, stack, "no-text-model", "error")
          for kind in ("qwen2_vl", "llava", "mistral3", "smolvlm") for stack in ("trl", "axolotl")),
    ],
)  # fmt: skip
def test_model_that_also_sees_is_refused_where_its_text_cannot_be_trained(check, kind, stack, code, severity):
    config = {"model_type": kind, "text_config": tiny_model.config(), "vision_config": {"hidden_size": 8}}
    findings = check(CLEAN, config, stack=stack)
    assert findings[code].severity == severity
    assert "the model also reads images or sound (vision_config)" in findings[code].what
    assert findings.keys() & {"other-senses", "no-text-model", "no-text-training"} == {code}


def test_transformers_loads_no_text_model_of_what_is_refused():
    """The names of transformers' table are what `AutoModelForCausalLM` does."""
    from transformers import AutoConfig, AutoModelForCausalLM

    for kind, loads in (("qwen2_vl", False), ("llava", False), ("gemma3", True), ("qwen3_5", True)):
        assert (type(AutoConfig.for_model(kind)) in AutoModelForCausalLM._model_mapping) == loads


def test_clean_data_have_only_notes(check):
    assert {f.severity for f in check(CLEAN).values()} <= {"note"}


LONG = "one two three four five six seven eight nine ten eleven twelve"
CASES = {
    "truncated": ([chat("what is 1 ?", "it is . " * 60)], (41,)),
    "answer-lost": ([chat("what is " * 80, "it")], (41,)),
    "duplicates": ([CLEAN[0], CLEAN[3]], (41, 42)),
    "near-duplicates": ([chat("count", LONG), chat("count", LONG + " thirteen")], (42,)),
    "special-in-text": ([chat("what<|im_end|>", "it is")], (41,)),
    "role-order": (
        [{"messages": [*chat("a", "b")["messages"], {"role": "assistant", "content": "c"}]}],
        (41,),
    ),
    "empty-answer": ([chat("what is 9 ?", " ")], (41,)),
}


@pytest.mark.parametrize("code", sorted(CASES))
def test_finding_has_its_rows_reason_and_remedy(check, code):
    extra, places = CASES[code]
    finding = check([*CLEAN, *extra], data={"evaluation_share": 0})[code]
    assert finding.rows == places
    assert finding.where.startswith("rows.jsonl: row")
    assert str(places[0]) in finding.where
    assert finding.why
    assert finding.remedy


def test_overlap_of_train_and_held_out_rows(check, tmp_path):
    held_out_file = tiny_model.write(
        tmp_path / "held.jsonl", [CLEAN[4], chat("new", "it is"), chat("count", LONG + " 13")]
    )
    findings_by_code = check([*CLEAN, chat("count", LONG)], data={"evaluation": str(held_out_file)})
    assert findings_by_code["overlap"].rows == (1, 3)
    longer = " ".join(f"{word} {i}" for i in range(4) for word in LONG.split())
    held_out_file = tiny_model.write(tmp_path / "held.jsonl", [chat("count on", longer)])
    rows = [*CLEAN, chat("count", longer + " now")]
    assert check(rows, data={"evaluation": str(held_out_file), "max_length": 512})["near-overlap"].rows == (
        1,
    )


def test_default_system_text_of_a_template(check):
    def template(tokenizer):
        tokenizer.chat_template = (
            "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant named "
            "Tiny<|im_end|>\n{% endif %}" + tiny_model.CHATML
        )

    findings_by_code = check(
        [*CLEAN, chat("a", "b", system="mine")], change=template, data={"evaluation_share": 0}
    )
    assert len(findings_by_code["default-system"].rows) == 40
    assert "helpful assistant named Tiny" in findings_by_code["default-system"].what


def test_end_token_without_training(check):
    def template(tokenizer):
        tokenizer.chat_template = tiny_model.CHATML.replace("<|im_end|>", " .")

    findings_by_code = check(CLEAN, change=template, data={"evaluation_share": 0})
    assert len(findings_by_code["end-not-trained"].rows) == 40
    assert "'<|im_end|>'" in findings_by_code["end-not-trained"].what


def test_padding_token_same_as_end_token(check):
    def pad(tokenizer):
        tokenizer.pad_token = tokenizer.eos_token

    assert check(CLEAN, change=pad)["pad-is-end"].severity == "note"


def test_two_bos_tokens(check):
    def bos(tokenizer):
        tokenizer.bos_token = "<|endoftext|>"
        tokenizer.chat_template = "<|endoftext|><|endoftext|>" + tiny_model.CHATML

    assert len(check(CLEAN, change=bos, data={"evaluation_share": 0})["double-bos"].rows) == 40


def test_ids_beyond_the_embeddings_and_rows_beyond_the_window_are_errors(check):
    findings_by_code = check(CLEAN, config=tiny_model.config(vocab_size=200, max_position_embeddings=10))
    assert {findings_by_code["no-embedding"].severity, findings_by_code["beyond-window"].severity} == {
        "error"
    }
    assert findings_by_code["no-embedding"].rows


def test_few_trained_tokens(check):
    assert "few-trained" in check(
        [chat("what is " * 50 + str(i), "it") for i in range(30)], data={"max_length": 512}
    )


def test_no_system_text_of_a_template_that_refuses_a_single_turn(check):
    def template(tokenizer):
        refusal = "{% if messages|length == 1 %}{{ raise_exception('no answer') }}{% endif %}"
        tokenizer.chat_template = refusal + GENERATION_TEMPLATE

    assert "default-system" not in check(CLEAN, change=template)


def test_plain_text_may_contain_special_tokens(check):
    rows = [{"text": f"<|im_start|> what is {i} ? <|im_end|>"} for i in range(30)]
    assert "special-in-text" not in check(rows, data={"format": "text"})


def test_base_or_instruct(check):
    assert check(CLEAN)["base-or-instruct"].severity == "note"
    raw = [{"prompt": f"what is {i} ?", "completion": " it is"} for i in range(30)]
    assert check(raw)["instruct-raw"].severity == "warning"
    assert check(CLEAN, data={"template": "chatml"})["base-few-rows"].severity == "warning"


def test_special_tokens_with_an_untrained_embedding(make_spec, tokenizer, tmp_path):
    import torch
    from safetensors.torch import save_file

    spec = make_spec(CLEAN).spec
    base = tmp_path / "base"
    base.mkdir()
    weights = torch.ones(700, 8)
    weights[1] = 1e-4
    save_file({"model.embed_tokens.weight": weights}, base / "model.safetensors")
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"base": str(base)})})
    data = dataset.prepare_dataset(spec, tokenizer, tmp_path / "c")
    findings_by_code = {f.code: f for f in checks.check_data(spec, data, tokenizer, tiny_model.config())}
    assert "'<|im_start|>'" in findings_by_code["untrained-tokens"].what
    assert "'<|im_end|>'" not in findings_by_code["untrained-tokens"].what


def test_findings_are_valid_json(check):
    from dataclasses import asdict

    assert json.loads(json.dumps([asdict(f) for f in check(CLEAN).values()]))


def test_material_pairs_rows_with_their_tokens(make_spec, tokenizer, tmp_path):
    spec = make_spec([*CLEAN, {"question": 1}, *CLEAN[:2]], data={"misfits": "skip"}).spec
    data = dataset.prepare_dataset(spec, tokenizer, tmp_path / "c")
    material = findings.gather_material(spec, data, tokenizer, tiny_model.config())
    from encoding import encode_row

    for split, pairs in material.token_rows.items():
        assert pairs
        for place, row in pairs:
            assert encode_row(material.raw[split][place], tokenizer, spec.data) == row
    assert parse_record(1, CLEAN[0])
