"""A model, a run that stops before its training, and a script that stands in for a stack."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest
import tiny_model

from finetune import run
from finetune.errors import DataError
from finetune.runners import emit
from finetune.spec import compose_spec


@pytest.fixture(scope="session")
def pristine_model(tmp_path_factory):
    """A model without weights, for planning."""
    folder = tiny_model.tokenizer(tmp_path_factory.mktemp("pristine"))
    (folder / "config.json").write_text(json.dumps(tiny_model.config()))
    (folder / "generation_config.json").write_text('{"eos_token_id": 2}')
    return folder


@pytest.fixture
def model(pristine_model, tmp_path):
    """A copy of the model that a test may damage."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in pristine_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The user's folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path


@pytest.fixture
def train(model, tmp_path, monkeypatch):
    """Return a function that runs everything before the training; it returns the run's folder."""
    monkeypatch.setattr(run, "_run_stages", lambda *_: None)

    def start(rows, folder, **sections):
        data = rows if isinstance(rows, Path) else tiny_model.write(tmp_path / "rows.jsonl", rows)
        layer = {
            "model": {"base": str(model)},
            "data": {"train": str(data)},
            "output": str(folder),
            **sections,
        }
        return run.start_run(compose_spec([("test", layer)]))

    return start


@pytest.fixture
def refused_run(train, tmp_path):
    """A run that was refused after it had tokens, and its mended data."""
    folder = tmp_path / "run"
    rows = [{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<0> a"}]}]
    model_folder = tmp_path / "model"
    config = json.loads((model_folder / "config.json").read_text())
    (model_folder / "config.json").write_text(json.dumps({**config, "vocab_size": 3}))
    with pytest.raises(DataError, match="outside the model's 3 embeddings"):
        train([*rows, *tiny_model.sums(20)], folder)
    (model_folder / "config.json").write_text(json.dumps(config))
    tiny_model.write(tmp_path / "rows.jsonl", tiny_model.sums(40))
    return folder


@pytest.fixture
def stack(tmp_path):
    """Return a function that writes a script that stands in for a stack, and returns its command."""

    def write(body):
        here = str(Path(emit.__file__).parent)
        head = f"import sys; sys.path.insert(0, {here!r})\nimport emit, json, os, socket\nfrom pathlib import Path\n"
        head += f"run = Path({str(tmp_path)!r}); say = emit.Emitter(run)\n"
        file = tmp_path / "stack.py"
        file.write_text(head + textwrap.dedent(body) + '\nsay("finished", step=1)\n')
        return [sys.executable, str(file)]

    return write
