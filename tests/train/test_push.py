"""A run on the hub: the adapter with its card, private unless the user says otherwise."""

from __future__ import annotations

import os

import pytest
from fake_hub import READ_TOKEN


def test_adapter_gets_to_the_hub_with_its_card(hub, push, finished_run):
    folder, _ = finished_run
    process = push(folder, "someone/sums")
    assert process.stdout == f"{hub.address}/someone/sums/commit/{'0' * 40}\n"
    repository = hub.repositories["someone/sums"]
    assert repository["private"]
    for name in ("adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "README.md"):
        assert repository["files"][name] == (folder / "adapter" / name).read_bytes()
    assert os.fsencode(folder) not in b"".join(repository["files"].values())
    push(folder, "someone/sums", "--public")  # the repository exists, and stays private
    assert repository["private"]


def test_public_repository_and_other_files_that_stay(hub, push, finished_run):
    folder, _ = finished_run
    own = folder / "adapter" / "notes.txt"
    own.write_text("mine")
    try:
        push(folder, "someone/public", "--public")
    finally:
        own.unlink()
    assert not hub.repositories["someone/public"]["private"]
    assert "notes.txt" not in hub.repositories["someone/public"]["files"]
    assert not list(folder.glob(".advisor-draft-*"))


@pytest.mark.parametrize(
    ("words", "more", "code", "message"),
    [
        (["sums"], {}, 2, "invalid name 'sums': expected OWNER/NAME"),
        (["a/b", "--part", "merged"], {}, 2, "has no folder merged; run `advisor runs merge"),
        (["a/b"], {"token": ""}, 1, "the token is missing or wrong: run `hf auth login`"),
        (["a/b"], {"token": READ_TOKEN}, 1, "the token may not write there"),
        (["a/b"], {"HF_HUB_OFFLINE": "1"}, 2, "HF_HUB_OFFLINE is set"),
        (["a/b"], {"HF_ENDPOINT": "http://127.0.0.1:9"}, 1, "cannot reach the hub at http://127.0.0.1:9"),
    ],
)
def test_what_the_hub_or_the_user_gets_wrong(push, finished_run, words, more, code, message):
    assert message in push(finished_run[0], *words, code=code, **more).stderr
