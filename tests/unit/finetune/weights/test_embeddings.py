"""Compare embedding lengths of numpy with those of torch, for each usual dtype."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from finetune.weights.embeddings import compute_norms, read_embedding


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_norms_are_those_of_torch(tmp_path, dtype):
    weights = torch.randn(50, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
    weights[7] = 0
    save_file(
        {"model.layers.0.weight": torch.ones(3), "model.embed_tokens.weight": weights},
        tmp_path / "m.safetensors",
    )
    table = read_embedding([tmp_path / "m.safetensors"])
    assert table.shape == (50, 8)
    norms_of_torch = weights.double().norm(dim=1).numpy()
    assert compute_norms(table) == pytest.approx(norms_of_torch, rel=1e-12)
    assert np.array_equal(compute_norms(table[[7, 3]]), compute_norms(table)[[7, 3]])


def test_model_without_an_embedding_gives_none(tmp_path):
    save_file({"lm_head.weight": torch.ones(3, 3)}, tmp_path / "m.safetensors")
    assert read_embedding([tmp_path / "m.safetensors"]) is None
