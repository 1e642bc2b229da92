"""A random two-layer Llama with its tokenizer, for real training in seconds."""

from __future__ import annotations

import json
from pathlib import Path

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tokenizer(folder: Path, template: str | None = CHATML) -> Path:
    """Write a byte-level BPE tokenizer of at most 600 tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer_model = Tokenizer(models.BPE())
    tokenizer_model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer_model.decoder = decoders.ByteLevel()
    corpus = [f"what is {i} plus {j} ? it is {i + j} . the sum of two" for i in range(20) for j in range(10)]
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer_model.train_from_iterator(corpus, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_model, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    if template is not None:
        fast.chat_template = template
    fast.save_pretrained(folder)
    return folder


def config(**changes) -> dict:
    """Return the config.json of the model."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 700,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "max_position_embeddings": 512,
        **changes,
    }


def model(folder: Path, seed: int = 0, **changes) -> Path:
    """Write tokenizer, config and random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer(folder)
    torch.manual_seed(seed)
    LlamaForCausalLM(LlamaConfig(**config(**changes))).save_pretrained(folder)
    return folder


def sums(n: int = 120) -> list[dict]:
    """Return chats: what is 3 plus 4 ? it is 7 ."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"what is {i} plus {j} ?"},
                {"role": "assistant", "content": f"it is {i + j} ."},
            ]
        }
        for i in range(20)
        for j in range(10)
    ][:n]


def write(path: Path, rows: list) -> Path:
    """Write the rows as JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
