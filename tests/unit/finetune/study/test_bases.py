"""Base models compared on rows: counts that are checked by hand on a byte-level tokenizer."""

from __future__ import annotations

import json

import pytest
import tiny_model

from finetune.callbacks import RunCallbacks
from finetune.study import bases

STRICT = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "<|im_start|>You are a helpful assistant.<|im_end|>"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
)


def write_model(folder, template, **changes):
    tiny_model.tokenizer(folder, template)
    (folder / "config.json").write_text(json.dumps(tiny_model.config(**changes)))
    return folder


@pytest.fixture
def compare(make_spec, tmp_path, monkeypatch):
    """Return a function from rows and model folders to their descriptions."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(rows, *folders):
        specs = [make_spec(rows, model={"base": str(folder)}) for folder in folders]
        return bases.compare_bases(specs, RunCallbacks())

    return run


def test_counts_template_and_card(compare, tmp_path, tokenizer):
    rows = tiny_model.sums(20)
    rows[0]["messages"][0]["content"] = "what is user_id plus camelCase <|im_end|> ?"
    instruct = write_model(tmp_path / "instruct", STRICT, max_position_embeddings=40)
    head = "---\nlicense: apache-2.0\nlanguage: [en, de]\ndatasets:\n- a/b\n---\n# Model\n"
    (instruct / "README.md").write_text(head)
    plain = write_model(tmp_path / "plain", None)
    first, second = compare(rows, instruct, plain)
    assert (first.kind, second.kind) == ("instruct", "base")
    assert first.quirks == ("adds a system text of its own", "refuses a system text", "has no tools")
    assert (first.licence, first.languages, first.data) == ("apache-2.0", "en, de", "a/b")
    assert (second.licence, second.languages, second.access) == ("unknown", "unknown", "local folder")
    assert first.rows_with_special_tokens == 1
    identifiers = {"user_id": len(tokenizer(" user_id")["input_ids"])}
    identifiers["camelCase"] = len(tokenizer(" camelCase")["input_ids"])
    assert first.tokens_per_identifier == sum(identifiers.values()) / 2
    assert f"user_id ({identifiers['user_id']})" in first.split_identifiers
    assert first.over_context > 0.9 and second.over_context == 0, "the first has a context of 40 tokens"
    assert 0 < first.memory_bytes["lora"] < first.memory_bytes["full"]


def test_words_and_tokens_are_counted_on_the_texts(compare, tmp_path, tokenizer):
    (one,) = compare(tiny_model.sums(20), write_model(tmp_path / "m", tiny_model.CHATML))
    texts = [f"what is {i} plus {j} ?\nit is {i + j} ." for i in range(2) for j in range(10)]
    tokens = sum(len(tokenizer(text)["input_ids"]) for text in texts)
    assert one.tokens_per_word == pytest.approx(tokens / sum(len(text.split()) for text in texts))
    assert one.quirks == ("has no tools",)
    assert (one.tokens_per_identifier, one.split_identifiers) == (None, ())


def test_identifiers_are_names_with_marks_of_programs():
    text = "The user_id of parseJSON in utf8 and B2B, not of Rome, 2024 or a word."
    names = set(bases._IDENTIFIER.findall(text))
    assert names == {"user_id", "parseJSON", "utf8", "B2B"}


def test_few_rows_need_an_instruct_model():
    assert bases.advise_kind(120, ["base", "instruct"]).startswith("instruct: 120 rows")
    assert bases.advise_kind(5000, ["base", "instruct"]).startswith("either: 5,000 rows")
    assert bases.advise_kind(120, ["base"]).startswith("none of these")


def test_command_shows_a_table_and_refuses_what_is_no_probe(advisor_command, tmp_path):
    data = tiny_model.write(tmp_path / "d.jsonl", tiny_model.sums(20))
    model = write_model(tmp_path / "model", tiny_model.CHATML)
    probe = {"measure": "exact-match", "results": [
        {"model": "model", "rows": 0, "value": 0.25}, {"model": "model", "rows": 0, "value": 0.5},
        {"model": "model", "rows": 9, "value": 0.75},
    ]}  # fmt: skip
    (tmp_path / "probe.json").write_text(json.dumps(probe))
    output = advisor_command("bases", "--data", data, "--models", model, "--probe", tmp_path / "probe.json")
    assert "prompt 0.500, adapter 0.750" in output
    assert "tokens a word" in output
    (tmp_path / "probe.json").write_text("[]")
    errors = advisor_command(
        "bases", "--data", data, "--models", model, "--probe", tmp_path / "probe.json", code=2
    )
    assert "is not the result of `advisor probe`" in errors
    assert "missing option --models" in advisor_command("bases", "--data", data, code=2)
