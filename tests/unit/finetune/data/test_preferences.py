"""Preferences: their formats, what is refused, their tokens compared with trl's own, and the checks."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import tiny_model
from encoding import encode_row

from finetune.data import checks, dataset
from finetune.data.encoded_row import EncodedRow
from finetune.data.rows import Misfit, Row, parse_record
from finetune.data.template import load_tokenizer
from finetune.data.turns import Message
from finetune.errors import DataError
from finetune.runners.emit import IGNORE_INDEX
from finetune.sections import Data

USER, GOOD, BAD = ({"role": role, "content": text} for role, text in
                   (("user", "what is 1 plus 1 ?"), ("assistant", "it is 2 ."), ("assistant", "it is 3 .")))  # fmt: skip
OTHER = {"role": "user", "content": "sure ?"}
PAIR = {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]}
SHAREGPT = [{"from": "human", "value": USER["content"]}]
TURNS = [Message(turn["role"], turn["content"]) for turn in (USER, GOOD, BAD)]


def pairs(count=40):
    return [
        {**PAIR, "prompt": [{"role": "user", "content": f"what is {n} plus {n} ?"}]} for n in range(count)
    ]


@pytest.fixture
def prepare(make_spec, tokenizer, tmp_path):
    """Return the data set, and the findings by their code."""

    def run(rows, objective="dpo", **data):
        spec = make_spec(rows, method={"objective": objective}, data=data).spec
        tokens = dataset.prepare_dataset(spec, tokenizer, tmp_path / "c")
        return tokens, {f.code: f for f in checks.check_data(spec, tokens, tokenizer, tiny_model.config())}

    return run


@pytest.mark.parametrize("record", [
    PAIR, {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
    {**PAIR, "chosen": GOOD, "rejected": BAD["content"]},
    {"prompt": USER["content"], "chosen": [USER, GOOD], "rejected": [USER, BAD], "messages": [USER, GOOD],
     "score_chosen": 8.0, "score_rejected": 2.0, "prompt_id": "7"},
    {"instruction": USER["content"], "input": "", "chosen": GOOD["content"], "rejected": BAD["content"]},
    {"question": USER["content"], "chosen": GOOD["content"], "rejected": BAD["content"]},
    {"conversations": SHAREGPT, "chosen": {"from": "gpt", "value": GOOD["content"]},
     "rejected": {"from": "gpt", "value": BAD["content"]}},
])  # fmt: skip
def test_forms_of_a_preference_are_the_same_pair(record):
    row = parse_record(1, record)
    assert isinstance(row, Row), row
    assert row.format == row.rejected.format == "preference"
    assert (row.messages, row.rejected.messages) == ((TURNS[0], TURNS[1]), (TURNS[0], TURNS[2]))
    assert (row.prompt_turns, row.rejected.prompt_turns) == (1, 1)
    assert row.score_gap == (6.0 if "score_chosen" in record else None)


@pytest.mark.parametrize(("record", "texts"), [
    ({"prompt": "2 ?", "chosen": " yes", "rejected": " no"}, ("2 ?", " yes", " no")),
    ({"chosen": "is it 2 ? yes", "rejected": "is it 2 ? no"}, ("is it 2 ?", " yes", " no")),
    ({"chosen": "\n\nHuman: 2 ?\n\nAssistant: I do", "rejected": "\n\nHuman: 2 ?\n\nAssistant: I do not"},
     ("\n\nHuman: 2 ?\n\nAssistant:", " I do", " I do not")),
])  # fmt: skip
def test_preference_of_texts_has_an_explicit_or_an_implicit_prompt(record, texts):
    row = parse_record(1, record)
    assert (row.prompt, row.completion, row.rejected.completion) == texts
    assert row.rejected.prompt == row.prompt


def test_implicit_prompt_of_a_chat_ends_before_the_first_different_answer():
    turns = [USER, GOOD, OTHER]
    row = parse_record(1, {"chosen": [*turns, GOOD], "rejected": [*turns, BAD]})
    assert row.prompt_turns == 3
    assert row.question == parse_record(1, {"messages": [*turns, BAD]}).question


@pytest.mark.parametrize(("record", "why"), [
    ({"prompt": "x", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, "another prompt in chosen and rejected than in"),
    ({"chosen": [USER, GOOD], "rejected": [OTHER, BAD]}, "do not begin with the same turn"),
    ({"chosen": [USER, GOOD, USER, GOOD], "rejected": [USER, GOOD, OTHER, BAD]}, "different prompts: turn 3 of chosen"),
    ({"chosen": "yes", "rejected": "no"}, "do not begin with the same words"),
    ({"chosen": [USER, GOOD], "rejected": "no"}, "must both be text, or both lists of messages"),
    ({**PAIR, "rejected": [{**BAD, "audio": "x"}]}, "(rejected) turn 2 has the field 'audio'"),
    ({**PAIR, "chosen": []}, "has an answer of type list"), ({**PAIR, "reward": 3}, "has the field 'reward'"),
    ({**PAIR, "prompt": 3}, "has a prompt of type int"), ({**PAIR, "voice": "v"}, "has the field 'voice'"),
    ({"messages": "m", "chosen": "a", "rejected": "b"}, "has messages of type str"),
])  # fmt: skip
def test_preference_that_cannot_be_read_is_a_misfit(record, why):
    misfit = parse_record(4, record)
    assert isinstance(misfit, Misfit), misfit
    assert why in misfit.why


@pytest.mark.parametrize(("record", "label"), [
    ({"prompt": [USER], "completion": [GOOD], "label": True}, True), ({"messages": [USER, GOOD], "label": 0}, False),
    ({"conversations": [*SHAREGPT, {"from": "gpt", "value": GOOD["content"]}], "kto_tag": True}, True),
    ({"instruction": USER["content"], "output": GOOD["content"], "label": False}, False),
])  # fmt: skip
def test_answer_with_a_label_is_an_unpaired_preference(record, label):
    row = parse_record(1, record)
    assert (row.format, row.is_desirable, row.prompt_turns) == ("unpaired-preference", label, 1)
    assert row.messages == (TURNS[0], TURNS[1])


@pytest.mark.parametrize(("objective", "record", "why"), [
    ("sft", PAIR, "1 has two answers (chosen and rejected), but method.objective is 'sft'; set method.objective = 'dpo'"),
    ("sft", {"messages": [USER, GOOD], "label": True}, "1 has an answer with a label, but method.objective is 'sft'"),
    ("dpo", {"messages": [USER, GOOD]}, "the format chat, but method.objective = 'dpo' needs preference"),
    ("dpo", {"messages": [USER, GOOD], "label": True}, "format unpaired-preference, but method.objective = 'dpo'"),
    ("kto", {"messages": [USER, GOOD]}, "the format chat, but method.objective = 'kto' needs unpaired-preference"),
])  # fmt: skip
def test_rows_for_another_objective_are_refused_by_number(prepare, objective, record, why):
    with pytest.raises(DataError) as error:
        prepare([record], objective)
    assert why in str(error.value)


def test_required_format_is_the_one_of_every_row(prepare):
    with pytest.raises(DataError, match=r"2 has the format chat, but data\.format is preference"):
        prepare([PAIR, {"messages": [USER, GOOD]}], format="preference")


def test_tokens_of_a_pair_are_those_of_trl(tokenizer_folder):
    """trl's DPOTrainer prepares the same rows; only the newline after the end token differs, on purpose."""
    from datasets import Dataset
    from trl import DPOTrainer

    tokenizer = load_tokenizer(str(tokenizer_folder))
    records = [PAIR, {"prompt": [USER, GOOD, OTHER], "chosen": [GOOD], "rejected": [BAD]}]
    texts = [{"prompt": "what is 1", "chosen": " plus 1 ?", "rejected": " and 2 ?"}, {"prompt": "what i", "chosen": "s 1 ?", "rejected": "t 2 ?"}]  # fmt: skip
    trainer = SimpleNamespace(_tokenizer=tokenizer)
    config = SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    for group in (records, texts):
        trl_rows = DPOTrainer._prepare_dataset(trainer, Dataset.from_list(group), tokenizer, config, "train")
        for record, trl_row in zip(group, trl_rows, strict=True):
            row = encode_row(parse_record(1, record), tokenizer, Data(train="x"))
            assert isinstance(row, EncodedRow), row
            for side, name in zip(row.sides, ("chosen_ids", "rejected_ids"), strict=True):
                assert side.input_ids == trl_row["prompt_ids"] + trl_row[name]
                answer = tokenizer.decode([label for label in side.labels if label != IGNORE_INDEX])
                assert answer == tokenizer.decode(trl_row[name]).removesuffix("\n")
                assert side.answer_start == len(trl_row["prompt_ids"])


