"""Rows that are nearly the same: each pair is similar enough, and many rows take no more time each."""

from __future__ import annotations

import subprocess
import sys

import pytest

from finetune.data import near
from finetune.data.rows import Row


def as_rows(texts, **tests):
    """Return training rows with these texts, numbered from 0; the first word is the prompt."""
    splits = {"train": dict(enumerate(texts)), "test": {int(name[1:]): t for name, t in tests.items()}}
    return {
        split: {
            place: Row(place, "prompt-completion", prompt=words[0], completion=" ".join(words[1:]))
            for place, words in ((place, text.split()) for place, text in texts_by_place.items())
        }
        for split, texts_by_place in splits.items()
    }


def sequences(text):
    words = text.split()
    return {" ".join(words[i : i + 3]) for i in range(len(words) - 2)}


def similarity(a, b):
    return len(sequences(a) & sequences(b)) / len(sequences(a) | sequences(b))


def test_near_pairs_are_similar_enough():
    words = [f"w{i}" for i in range(60)]
    texts = [" ".join([*words[:n], *(f"x{n}{i}" for i in range(60 - n))]) for n in range(40, 61)]
    pairs = near.find_near_rows(as_rows(texts)).train
    assert pairs
    assert all(similarity(texts[a], texts[b]) >= near.NEAR for a, b in pairs)


def test_nearly_all_near_pairs_are_found_among_many_rows():
    """Of 300 texts with a changed word in 60 (similarity 0.9), hashing may miss one in a hundred."""
    texts = [" ".join(f"w{n}-{i}" for i in range(60)) for n in range(300)]
    copies = [text.replace("-30", "-other") for text in texts]
    assert 0.9 < similarity(texts[0], copies[0]) < 0.91
    pairs = near.find_near_rows(as_rows([*texts, *copies])).train
    assert {later - earlier for earlier, later in pairs} == {300}
    assert len(pairs) > 285


def test_held_out_rows_are_compared_with_training_rows_only():
    text = " ".join(f"w{n}" for n in range(40))
    first_changed, half = text.replace("w0", "first"), " ".join([*text.split()[:20], *"abcdefghijklm"])
    raw = as_rows([text, text, "short"], t7=first_changed, t8=half, t9=text, t10=first_changed)
    assert near.find_near_rows(raw) == near.NearRows((), (7, 10))  # 9 has the prompt of a training row


def test_rows_of_one_pattern_are_compared_with_few_others(monkeypatch):
    """Rows whose texts are alike, but not enough, would cost their square."""
    counts = []
    count = near._list_sequences
    monkeypatch.setattr(near, "_list_sequences", lambda text: counts.append(text) or count(text))
    pattern = " ".join(f"p{i}" for i in range(40))
    texts = [f"{pattern} a{n} b{n} c{n} d{n} e{n} f{n}" for n in range(400)]
    assert 0.7 < similarity(texts[0], texts[1]) < near.NEAR
    assert near.find_near_rows(as_rows(texts)).train == ()
    assert len(counts) <= (1 + near._CANDIDATES) * len(texts)


def test_no_package_is_needed_where_there_is_nothing_to_compare(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasketch", None)  # makes the import fail
    long = "one two three four five six seven"
    assert near.find_near_rows(as_rows([])) == near.NearRows()
    assert near.find_near_rows(as_rows([long, "too short", "x"])) == near.NearRows()
    with pytest.raises(ImportError):
        near.find_near_rows(as_rows([long, long]))
    code = "import sys; sys.modules['datasketch'] = None; import finetune.data.near"
    subprocess.run([sys.executable, "-c", code], check=True)
