"""The rows of a probe: the split, prompts with examples, and the scores; tests/train runs one."""

from __future__ import annotations

import json

import pytest
import tiny_model

from finetune.data.rows import parse_record
from finetune.errors import DataError, RunError
from finetune.study import earlier, probe, prompting


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_smaller_shares_are_parts_of_larger_ones_and_of_no_held_out_row(make_spec, tmp_path):
    spec = make_spec(tiny_model.sums(100)).spec
    files = probe.split_rows(spec, tmp_path / "probe")
    held_out, *shares = (read(files[key]) for key in ("held-out", 10, 30, 100))
    assert (tmp_path / "probe").stat().st_mode & 0o777 == 0o700, "the rows are for the user alone"
    assert [len(rows) for rows in (held_out, *shares)] == [10, 9, 27, 90]
    assert shares[0] == shares[1][:9] == shares[2][:9]
    assert all(row not in held_out for row in shares[2])
    assert sorted(map(str, held_out + shares[2])) == sorted(map(str, tiny_model.sums(100)))


def test_too_few_rows_with_questions_are_refused(make_spec, tmp_path):
    texts = [{"text": f"plain {i}"} for i in range(50)]
    with pytest.raises(DataError, match=r"at least 10 rows .* gives 5 and 1"):
        probe.split_rows(make_spec([*texts, *tiny_model.sums(6)]).spec, tmp_path)


def test_examples_stand_before_the_question_and_after_the_system_text():
    def chat(*turns):
        return parse_record(1, {"messages": [{"role": role, "content": text} for role, text in turns]})

    row = chat(("system", "short"), ("user", "q"), ("assistant", "a"))
    examples = [chat(("system", "other"), ("user", f"q{i}"), ("assistant", f"a{i}")) for i in range(2)]
    turns = [(turn.role, turn.text) for turn in prompting.add_examples(row, examples).messages]
    assert [text for _, text in turns] == ["short", "q0", "a0", "q1", "a1", "q", "a"]
    pair = parse_record(1, {"prompt": "3+4=", "completion": "7"})
    example = parse_record(2, {"prompt": "1+1=", "completion": "2"})
    assert prompting.add_examples(pair, [example]).prompt == "1+1=2\n\n3+4="


def test_examples_that_do_not_fit_into_the_window_are_left_out(make_spec, tokenizer):
    spec = make_spec(tiny_model.sums(20)).spec
    rows = [parse_record(n, record) for n, record in enumerate(tiny_model.sums(10))]
    held_out, examples = dict(enumerate(rows[:3])), rows[3:8]
    plain, prompted, count = prompting._encode(held_out, examples, tokenizer, spec.data, 512)
    assert (len(plain), len(prompted), count) == (3, 3, 5)
    sizes = [len(row.input_ids) for row in prompted.values()]
    plain, prompted, count = prompting._encode(held_out, examples, tokenizer, spec.data, max(sizes) - 1)
    assert (len(prompted), count) == (3, 4)
    plain, prompted, count = prompting._encode(held_out, examples, tokenizer, spec.data, 5)
    assert (plain, prompted, count) == ({}, {}, 0)


def test_base_without_a_template_gets_plain_text(make_spec, tmp_path):
    assert probe.choose_template(make_spec(tiny_model.sums(20)).spec) == "auto"
    base = tiny_model.tokenizer(tmp_path / "base", template=None)
    spec = make_spec(tiny_model.sums(20), model={"base": str(base)}).spec
    assert probe.choose_template(spec) == "alpaca"
    assert probe.choose_template(make_spec(tiny_model.sums(20), data={"template": "chatml"}).spec) == "chatml"


def test_folder_of_another_job_is_not_used(make_spec, tmp_path):
    from finetune import record

    spec = make_spec(tiny_model.sums(20)).spec
    assert earlier.read_earlier_run(tmp_path, spec) is None
    record.write_record(tmp_path, record.Record(
        id="r", state="finished", started=record.utc_now(), spec=spec.model_dump(mode="json"), origins={}, stack="trl",
    ))  # fmt: skip
    assert earlier.read_earlier_run(tmp_path, spec).id == "r"
    with pytest.raises(RunError, match=r"has a run with training.epochs = 1.0, not 2.0; use another -o"):
        earlier.read_earlier_run(tmp_path, make_spec(tiny_model.sums(20), training={"epochs": 2.0}).spec)


@pytest.fixture
def summarise(tmp_path):
    """Return a function that summarises the losses of one token for each of 24 rows: a prompt, an adapter."""
    from finetune import record

    record.write_record(tmp_path, record.Record(
        id="r", state="finished", started=record.utc_now(), spec={}, origins={}, stack="trl",
        memory_bytes={"measured_peak": 7},
        attempts=(record.Attempt(record.utc_now(), 0, 4, 10.5, "interrupted"), record.Attempt(record.utc_now(), 4, 8, 20, "trained")),
    ))  # fmt: skip

    def summarise(prompt, adapter):
        def contestant(loss):
            losses = [(loss + row / 100, 1) for row in range(24)]
            return {"answers": ["yes", *[None] * 23], "losses": losses, "seconds": 0.5, "peak_bytes": 3}

        answers = {
            "places": list(range(24)),
            "questions": ["q"] * 24,
            "references": [f"a long text of many words {n}" for n in range(24)],
            "contestants": {"0 examples": contestant(prompt), "lora, 9 rows": contestant(adapter)},
        }
        return probe._summarise({"base": answers}, {("base", "lora, 9 rows"): (9, tmp_path)}, ["auto"])

    return summarise


def test_summary_has_the_costs_of_all_attempts_and_a_sample(summarise):
    result = summarise(2.0, 1.0)
    assert (result.measure, result.steps, result.verdict.answer) == (probe.LOSS, 8, "worth it")
    prompt, adapter = result.results
    assert (prompt.seconds, prompt.peak_bytes, prompt.sample) == (0.5, 3, "yes")
    assert (adapter.seconds, adapter.peak_bytes) == (30.5, 7), "also the seconds before an interruption"
    assert [caution[:24] for caution in result.cautions] == [
        "no built-in metric suits",
        "one seed and one setting",
    ]


def test_verdict_against_a_training_says_that_it_may_be_too_short(summarise):
    result = summarise(1.0, 2.0)
    assert result.verdict.answer != "worth it"
    assert result.cautions[-1].startswith("8 steps may be too few: before you collect rows or give up")