def test_data_set_counts_both_answers(prepare):
    tokens, findings = prepare(pairs())
    rows = [*tokens.read_rows("train"), *tokens.read_rows("test")]
    assert len(rows) == 40
    assert tokens.summary["test_rows"] == 4
    sides = [side for row in tokens.read_rows("train") for side in row.sides]
    assert len(sides) == 2 * tokens.rows
    assert tokens.summary["train_tokens"] == sum(len(side.input_ids) for side in sides)
    assert tokens.summary["trained_tokens"] == sum(row.trained_tokens for row in tokens.read_rows("train"))
    assert {f.severity for f in findings.values()} <= {"note"}


def test_kto_takes_a_pair_as_two_answers(prepare):
    tokens, _ = prepare(pairs(), "kto")
    rows = list(tokens.read_rows("train"))
    assert [row.is_desirable for row in rows] == [True, False] * (len(rows) // 2)
    assert all(row.rejected is None for row in rows)
    assert tokens.rows == 2 * 36


def test_checks_of_preferences_name_their_rows(prepare):
    same = {**PAIR, "rejected": [GOOD]}
    swapped = {"prompt": pairs()[0]["prompt"], "chosen": [BAD], "rejected": [GOOD]}
    worse = {**PAIR, "prompt": [OTHER], "score_chosen": 1, "score_rejected": 2}
    long = {**PAIR, "chosen": [{**GOOD, "content": "it is " * 90}]}
    late = {
        "prompt": [USER],
        **{side: [{**GOOD, "content": "it is " * 90 + side}] for side in ("chosen", "rejected")},
    }
    rows = [*pairs(), same, swapped, worse, long, late, pairs()[3]]
    tokens, findings = prepare(rows, evaluation_share=0)
    assert {code: findings[code].rows for code in ("no-difference", "contradiction", "lower-score", "truncated")} == {
        "no-difference": (41, 45), "contradiction": (42,), "lower-score": (43,), "truncated": (44,),
    }  # fmt: skip
    assert findings["duplicates"].rows == (46,)
    assert tokens.rows == 44
    assert "the chosen and the rejected answer and are dropped" in findings["no-difference"].what


def test_checks_of_lengths_and_labels(prepare):
    longer = [{**row, "chosen": [{**GOOD, "content": f"it is {'2 ' * 9}"}]} for row in pairs()]
    assert "100% of the rows" in prepare(longer)[1]["longer-answers"].what
    labelled_rows = [
        {"messages": [*row["prompt"], GOOD], "label": n % 4 == 0} for n, row in enumerate(pairs())
    ]
    findings = prepare(labelled_rows, "kto", evaluation_share=0)[1]
    assert "10 answers are desirable and 30 undesirable" in findings["unbalanced-labels"].what
    rows = [{**row, "label": True} for row in labelled_rows]
    assert prepare(rows, "kto")[1]["one-label"].severity == "error"


def test_too_long_answer_of_either_side_drops_the_pair(prepare):
    long = {**PAIR, "rejected": [{**BAD, "content": "it is " * 90}]}
    tokens, findings = prepare([*pairs(), long], too_long="drop")
    assert findings["dropped"].rows == (41,)
    assert math.isclose(tokens.summary["longest"], max(len(s.input_ids) for r in tokens.read_rows("train") for s in r.sides))  # fmt: skip
