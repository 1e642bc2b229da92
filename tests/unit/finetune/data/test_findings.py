"""Each finding fires on the data that it is about, names the rows, says why and what to do; else it is silent."""

from __future__ import annotations

import json

import pytest
import tiny_model

from finetune.data import checks, dataset, findings
from finetune.data.rows import parse


def chat(question, answer, system=None):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": ([{"role": "system", "content": system}] if system else []) + turns}


# Its assistant turns are marked, so that no part of a chat is rendered to find them.
MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
)
CLEAN = tiny_model.sums(40)


@pytest.fixture
def look(composed, tokenizer, tmp_path):
    def run(rows, config=None, change=None, **sections):
        if change:
            change(tokenizer)
        spec = composed(rows, **sections).spec
        data = dataset.prepare(spec, tokenizer, tmp_path / "c")
        return {f.code: f for f in checks.look(spec, data, tokenizer, config or tiny_model.config())}

    return run


def test_clean_data_have_no_errors_and_no_warnings(look):
    assert {f.severity for f in look(CLEAN).values()} <= {"note"}


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
def test_a_finding_names_its_rows(look, code):
    extra, places = CASES[code]
    found = look([*CLEAN, *extra], data={"evaluation_share": 0})[code]
    assert found.rows == places
    assert found.where.startswith("rows.jsonl: row")
    assert str(places[0]) in found.where
    assert found.why
    assert found.remedy


def test_overlap_of_train_and_held_out_rows(look, tmp_path):
    held = tiny_model.write(
        tmp_path / "held.jsonl", [CLEAN[4], chat("new", "it is"), chat("count", LONG + " 13")]
    )
    found = look([*CLEAN, chat("count", LONG)], data={"evaluation": str(held)})
    assert found["overlap"].rows == (1, 3)
    longer = " ".join(f"{word} {i}" for i in range(4) for word in LONG.split())
    held = tiny_model.write(tmp_path / "held.jsonl", [chat("count on", longer)])
    rows = [*CLEAN, chat("count", longer + " now")]
    assert look(rows, data={"evaluation": str(held), "max_length": 512})["near-overlap"].rows == (1,)


def test_default_system_text_of_a_template(look):
    def template(tokenizer):
        tokenizer.chat_template = (
            "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant named "
            "Tiny<|im_end|>\n{% endif %}" + tiny_model.CHATML
        )

    found = look([*CLEAN, chat("a", "b", system="mine")], change=template, data={"evaluation_share": 0})
    assert len(found["default-system"].rows) == 40
    assert "helpful assistant named Tiny" in found["default-system"].what


def test_an_end_that_is_not_trained(look):
    def template(tokenizer):
        tokenizer.chat_template = tiny_model.CHATML.replace("<|im_end|>", " .")

    found = look(CLEAN, change=template, data={"evaluation_share": 0})
    assert len(found["end-not-trained"].rows) == 40
    assert "'<|im_end|>'" in found["end-not-trained"].what


def test_pad_that_is_the_end(look):
    def pad(tokenizer):
        tokenizer.pad_token = tokenizer.eos_token

    assert look(CLEAN, change=pad)["pad-is-end"].severity == "note"


def test_two_beginnings(look):
    def bos(tokenizer):
        tokenizer.bos_token = "<|endoftext|>"
        tokenizer.chat_template = "<|endoftext|><|endoftext|>" + tiny_model.CHATML

    assert len(look(CLEAN, change=bos, data={"evaluation_share": 0})["double-bos"].rows) == 40


def test_ids_beyond_the_embeddings_and_rows_beyond_the_window_are_errors(look):
    found = look(CLEAN, config=tiny_model.config(vocab_size=200, max_position_embeddings=10))
    assert {found["no-embedding"].severity, found["beyond-window"].severity} == {"error"}
    assert found["no-embedding"].rows


def test_few_trained_tokens(look):
    assert "few-trained" in look(
        [chat("what is " * 50 + str(i), "it") for i in range(30)], data={"max_length": 512}
    )


def test_a_template_that_refuses_a_lone_question_is_not_asked_for_its_system_text(look):
    def template(tokenizer):
        refusal = "{% if messages|length == 1 %}{{ raise_exception('no answer') }}{% endif %}"
        tokenizer.chat_template = refusal + MARKED

    assert "default-system" not in look(CLEAN, change=template)


def test_plain_text_may_hold_special_tokens(look):
    rows = [{"text": f"<|im_start|> what is {i} ? <|im_end|>"} for i in range(30)]
    assert "special-in-text" not in look(rows, data={"format": "text"})


def test_base_or_instruct(look):
    assert look(CLEAN)["base-or-instruct"].severity == "note"
    raw = [{"prompt": f"what is {i} ?", "completion": " it is"} for i in range(30)]
    assert look(raw)["instruct-raw"].severity == "warning"
    assert look(CLEAN, data={"template": "chatml"})["base-few-rows"].severity == "warning"


def test_special_tokens_whose_embedding_was_never_trained(composed, tokenizer, tmp_path):
    import torch
    from safetensors.torch import save_file

    spec = composed(CLEAN).spec
    base = tmp_path / "base"
    base.mkdir()
    weights = torch.ones(700, 8)
    weights[1] = 1e-4
    save_file({"model.embed_tokens.weight": weights}, base / "model.safetensors")
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"base": str(base)})})
    data = dataset.prepare(spec, tokenizer, tmp_path / "c")
    found = {f.code: f for f in checks.look(spec, data, tokenizer, tiny_model.config())}
    assert "'<|im_start|>'" in found["untrained-tokens"].what
    assert "'<|im_end|>'" not in found["untrained-tokens"].what


def test_findings_can_be_written_as_json(look):
    from dataclasses import asdict

    assert json.loads(json.dumps([asdict(f) for f in look(CLEAN).values()]))


def test_the_material_pairs_rows_with_their_tokens(composed, tokenizer, tmp_path):
    spec = composed([*CLEAN, {"question": 1}, *CLEAN[:2]], data={"misfits": "skip"}).spec
    data = dataset.prepare(spec, tokenizer, tmp_path / "c")
    seen = findings.gather(spec, data, tokenizer, tiny_model.config())
    from finetune.data.template import encode

    for split, pairs in seen.encoded.items():
        assert pairs
        for place, row in pairs:
            assert encode(seen.raw[split][place], tokenizer, spec.data) == row
    assert parse(1, CLEAN[0])


def test_a_candidate_of_the_sketches_that_is_not_alike_enough_is_no_pair():
    from finetune.data.checks import NEAR, near_pairs

    words = [f"w{i}" for i in range(60)]
    texts = {
        n: " ".join([*words[:keep], *(f"x{n}{i}" for i in range(60 - keep))])
        for n, keep in enumerate(range(40, 61))
    }
    runs = {n: {" ".join(t.split()[i : i + 3]) for i in range(58)} for n, t in texts.items()}
    pairs = near_pairs(texts)
    assert pairs
    assert all(len(runs[a] & runs[b]) >= NEAR * len(runs[a] | runs[b]) for a, b in pairs)
