"""The limit of the speed against figures worked out by hand, and the data about cards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finetune import spec
from finetune.machine import roofline
from finetune.machine.hardware import Gpu
from finetune.weights import base

LLAMA_8B = base.read_shape({
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
})  # fmt: skip
H100, RTX_4090, T4 = (
    Gpu(name, 2**34, capability)
    for name, capability in (("NVIDIA H100 80GB HBM3", 9.0), ("NVIDIA GeForce RTX 4090", 8.9), ("Tesla T4", 7.5))
)  # fmt: skip


def resolve(*, gpus=1, bfloat16=True, **sections):
    layer = {"model": {"base": "m"}, "data": {"train": "d"}, **sections}
    return spec.resolve_spec(spec.compose_spec([("t", layer)]), gpus=gpus, bfloat16=bfloat16).spec


def test_limit_of_qlora_of_8b_on_an_h100_is_that_of_the_study():
    """Worked out by others for 2,048 tokens with checkpointing: 21,300 tokens a second."""
    limit = roofline.predict_limit(LLAMA_8B, resolve(), 2048, (H100,))
    assert limit.tokens_per_second == pytest.approx(21_300, rel=0.01)
    assert not limit.is_by_memory
    low, high = (share * limit.tokens_per_second for share in roofline.EXPECTED_SHARES)
    assert (low, high) == (pytest.approx(8_000, rel=0.02), pytest.approx(13_000, rel=0.02))


def test_work_of_a_token_by_hand():
    """6,979,321,856 weights in layers, 525,336,576 in the output layer, r 16: 41,943,040 trained."""
    attention = 9 * 2048 * 4096 * 32
    checkpointed = 6 * 6_979_321_856 + 4 * 525_336_576 + attention + 8 * 41_943_040
    assert roofline.count_flops(LLAMA_8B, resolve(), 2048) == checkpointed
    plain = resolve(training={"gradient_checkpointing": False})
    saved = 2 * 6_979_321_856 + 2 * 2048 * 4096 * 32 + 2 * 41_943_040
    assert roofline.count_flops(LLAMA_8B, plain, 2048) == checkpointed - saved
    full = resolve(method={"name": "full"}, training={"gradient_checkpointing": False})
    every_weight = 6 * (6_979_321_856 + 525_336_576) + 7 * 2048 * 4096 * 32
    assert roofline.count_flops(LLAMA_8B, full, 2048) == every_weight


def test_type_of_the_computation_and_number_of_cards_count():
    half = resolve(bfloat16=False)
    t4 = roofline.predict_limit(LLAMA_8B, half, 2048, (T4,)).tokens_per_second
    emulated = resolve(bfloat16=False, training={"dtype": "bfloat16"})
    slow = roofline.predict_limit(LLAMA_8B, emulated, 2048, (T4,)).tokens_per_second
    assert t4 / slow == pytest.approx(65 / 8.1)
    pair = resolve(gpus=2, devices={"processes": 2})
    one, two = (
        roofline.predict_limit(LLAMA_8B, run_spec, 2048, (RTX_4090,) * count).tokens_per_second
        for run_spec, count in ((resolve(), 1), (pair, 2))
    )
    assert two == pytest.approx(2 * one)
    mixed = roofline.predict_limit(LLAMA_8B, pair, 2048, (H100, RTX_4090))
    assert mixed.tokens_per_second == pytest.approx(two), "the slower card sets the pace"


def test_reading_the_weights_limits_short_micro_batches():
    run_spec = resolve(training={"micro_batch_size": 1}, method={"name": "lora"})
    limit = roofline.predict_limit(LLAMA_8B, run_spec, 20, (H100,))
    assert limit.is_by_memory
    assert limit.tokens_per_second == pytest.approx(20 * 3.35e12 / (3 * 16.06e9), rel=0.01)


def test_no_limit_without_a_known_card_or_a_dense_model():
    laptop = Gpu("NVIDIA GeForce RTX 4060 Laptop GPU", 2**33, 8.9)
    assert roofline.find_card("NVIDIA GeForce RTX 4060") is not None
    assert roofline.predict_limit(LLAMA_8B, resolve(), 2048, (laptop,)) is None
    assert roofline.predict_limit(LLAMA_8B, resolve(), 2048, ()) is None
    assert roofline.predict_limit(replace(LLAMA_8B, experts=8), resolve(), 2048, (H100,)) is None
    assert roofline.predict_limit(LLAMA_8B, resolve(gpus=0), 2048, (H100,)) is None


def test_cards_have_a_data_sheet_of_their_maker_and_plausible_peaks():
    cards = roofline.read_cards()
    assert len(cards) >= 20
    for name, card in cards.items():
        assert card.source.startswith(("https://www.nvidia.com/", "https://images.nvidia.com/",
                                       "https://resources.nvidia.com/")), name  # fmt: skip
        assert card.flops["float16"] >= card.flops["bfloat16"] >= card.flops["float32"], name
        assert 1 < card.flops["float16"] / card.flops["float32"] < 30, name
        assert 100 < card.flops["float16"] / card.bandwidth * 2 < 2000, (
            name
        )  # operations for each number read
    for name in ("T4", "RTX 4060", "RTX 3090", "RTX 4090", "A100-SXM4-80GB", "H100", "GB10"):
        assert roofline.find_card(f"NVIDIA {name}"), name
