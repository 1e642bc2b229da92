"""llama.cpp on the CPU: tokens, chat template, probabilities and answers of a GGUF file, and smaller types.

The package xllamacpp contains llama.cpp's server; it listens on the loopback address. It has no function that
quantises, which cyllama has. The log probability of
a token comes from a request that forces this token (`logit_bias`) and asks for its probability, which the
server takes from the model's own logits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from finetune.errors import TrainingError

PACKAGE, QUANTISER_PACKAGE = "xllamacpp", "cyllama"
_FORCE = 1000.0  # logits: more than any model gives
_TIMEOUT_SECONDS = 600


class LlamaServer:
    """A GGUF file in llama.cpp's server."""

    def __init__(self, gguf: Path, context: int) -> None:
        """Load the file.

        Raises:
            TrainingError: llama.cpp cannot load it.
        """
        import xllamacpp  # type: ignore[import-untyped, unused-ignore]  # it has no types

        settings = xllamacpp.CommonParams()
        settings.model.path = str(gguf)
        settings.n_ctx, settings.n_parallel, settings.port = context, 1, 0
        settings.use_jinja, settings.warmup, settings.verbosity = True, False, 0
        settings.cpuparams.n_threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        try:
            self._server = xllamacpp.Server(settings)
        except RuntimeError as error:
            raise TrainingError(f"llama.cpp cannot load {gguf}: {error}") from None

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a text with special tokens in it."""
        body = {"content": text, "add_special": False, "parse_special": True}
        return list(self._post("/tokenize", body)["tokens"])

    def render(self, turns: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """Return a chat as the file's template renders it for an answer.

        Raises:
            TrainingError: the template refuses the chat.
        """
        body = {"messages": list(turns), **({"tools": list(tools)} if tools else {})}
        return str(self._post("/apply-template", body)["prompt"])

    def score(self, ids: Sequence[int], place: int) -> float:
        """Return -log p of the token at a place, after the tokens before it."""
        token = ids[place]
        answer = self._complete(ids[:place], 1, n_probs=1, logit_bias=[[token, _FORCE]])
        first = answer["completion_probabilities"][0]
        if first["id"] != token:
            raise TrainingError(f"llama.cpp answers with token {first['id']} where token {token} is forced")
        return -float(first["logprob"])

    def answer(self, prompt: Sequence[int], max_new_tokens: int) -> tuple[list[int], bool]:
        """Return the greedy answer, and whether the model ended it."""
        answer = self._complete(prompt, max_new_tokens, return_tokens=True)
        return list(answer["tokens"]), answer["stop_type"] == "eos"

    def _complete(self, prompt: Sequence[int], count: int, **options: Any) -> dict[str, Any]:
        return self._post(
            "/completion", {"prompt": list(prompt), "n_predict": count, "temperature": 0, **options}
        )

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        address = self._server.listening_address + path
        response = httpx.post(address, json=dict(body), timeout=_TIMEOUT_SECONDS, trust_env=False)
        if response.is_success:
            return dict(response.json())
        raise TrainingError(f"llama.cpp refuses a request to {path}: {_read_error(response.text)}")


def _read_error(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text


def is_installed() -> bool:
    """Return whether the package with llama.cpp's server is installed."""
    return find_spec(PACKAGE) is not None


def can_quantise() -> bool:
    """Return whether the package that quantises is installed."""
    return find_spec(QUANTISER_PACKAGE) is not None


def list_types() -> list[str]:
    """Return the types that llama.cpp knows, such as ``q4_k_m``."""
    from gguf import LlamaFileType

    return [
        kind.name.removeprefix("MOSTLY_").lower() for kind in LlamaFileType if kind.name.startswith("MOSTLY_")
    ]


def quantise(source: Path, out: Path, kind: str) -> None:
    """Write a GGUF file of a plain type as one of a smaller type.

    llama.cpp chooses the type of each tensor. The K types need rows of a multiple of 256 weights; a tensor
    with other rows gets the next larger type that fits, such as q5_0 or q8_0.

    Raises:
        TrainingError: llama.cpp cannot write this type.
    """
    from cyllama.llama import llama_cpp  # type: ignore[import-untyped, unused-ignore]  # it has no types
    from gguf import LlamaFileType

    settings = llama_cpp.LlamaModelQuantizeParams()
    settings.ftype = int(LlamaFileType[f"MOSTLY_{kind.upper()}"])
    try:
        llama_cpp.model_quantize(str(source), str(out), settings)
    except RuntimeError as error:
        raise TrainingError(f"llama.cpp cannot write type {kind}: {error}") from None
