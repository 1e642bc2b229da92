"""The held-out questions of a run, answers in batches of a real model, and the result in words."""

from __future__ import annotations

import json

import pytest
import tiny_model

from finetune import record
from finetune.after import evaluate, task
from finetune.data import dataset
from finetune.data.encoded_row import EncodedRow
from finetune.errors import RunError


def chat(*texts):
    roles = ("user", "assistant") * len(texts)
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]}


@pytest.fixture
def read_questions(make_spec, tokenizer, tmp_path):
    """Return a function from rows to the questions of their held-out half."""

    def read(rows, **evaluation):
        composed_spec = make_spec(
            rows, data={"evaluation_share": 0.5, "max_length": 64}, evaluation=evaluation
        )
        data = dataset.prepare_dataset(composed_spec.spec, tokenizer, tmp_path / "cache")
        return task.select_questions(data, tokenizer, composed_spec.spec.evaluation)

    return read


def test_last_answer_of_a_chat_is_judged(read_questions):
    rows = [chat("hi", f"hello {i}", f"what is {i} ?", f"it is {i} .") for i in range(8)]
    questions = read_questions(rows)
    assert len(questions.prompts) == 4
    for question, reference in zip(questions.questions, questions.references, strict=True):
        assert "hello" in question
        assert reference == question.split("what is ")[1].split(" ?")[0].join(["it is ", " ."])
    assert questions.metrics == ("exact-match",)
    assert questions.stop_tokens == {2}, "<|im_end|>"


def test_rows_without_a_question_or_with_a_cut_answer_do_not_count(read_questions):
    long_answers = [chat(f"what is {i} ?", f"it is {i} . " * 30) for i in range(8)]
    questions = read_questions([*long_answers, *({"text": f"plain {i}"} for i in range(8))])
    assert (questions.prompts, questions.metrics) == ((), ())
    assert questions.reason == "no held-out row has a question and a whole answer"
    assert task.judge(questions)["metrics"] == {}


def test_without_metrics_nothing_is_answered(read_questions):
    assert read_questions(tiny_model.sums(20), metrics=[]) == task.Questions()
    long_answers = [chat(f"what is {i} ?", "a b c d e f g") for i in range(4)]
    assert "--metric FILE.py:FUNCTION" in read_questions(long_answers).reason


def test_answer_without_trained_tokens_has_no_length():
    assert task.find_last_answer(EncodedRow([5, 6], [-100, -100])) == (0, 0)
    assert task.find_last_answer(EncodedRow([5, 6, 7, 8], [-100, 6, -100, 8])) == (3, 4)


def test_batches_give_the_answers_of_single_prompts(tmp_path, tokenizer, monkeypatch):
    """Prompts of different lengths are padded on the left; a random model shows every difference."""
    from transformers import AutoModelForCausalLM

    folder = tiny_model.model(tmp_path / "tiny", tie_word_embeddings=False, initializer_range=0.5)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    prompts = tuple(tokenizer(f"what is {'1 plus ' * n}2 ?")["input_ids"] for n in (9, 1, 4, 2, 7))
    questions = task.Questions(prompts=prompts, max_new_tokens=12)
    counts = []
    answers = task.answer_questions(model, tokenizer, questions, counts.append)
    assert counts[-1] == len(prompts)
    assert answers == [evaluate.generate_text(model, tokenizer, prompt, 12) for prompt in prompts]
    assert len(set(answers)) > 1
    monkeypatch.setattr(task, "_BATCH_TOKENS", 60)
    assert len(list(task._batch_prompts(questions))) > 1
    assert task.answer_questions(model, tokenizer, questions) == answers


def test_answers_on_disk_are_judged_again_by_other_metrics(tmp_path):
    questions = task.Questions(
        questions=("q", "r"), references=("yes", "no"), metrics=("exact-match",),
        answers={"base": ["no", "no"], "adapter": ["yes", "no"]},
    )  # fmt: skip
    task.write_answers(tmp_path, questions)
    result = task.judge_answers(tmp_path, ["exact-match"])
    assert result == task.judge(questions)
    one = result["metrics"]["exact-match"]
    assert (one["base"], one["adapter"], one["p_value"]) == (0.5, 1, 1)
    (line,) = task.describe(result)
    assert line.startswith("exact-match 0.500 [")
    assert line.endswith("; no clear difference (p = 1.000, exact McNemar)")
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert rows[0] == {"question": "q", "reference": "yes", "base": "no", "adapter": "yes"}
    (tmp_path / "answers.jsonl").write_text("[]\n")
    with pytest.raises(RunError, match="cannot read"):
        task.judge_answers(tmp_path, ["exact-match"])
    (tmp_path / "answers.jsonl").write_text("")  # as of the demo, whose answers no metric judges
    with pytest.raises(RunError, match="has no answers to judge: no metric judged the run"):
        task.judge_answers(tmp_path, ["exact-match"])
    (tmp_path / "answers.jsonl").unlink()
    with pytest.raises(RunError, match="train it again with --metric"):
        task.judge_answers(tmp_path, ["exact-match"])
    assert record.layout.is_written_by_run("answers.jsonl"), "prune deletes it"


def test_one_model_and_a_metric_that_fails_are_described(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def score(answer, reference):\n    raise KeyError('colour')\n")
    questions = task.Questions(
        questions=("q",),
        references=("yes",),
        metrics=("exact-match", f"{file}:score"),
        answers={"base": ["yes"]},
    )
    first, second = task.describe(task.judge(questions))
    assert first == "exact-match 1.000 [0.207, 1.000]"
    assert "score failed on answer 1, 'yes': KeyError: 'colour'" in second
