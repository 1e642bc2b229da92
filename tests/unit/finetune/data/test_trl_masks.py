"""Formats and trl's chat templates: tokens and trained tokens are those of trl's own data preparation.

There is one difference, on purpose: advisor never trains the white space after the stop token, which a model
does not write.
"""

from __future__ import annotations

import copy
import re
from importlib.resources import files
from types import SimpleNamespace

import pytest
from encoding import encode_row
from tiny_model import tokenizer as write_tokenizer

from finetune.data.encoded_row import EncodedRow
from finetune.data.rows import parse_record
from finetune.data.template import load_tokenizer
from finetune.data.training_template import find_training_template, has_marks
from finetune.runners.emit import IGNORE_INDEX
from finetune.sections import Data

FOLDER = files("trl") / "chat_templates"
TEMPLATES = {
    file.name.removesuffix(".jinja"): file.read_text("utf-8")
    for file in FOLDER.iterdir()
    if file.name.endswith(".jinja") and not file.name.endswith("_training.jinja")
}
KNOWN = sorted(n for n, text in TEMPLATES.items() if has_marks(text) or find_training_template(text))
SPECIAL_TOKEN = re.compile(r"<[|｜][^<>{}'\"|｜ \n]+[|｜]>|</?[a-z_]+>|\[/?[A-Z_]+\]")

USER, SECOND_USER = {"role": "user", "content": "what is 1 plus 1 ?"}, {"role": "user", "content": "sure ?"}
ANSWER, SECOND_ANSWER = (
    {"role": "assistant", "content": "it is 2 ."},
    {"role": "assistant", "content": "yes ."},
)
EMPTY = {"role": "assistant", "content": ""}
SYSTEM = {"role": "system", "content": "add"}
CALL = {"type": "function", "function": {"name": "sum", "arguments": {"a": 1}}}
CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "name": "sum", "content": "2"}
PARAMETERS = {"type": "object", "properties": {"a": {"type": "integer", "description": "a number"}}}
TOOL = {"type": "function", "function": {"name": "sum", "description": "adds", "parameters": PARAMETERS}}
THOUGHT = {**ANSWER, "reasoning_content": "one and one"}
TURNS = [USER, ANSWER, SECOND_USER, SECOND_ANSWER]
SHAREGPT = [{"from": "human" if t["role"] == "user" else "gpt", "value": t["content"]} for t in TURNS]
# Format → a record of ours, and the same in the columns that trl reads.
CASES = {
    "chat, one turn": ({"messages": [USER, ANSWER]},) * 2,
    "chat, two turns": ({"messages": TURNS},) * 2,
    "chat, system": ({"messages": [SYSTEM, *TURNS]},) * 2,
    "chat, empty answer": ({"messages": [USER, EMPTY]},) * 2,
    "chat, thoughts": ({"messages": [USER, THOUGHT, SECOND_USER, SECOND_ANSWER]},) * 2,
    "chat, thought in content": ({"messages": [USER, {**ANSWER, "content": "<think>two</think>it is 2 ."}]},) * 2,
    "chat, tools": ({"messages": [USER, CALLING, RESULT, ANSWER], "tools": [TOOL]},) * 2,
    "ShareGPT": ({"conversations": SHAREGPT}, {"messages": TURNS}),
    "alpaca": ({"instruction": USER["content"], "output": ANSWER["content"]}, {"messages": [USER, ANSWER]}),
    "alpaca, history": (
        {"instruction": "sure ?", "output": "yes .", "history": [[USER["content"], ANSWER["content"]]]},
        {"messages": TURNS},
    ),
    "prompt-completion, messages": ({"prompt": [USER], "completion": [ANSWER]},) * 2,
    "prompt-completion, chat": ({"prompt": TURNS[:3], "completion": TURNS[3:]},) * 2,
    "prompt-completion, text": ({"prompt": "what is 1", "completion": " plus 1 ?"},) * 2,
    "text": ({"text": "the sum of two"},) * 2,
}  # fmt: skip

