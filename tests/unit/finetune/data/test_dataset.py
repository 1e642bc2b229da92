"""Tokens and labels: the right characters are trained, the cache answers, nothing is lost in silence."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tiny_model

from finetune.data import dataset
from finetune.data.rows import parse
from finetune.data.template import IGNORED, encode, load_tokenizer, with_template
from finetune.errors import DataError, ModelError

MANY = {
    "messages": [
        {"role": "system", "content": "you add"},
        {"role": "user", "content": "what is 1 plus 2 ?"},
        {"role": "assistant", "content": "it is 3 ."},
        {"role": "user", "content": "what is 2 plus 2 ?"},
        {"role": "assistant", "content": "it is 4 ."},
    ]
}
MARKED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<|im_start|>assistant\n' }}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def trained(encoded, tokenizer):
    return tokenizer.decode([label for label in encoded.labels if label != IGNORED])


def test_only_the_answers_and_their_end_are_trained(composed, tokenizer):
    data = composed([MANY]).spec.data
    made = encode(parse(1, MANY), tokenizer, data)
    assert trained(made, tokenizer) == "it is 3 .<|im_end|>it is 4 .<|im_end|>"
    assert tokenizer.decode(made.input_ids).count("<|im_start|>") == 5
    assert all(label in (IGNORED, token) for token, label in zip(made.input_ids, made.labels, strict=True))


def test_a_template_with_generation_marks_gives_the_same_labels(composed, tokenizer):
    data = composed([MANY]).spec.data
    plain = encode(parse(1, MANY), tokenizer, data)
    tokenizer.chat_template = MARKED
    assert encode(parse(1, MANY), tokenizer, data) == plain


def test_an_answer_that_repeats_the_question_is_found_in_its_own_turn(composed, tokenizer):
    echo = {
        "messages": [{"role": "user", "content": "it is 3 ."}, {"role": "assistant", "content": "it is 3 ."}]
    }
    made = encode(parse(1, echo), tokenizer, composed([echo]).spec.data)
    assert trained(made, tokenizer) == "it is 3 .<|im_end|>"
    assert made.labels[: len(made.labels) // 2] == [IGNORED] * (len(made.labels) // 2)


def test_everything_completion_and_text(composed, tokenizer):
    data = composed([MANY], data={"loss_on": "everything"}).spec.data
    made = encode(parse(1, MANY), tokenizer, data)
    assert made.labels == made.input_ids
    data = composed([MANY]).spec.data
    pair = encode(parse(1, {"prompt": "what is 1 ?", "completion": " it is 1 ."}), tokenizer, data)
    assert trained(pair, tokenizer) == " it is 1 .<|im_end|>"
    text = encode(parse(1, {"text": "the sum"}), tokenizer, data)
    assert trained(text, tokenizer) == "the sum<|im_end|>"


def test_a_template_that_rewrites_the_past_is_refused_with_a_remedy(composed, tokenizer):
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] + (': ' if loop.last else ': old ') + m['content'] + '<|im_end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    told = encode(parse(1, MANY), tokenizer, composed([MANY]).spec.data)
    assert "{% generation %}" in told


def test_lengths_cut_drop_stop(composed, tokenizer, tmp_path):
    long = {
        "messages": [
            {"role": "user", "content": "what is 1 ?"},
            {"role": "assistant", "content": "it is . " * 40},
        ]
    }
    lost = {
        "messages": [{"role": "user", "content": "what is " * 60}, {"role": "assistant", "content": "it"}]
    }
    rows = [*tiny_model.sums(10), long, lost]
    made = dataset.prepare(composed(rows, data={"evaluation_share": 0}).spec, tokenizer, tmp_path / "c")
    fates = {o.place: o.fate for o in made.outcomes}
    assert (fates[11], fates[12], fates[1]) == ("cut", "no answer left", "kept")
    assert max(len(r.input_ids) for r in made.encoded("train")) == 128
    assert made.rows == 11
    dropped = dataset.prepare(composed(rows, data={"too_long": "drop"}).spec, tokenizer, tmp_path / "c")
    assert dropped.summary["fates"]["too long"] == 2
    with pytest.raises(DataError, match=r"rows\.jsonl:11 \(\d+ tokens\), rows\.jsonl:12"):
        dataset.prepare(composed(rows, data={"too_long": "stop"}).spec, tokenizer, tmp_path / "c")


def test_misfits_stop_the_run_or_are_counted(composed, tokenizer, tmp_path):
    rows = [*tiny_model.sums(5), {"question": "?"}]
    with pytest.raises(DataError, match=r"rows\.jsonl:6 fits no format.*data\.misfits=skip"):
        dataset.prepare(composed(rows).spec, tokenizer, tmp_path / "c")
    assert not any((tmp_path / "c").iterdir()), "a draft was left behind"
    made = dataset.prepare(composed(rows, data={"misfits": "skip"}).spec, tokenizer, tmp_path / "c")
    assert made.summary["fates"]["misfit"] == 1


@pytest.mark.parametrize(("record", "why"), [
    ({"text": "  "}, "has an empty text"), ({"prompt": "what ?", "completion": " "}, "has an empty completion"),
])  # fmt: skip
def test_an_empty_row_is_a_misfit(composed, tokenizer, tmp_path, record, why):
    made = composed([*tiny_model.sums(3), record], data={"misfits": "skip"}).spec
    data = dataset.prepare(made, tokenizer, tmp_path / "c")
    assert next(o for o in data.outcomes if o.place == 4).why == why


def test_where_nothing_is_left_to_train_on_it_is_said_why(composed, tokenizer, tmp_path):
    rows = [{"question": "?"}, {"text": " "}]
    with pytest.raises(DataError, match=r"nothing is left to train on \(misfit\)"):
        dataset.prepare(composed(rows, data={"misfits": "skip"}).spec, tokenizer, tmp_path / "c")
    with pytest.raises(DataError, match="there are no rows"):
        dataset.prepare(composed([]).spec, tokenizer, tmp_path / "c")


def test_an_end_that_the_completion_brings_is_not_doubled(composed, tokenizer):
    data = composed([MANY]).spec.data
    pair = {"prompt": "what is 1 ?", "completion": " it is 1 ."}
    ended = parse(1, {**pair, "completion": " it is 1 .<|im_end|>"})
    assert encode(ended, tokenizer, data) == encode(parse(1, pair), tokenizer, data)
    everything = composed([MANY], data={"loss_on": "everything"}).spec.data
    made = encode(ended, tokenizer, everything)
    assert made.labels == made.input_ids
    assert tokenizer.decode(made.input_ids) == "what is 1 ? it is 1 .<|im_end|>"


def test_a_template_that_refuses_a_row_is_told_in_its_own_words(composed, tokenizer):
    tokenizer.chat_template = "{{ raise_exception('no system turns here') }}"
    told = encode(parse(1, MANY), tokenizer, composed([MANY]).spec.data)
    assert told == "the chat template refuses it: no system turns here"


def test_marks_that_do_not_match_the_text_are_a_misfit(composed, tokenizer, monkeypatch):
    tokenizer.chat_template = MARKED
    honest = tokenizer.apply_chat_template

    def short(turns, **named):
        told = honest(turns, **named)
        if named.get("return_assistant_tokens_mask"):
            told["assistant_masks"] = told["assistant_masks"][:-1]
        return told

    monkeypatch.setattr(tokenizer, "apply_chat_template", short)
    assert "marks do not match" in encode(parse(1, MANY), tokenizer, composed([MANY]).spec.data)


@pytest.mark.parametrize("damaged", ["summary.json", "rows.jsonl"])
def test_tokens_that_are_damaged_are_named(composed, tokenizer, tmp_path, damaged):
    folder = dataset.prepare(composed(tiny_model.sums(5)).spec, tokenizer, tmp_path / "c").folder
    (folder / damaged).write_bytes(b'{"place": 1, "fa\xff')
    with pytest.raises(DataError, match="is no tokenised data set"):
        dataset.open_dataset(folder)


def test_of_two_that_tokenise_the_same_the_slower_takes_the_others(composed, tokenizer, tmp_path):
    made = composed(tiny_model.sums(5), data={"evaluation_share": 0}).spec
    first = dataset.prepare(made, tokenizer, tmp_path / "c").folder
    draft = tmp_path / "draft"
    draft.mkdir()
    dataset._settle(draft, first)
    assert dataset.open_dataset(first).rows == 5
    (first / "summary.json").unlink()
    with pytest.raises(OSError, match="not empty"):
        dataset._settle(draft, first)


def test_the_cache_answers_until_something_changes(composed, tokenizer, tmp_path):
    rows = tiny_model.sums(30)
    spec = composed(rows).spec
    seen = []
    first = dataset.prepare(spec, tokenizer, tmp_path / "c", progress=seen.append)
    assert seen[-1] == 30
    again = dataset.prepare(
        spec, tokenizer, tmp_path / "c", progress=lambda _: pytest.fail("tokenised again")
    )
    assert again.folder == first.folder
    changes = [{"data": {"max_length": 64}}, {"training": {"seed": 1}}, {"data": {"loss_on": "everything"}}]
    keys = {dataset.key(composed(rows, **c).spec, tokenizer) for c in changes}
    tokenizer.chat_template += " "
    keys.add(dataset.key(spec, tokenizer))
    assert len(keys | {first.folder.name}) == 5


def test_rows_with_the_same_question_are_held_out_together():
    rows = [parse(i, r) for i, r in enumerate(tiny_model.sums(50) * 2, 1)]
    held = dataset.split(rows, 0.2, seed=3)
    asked = [{r.question for r in rows if (r.place in held) is side} for side in (True, False)]
    assert not asked[0] & asked[1]
    assert len(asked[0]) == 10
    assert held == dataset.split(reversed(rows), 0.2, seed=3)
    assert held != dataset.split(rows, 0.2, seed=4)


def test_a_hub_models_tokenizer_is_asked_for_by_its_id_and_must_give_offsets(monkeypatch):
    from transformers import AutoTokenizer

    asked = []

    def load(name, **_):
        asked.append(name)
        return SimpleNamespace(is_fast=False)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", load)
    with pytest.raises(ModelError, match="tokenizer of owner/model gives no offsets"):
        load_tokenizer("owner/model")
    assert asked == ["owner/model"]


def test_a_model_without_tokenizer_or_template(tmp_path, composed, tokenizer):
    with pytest.raises(ModelError, match=r"has no tokenizer \(none of tokenizer\.json"):
        load_tokenizer(str(tmp_path))
    with pytest.raises(ModelError, match="there is no model folder"):
        load_tokenizer("/nowhere/model")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match=r"the tokenizer of .* cannot be loaded: "):
        load_tokenizer(str(tmp_path))
    tokenizer.chat_template = None
    assert "no chat template" in encode(parse(1, MANY), tokenizer, composed([MANY]).spec.data)
    assert not isinstance(
        encode(parse(1, MANY), with_template(tokenizer, "alpaca"), composed([MANY]).spec.data), str
    )


@pytest.mark.parametrize(("template", "why"), [
    ("{{ messages[0]['content'] }}", "loses what the turns say"), ("{{ nothing.at.all() }}", "does not render"),
    (None, "there is no file"),
])  # fmt: skip
def test_a_wrong_template_is_refused(tmp_path, tokenizer, template, why):
    file = tmp_path / "t.jinja"
    if template is not None:
        file.write_text(template)
    with pytest.raises(DataError, match=why):
        with_template(tokenizer, str(file))
