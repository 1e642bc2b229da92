"""What vendors publish of pre-training data: each entry has a known family and a source; the rest is unknown."""

from __future__ import annotations

import pytest

from advisor.domain.families import load_families
from advisor.domain.pretraining import find_pretraining, load_pretraining
from advisor.errors import ConfigError


def test_each_entry_names_a_family_once_and_has_a_source():
    names = [entry.name for entry in load_pretraining()]
    assert names
    assert len(names) == len(set(names))
    assert set(names) <= {family.name for family in load_families()}
    assert all(entry.source.startswith("https://") for entry in load_pretraining())


def test_models_get_the_entry_of_their_family():
    """The months are those of the model cards in meta-llama/llama-models."""
    assert find_pretraining("meta-llama/Llama-3.1-8B-Instruct").cutoff == "2023-12"
    assert find_pretraining("meta-llama/Llama-3.2-1B").tokens == "up to 9 trillion"
    assert find_pretraining("Qwen/Qwen3-0.6B").cutoff is None
    assert find_pretraining("someone/strange-model") is None


@pytest.mark.parametrize(
    "text", ["family = 3", '[[family]]\nname = "a"\ncutoff = "soon"\nsource = "s"\nread = 2026-01-01']
)
def test_wrong_file_is_named(tmp_path, text):
    (tmp_path / "pretraining.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"pretraining\.toml"):
        load_pretraining(tmp_path)