# Templates of vision models that want a list of parts as content.
VISION = {"idefics3", "llava_next", "smolvlm"}
THINKING = {"muse_glimmer", "nemotron_3_nano", "nemotron_3_super", "qwen3", "qwen3_5_nothink", "qwen3_5_think",
            "qwen3_6", "qwen3_8"}  # fmt: skip
NO_TOOLS = {"cohere", "cohere2", "deepseek_r1_distill", "deepseekv3", "gemma", "gemma3", "lfm2", "llama3", "phi3",
            "phi3_5", "qwen2_5_vl"}  # fmt: skip
# Case → the templates that refuse it, or would lose a part in silence.
REFUSED = {
    **dict.fromkeys((case for case in CASES if "text" not in case), VISION),
    "chat, system": {*VISION, "gemma"},
    "chat, thoughts": {*KNOWN} - THINKING,
    "chat, thought in content": {*VISION, "deepseekv3"},
    "chat, tools": VISION | NO_TOOLS,
}


@pytest.fixture(scope="module", params=KNOWN)
def family(request, tmp_path_factory):
    """The name of a template, and a tokenizer with it that has the special tokens of its family."""
    template = TEMPLATES[request.param]
    tokenizer = load_tokenizer(str(write_tokenizer(tmp_path_factory.mktemp("family"), template)))
    marks = set(SPECIAL_TOKEN.findall(template)) | set(
        SPECIAL_TOKEN.findall(find_training_template(template) or "")
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": sorted(marks)}, replace_extra_special_tokens=False
    )
    tokenizer.bos_token = "<|endoftext|>"
    return request.param, tokenizer


def prepare_with_trl(record, tokenizer):
    """Return token ids and labels of trl's SFTTrainer, or its error."""
    from datasets import IterableDataset
    from trl import SFTTrainer
    from trl.chat_template_utils import get_training_chat_template

    is_chat = "messages" in record
    config = SimpleNamespace(
        assistant_only_loss=is_chat, dataset_text_field="text", dataset_num_proc=None, max_length=None,
        truncation_mode="keep_start", shuffle_dataset=False,
    )  # fmt: skip
    template = (
        get_training_chat_template(tokenizer) if is_chat and not has_marks(tokenizer.chat_template) else None
    )
    trainer = SimpleNamespace(
        _tokenizer=tokenizer, chat_template=template, completion_only_loss="prompt" in record
    )
    rows = IterableDataset.from_generator(lambda: iter([copy.deepcopy(record)]))
    try:
        (row,) = SFTTrainer._prepare_dataset(trainer, rows, tokenizer, config, False, None, "train")
    except Exception as error:  # noqa: BLE001 - a template may refuse a chat with any error
        return error
    return row["input_ids"], row["labels"]


def drop_white_space_after_answers(labels, tokenizer):
    labels = list(labels)
    for n in reversed(range(len(labels))):
        is_last = n + 1 == len(labels) or labels[n + 1] == IGNORE_INDEX
        if is_last and labels[n] != IGNORE_INDEX and not tokenizer.decode([labels[n]]).strip():
            labels[n] = IGNORE_INDEX
    return labels


def test_each_format_has_the_tokens_and_labels_of_trl(family):
    name, tokenizer = family
    refusals = {}
    for case, (record, trl_record) in CASES.items():
        row = encode_row(parse_record(1, record), tokenizer, Data(train="x"))
        trl_row = prepare_with_trl(trl_record, tokenizer)
        if isinstance(row, EncodedRow):
            ids, labels = trl_row
            assert row.input_ids == ids, case
            assert row.labels == drop_white_space_after_answers(labels, tokenizer), case
        else:
            is_lost = row.startswith("the chat template does not render")
            assert is_lost or (row.startswith("the chat template refuses") and isinstance(trl_row, Exception))
            refusals[case] = row
    assert refusals.keys() == {case for case, names in REFUSED.items() if name in names}, refusals
    assert tokenizer.chat_template == TEMPLATES[name], "the adapter keeps the model's own template"


def test_each_family_of_trl_is_here():
    assert len(KNOWN) >= 30
    assert {"qwen3", "qwen3_5_think", "phi3", "gptoss", "deepseek_r1_distill", "llama3", "gemma3"} <= set(
        KNOWN
    )
