"""Tokens and labels: the trained characters, the cache, and the outcome of every row."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tiny_model
from encoding import encode_row

from finetune.data import dataset
from finetune.data.rows import parse_record
from finetune.data.template import load_tokenizer, set_template
from finetune.errors import DataError, ModelError
from finetune.runners.emit import IGNORE_INDEX

CONVERSATION = {
    "messages": [
        {"role": "system", "content": "you add"},
        {"role": "user", "content": "what is 1 plus 2 ?"},
        {"role": "assistant", "content": "it is 3 ."},
        {"role": "user", "content": "what is 2 plus 2 ?"},
        {"role": "assistant", "content": "it is 4 ."},
    ]
}
GENERATION_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<|im_start|>assistant\n' }}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def decode_trained_tokens(row, tokenizer):
    return tokenizer.decode([label for label in row.labels if label != IGNORE_INDEX])


def test_only_answers_and_their_end_tokens_are_trained(make_spec, tokenizer):
    data = make_spec([CONVERSATION]).spec.data
    row = encode_row(parse_record(1, CONVERSATION), tokenizer, data)
    assert decode_trained_tokens(row, tokenizer) == "it is 3 .<|im_end|>it is 4 .<|im_end|>"
    assert tokenizer.decode(row.input_ids).count("<|im_start|>") == 5
    assert all(label in (IGNORE_INDEX, token) for token, label in zip(row.input_ids, row.labels, strict=True))


def test_template_with_generation_blocks_gives_the_same_labels(make_spec, tokenizer):
    data = make_spec([CONVERSATION]).spec.data
    plain = encode_row(parse_record(1, CONVERSATION), tokenizer, data)
    tokenizer.chat_template = GENERATION_TEMPLATE
    assert encode_row(parse_record(1, CONVERSATION), tokenizer, data) == plain


def test_only_the_answer_is_trained_if_it_repeats_the_question(make_spec, tokenizer):
    echo = {
        "messages": [{"role": "user", "content": "it is 3 ."}, {"role": "assistant", "content": "it is 3 ."}]
    }
    row = encode_row(parse_record(1, echo), tokenizer, make_spec([echo]).spec.data)
    assert decode_trained_tokens(row, tokenizer) == "it is 3 .<|im_end|>"
    assert row.labels[: len(row.labels) // 2] == [IGNORE_INDEX] * (len(row.labels) // 2)


def test_everything_completion_and_text(make_spec, tokenizer):
    data = make_spec([CONVERSATION], data={"loss_on": "everything"}).spec.data
    row = encode_row(parse_record(1, CONVERSATION), tokenizer, data)
    assert row.labels == row.input_ids
    data = make_spec([CONVERSATION]).spec.data
    pair = encode_row(parse_record(1, {"prompt": "what is 1 ?", "completion": " it is 1 ."}), tokenizer, data)
    assert decode_trained_tokens(pair, tokenizer) == " it is 1 .<|im_end|>"
    text = encode_row(parse_record(1, {"text": "the sum"}), tokenizer, data)
    assert decode_trained_tokens(text, tokenizer) == "the sum<|im_end|>"


def test_template_that_changes_earlier_turns_is_refused_with_a_remedy(make_spec, tokenizer):
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] + (': ' if loop.last else ': old ') + m['content'] + '<|im_end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    reason = encode_row(parse_record(1, CONVERSATION), tokenizer, make_spec([CONVERSATION]).spec.data)
    assert "{% generation %}" in reason


def test_long_rows_are_truncated_dropped_or_refused(make_spec, tokenizer, tmp_path):
    long = {
        "messages": [
            {"role": "user", "content": "what is 1 ?"},
            {"role": "assistant", "content": "it is . " * 40},
        ]
    }
    no_answer = {
        "messages": [{"role": "user", "content": "what is " * 60}, {"role": "assistant", "content": "it"}]
    }
    rows = [*tiny_model.sums(10), long, no_answer]
    data = dataset.prepare_dataset(
        make_spec(rows, data={"evaluation_share": 0}).spec, tokenizer, tmp_path / "c"
    )
    fates = {o.place: o.fate for o in data.outcomes}
    assert (fates[11], fates[12], fates[1]) == ("cut", "no answer left", "kept")
    assert max(len(r.input_ids) for r in data.read_rows("train")) == 128
    assert data.rows == 11
    without_long_rows = dataset.prepare_dataset(
        make_spec(rows, data={"too_long": "drop"}).spec, tokenizer, tmp_path / "c"
    )
    assert without_long_rows.summary["fates"]["too long"] == 2
    with pytest.raises(DataError, match=r"rows\.jsonl:11 \(\d+ tokens\), rows\.jsonl:12"):
        dataset.prepare_dataset(make_spec(rows, data={"too_long": "stop"}).spec, tokenizer, tmp_path / "c")


def test_misfits_stop_the_run_or_count(make_spec, tokenizer, tmp_path):
    rows = [*tiny_model.sums(5), {"question": "?"}]
    with pytest.raises(DataError, match=r"rows\.jsonl:6 matches no format.*data\.misfits=skip"):
        dataset.prepare_dataset(make_spec(rows).spec, tokenizer, tmp_path / "c")
    assert not any((tmp_path / "c").iterdir()), "a draft was left behind"
    data = dataset.prepare_dataset(make_spec(rows, data={"misfits": "skip"}).spec, tokenizer, tmp_path / "c")
    assert data.summary["fates"]["misfit"] == 1


@pytest.mark.parametrize(("record", "why"), [
    ({"text": "  "}, "has an empty text"), ({"prompt": "what ?", "completion": " "}, "has an empty completion"),
])  # fmt: skip
def test_empty_row_is_a_misfit(make_spec, tokenizer, tmp_path, record, why):
    spec = make_spec([*tiny_model.sums(3), record], data={"misfits": "skip"}).spec
    data = dataset.prepare_dataset(spec, tokenizer, tmp_path / "c")
    assert next(o for o in data.outcomes if o.place == 4).why == why


def test_error_says_why_no_rows_are_left(make_spec, tokenizer, tmp_path):
    rows = [{"question": "?"}, {"text": " "}]
    with pytest.raises(DataError, match=r"no rows are left for training \(misfit\)"):
        dataset.prepare_dataset(make_spec(rows, data={"misfits": "skip"}).spec, tokenizer, tmp_path / "c")
    with pytest.raises(DataError, match="the source has no rows"):
        dataset.prepare_dataset(make_spec([]).spec, tokenizer, tmp_path / "c")


def test_end_token_of_a_completion_is_not_doubled(make_spec, tokenizer):
    data = make_spec([CONVERSATION]).spec.data
    pair = {"prompt": "what is 1 ?", "completion": " it is 1 ."}
    pair_with_end = parse_record(1, {**pair, "completion": " it is 1 .<|im_end|>"})
    assert encode_row(pair_with_end, tokenizer, data) == encode_row(parse_record(1, pair), tokenizer, data)
    everything = make_spec([CONVERSATION], data={"loss_on": "everything"}).spec.data
    row = encode_row(pair_with_end, tokenizer, everything)
    assert row.labels == row.input_ids
    assert tokenizer.decode(row.input_ids) == "what is 1 ? it is 1 .<|im_end|>"


def test_refusal_of_a_template_is_the_reason_of_the_misfit(make_spec, tokenizer):
    tokenizer.chat_template = "{{ raise_exception('no system turns here') }}"
    reason = encode_row(parse_record(1, CONVERSATION), tokenizer, make_spec([CONVERSATION]).spec.data)
    assert reason == "the chat template refuses this chat: no system turns here"


def test_chat_is_rendered_once_if_the_template_shows_its_answers(make_spec, tokenizer):
    data = make_spec([CONVERSATION]).spec.data
    plain = encode_row(parse_record(1, CONVERSATION), tokenizer, data)
    tokenizer.chat_template = "{{ strftime_now('%f') }}" + GENERATION_TEMPLATE  # another text each time
    row = encode_row(parse_record(1, CONVERSATION), tokenizer, data)
    assert decode_trained_tokens(row, tokenizer) == decode_trained_tokens(plain, tokenizer)


@pytest.mark.parametrize("name", ["summary.json", "rows.jsonl"])
def test_damaged_data_set_is_refused(make_spec, tokenizer, tmp_path, name):
    folder = dataset.prepare_dataset(make_spec(tiny_model.sums(5)).spec, tokenizer, tmp_path / "c").folder
    (folder / name).write_bytes(b'{"place": 1, "fa\xff')
    with pytest.raises(DataError, match="is not a complete tokenised data set"):
        dataset.open_dataset(folder)


def test_slower_of_two_runs_uses_the_tokens_of_the_faster(make_spec, tokenizer, tmp_path):
    spec = make_spec(tiny_model.sums(5), data={"evaluation_share": 0}).spec
    first = dataset.prepare_dataset(spec, tokenizer, tmp_path / "c").folder
    draft = tmp_path / "draft"
    draft.mkdir()
    dataset._rename_draft(draft, first)
    assert dataset.open_dataset(first).rows == 5
    (first / "summary.json").unlink()
    with pytest.raises(OSError, match="not empty"):
        dataset._rename_draft(draft, first)


def test_cache_is_used_until_an_input_changes(make_spec, tokenizer, tmp_path):
    rows = tiny_model.sums(30)
    spec = make_spec(rows).spec
    counts = []
    first = dataset.prepare_dataset(spec, tokenizer, tmp_path / "c", progress=counts.append)
    assert counts[-1] == 30
    again = dataset.prepare_dataset(
        spec, tokenizer, tmp_path / "c", progress=lambda _: pytest.fail("tokenised again")
    )
    assert again.folder == first.folder
    changes = [{"data": {"max_length": 64}}, {"training": {"seed": 1}}, {"data": {"loss_on": "everything"}}]
    keys = {dataset.hash_inputs(make_spec(rows, **c).spec, tokenizer) for c in changes}
    tokenizer.chat_template += " "
    keys.add(dataset.hash_inputs(spec, tokenizer))
    assert len(keys | {first.folder.name}) == 5


def test_rows_with_the_same_question_are_on_the_same_side():
    rows = [parse_record(i, r) for i, r in enumerate(tiny_model.sums(50) * 2, 1)]
    places = dataset.choose_held_out_rows(rows, 0.2, seed=3)
    questions = [{r.question for r in rows if (r.place in places) is side} for side in (True, False)]
    assert not questions[0] & questions[1]
    assert len(questions[0]) == 10
    assert places == dataset.choose_held_out_rows(reversed(rows), 0.2, seed=3)
    assert places != dataset.choose_held_out_rows(rows, 0.2, seed=4)


def test_hub_tokenizer_is_loaded_by_its_id_and_must_be_fast(monkeypatch):
    from transformers import AutoTokenizer

    names = []

    def load(name, **_):
        names.append(name)
        return SimpleNamespace(is_fast=False)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", load)
    with pytest.raises(ModelError, match="tokenizer of owner/model is not a fast tokenizer"):
        load_tokenizer("owner/model")
    assert names == ["owner/model"]


def test_model_without_tokenizer_or_template_is_refused(tmp_path, make_spec, tokenizer):
    with pytest.raises(ModelError, match=r"has no tokenizer \(none of tokenizer\.json"):
        load_tokenizer(str(tmp_path))
    with pytest.raises(ModelError, match="model folder /nowhere/model does not exist"):
        load_tokenizer("/nowhere/model")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match=r"cannot load the tokenizer of .*: "):
        load_tokenizer(str(tmp_path))
    tokenizer.chat_template = None
    assert "no chat template" in encode_row(
        parse_record(1, CONVERSATION), tokenizer, make_spec([CONVERSATION]).spec.data
    )
    assert not isinstance(
        encode_row(
            parse_record(1, CONVERSATION),
            set_template(tokenizer, "alpaca"),
            make_spec([CONVERSATION]).spec.data,
        ),
        str,
    )


@pytest.mark.parametrize(("template", "why"), [
    ("{{ messages[0]['content'] }}", "drops the text of the turns"), ("{{ nothing.at.all() }}", "cannot render a chat"),
    (None, "invalid data.template"),
])  # fmt: skip
def test_wrong_template_is_refused(tmp_path, tokenizer, template, why):
    file = tmp_path / "t.jinja"
    if template is not None:
        file.write_text(template)
    with pytest.raises(DataError, match=why):
        set_template(tokenizer, str(file))
