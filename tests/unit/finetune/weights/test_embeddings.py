"""Embedding lengths read by numpy against what torch says, for each dtype that models come in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from finetune.weights.embeddings import embedding, norms


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_lengths_are_those_of_torch(tmp_path, dtype):
    made = torch.randn(50, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
    made[7] = 0
    save_file(
        {"model.layers.0.weight": torch.ones(3), "model.embed_tokens.weight": made},
        tmp_path / "m.safetensors",
    )
    table = embedding([tmp_path / "m.safetensors"])
    assert table.shape == (50, 8)
    expected = made.double().norm(dim=1).numpy()
    assert norms(table) == pytest.approx(expected, rel=1e-12)
    assert np.array_equal(norms(table[[7, 3]]), norms(table)[[7, 3]])


def test_a_model_without_an_embedding_gives_none(tmp_path):
    save_file({"lm_head.weight": torch.ones(3, 3)}, tmp_path / "m.safetensors")
    assert embedding([tmp_path / "m.safetensors"]) is None
