"""Answer chats with a run's base and adapter: `python -m finetune.after.answering RUN`, a process of its own.

It reads a request a line from stdin and writes a line of JSON for each piece of the answer to stdout:
``{"text": …}``, and at the end ``{"prompt_tokens": …, "completion_tokens": …, "finish_reason": "stop" or
"length"}`` or ``{"error": …}``. The line ``{"stop": N}`` ends the answer to request N after its next token,
and the end of stdin ends all answers. The first line says that the model is loaded. The process has no
network if the system can close it, because a model can have code of its own.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from finetune import record
from finetune.after.evaluate import load_model
from finetune.after.task import list_stop_tokens
from finetune.data.rendering import ChatRefusal, render
from finetune.data.template import load_tokenizer
from finetune.errors import DataError
from finetune.spec import RunSpec


class Answerer:
    """The models of a run: one object with an adapter, or two models after a training of all weights."""

    def __init__(self, folder: Path) -> None:
        """Load the models of a run."""
        self.last_stop: float = 0  # the answers up to this number end
        self.spec: RunSpec = record.read_spec(folder, record.read_record(folder))
        remote = self.spec.model.trust_remote_code
        self.tokenizer = load_tokenizer(str(folder / "adapter"), trust_remote_code=remote)
        is_quantised = self.spec.method.name == "qlora"
        self.model = load_model(folder, self.spec, is_quantised=is_quantised)
        self._window = getattr(self.model.config, "max_position_embeddings", None) or sys.maxsize
        self._base = None
        if self.spec.method.name == "full":
            self._base = load_model(folder, self.spec, is_quantised=False, is_trained=False)

    def answer(self, request: Mapping[str, Any], write: Callable[[dict[str, Any]], None]) -> None:
        """Answer one request; ``write`` gets the pieces."""
        import torch
        from transformers import StoppingCriteria, TextStreamer

        class Writer(TextStreamer):  # type: ignore[misc, unused-ignore]  # transformers has no types
            def on_finalized_text(self, text: str, **_: Any) -> None:
                if text:
                    write({"text": text})

        answerer = self

        class Stop(StoppingCriteria):  # type: ignore[misc, unused-ignore]  # transformers has no types
            def __call__(self, input_ids: Any, *_: Any, **__: Any) -> Any:
                is_over = request["number"] <= answerer.last_stop
                return torch.full((input_ids.shape[0],), is_over, device=input_ids.device)

        try:
            text = render(
                self.tokenizer, request["messages"], tools=request.get("tools") or (), prompt=True
            ).text
        except (ChatRefusal, DataError) as error:
            write({"error": f"the chat template refuses these messages: {error}"})
            return
        ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        room = self._window - ids.shape[1]
        if room < 1:
            message = f"the messages have {ids.shape[1]} tokens, and the model reads at most {self._window}"
            write({"error": message, "code": "context_length_exceeded"})
            return
        is_base = request["model"] == "base"
        model = self._base if is_base and self._base is not None else self.model
        has_adapter = is_base and self._base is None
        stops = sorted(list_stop_tokens(model) | self._list_turn_ends())
        temperature = float(request["temperature"])
        choice = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
        if request.get("seed") is not None:
            torch.manual_seed(int(request["seed"]))
        with self.model.disable_adapter() if has_adapter else nullcontext(), torch.no_grad():
            out = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=torch.ones_like(ids).to(model.device),
                max_new_tokens=min(int(request["max_tokens"]), room),
                eos_token_id=stops or None,
                pad_token_id=stops[0] if stops else 0,
                stopping_criteria=[Stop()],
                streamer=Writer(self.tokenizer, skip_prompt=True, skip_special_tokens=True),
                **choice,
            )
        new = out[0, ids.shape[1] :].tolist()
        reason = "stop" if new and new[-1] in stops else "length"
        counts = {"prompt_tokens": ids.shape[1], "completion_tokens": len(new)}
        write({**counts, "finish_reason": reason})

    def _list_turn_ends(self) -> set[int]:
        """Return the token that ends an answer in the chat template, if it is a special one."""
        turns = [{"role": "user", "content": "Question?"}, {"role": "assistant", "content": "Answer."}]
        try:
            text = render(self.tokenizer, turns).text.rpartition("Answer.")[2]
        except (ChatRefusal, DataError):
            return set()
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return set(ids[:1]) & set(self.tokenizer.all_special_ids)


def main(folder: Path) -> None:
    """Load the models, then answer requests until stdin ends."""
    stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints to stdout must not mix with the answers

    def write(piece: dict[str, Any]) -> None:
        stdout.write(json.dumps(piece) + "\n")
        stdout.flush()

    answerer = Answerer(folder)
    requests: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    threading.Thread(target=_read_requests, args=(answerer, requests), daemon=True).start()
    write({"ready": True})
    while (request := requests.get()) is not None:
        try:
            answerer.answer(request, write)
        except Exception as error:  # noqa: BLE001 - the next request must have its answer
            write({"error": f"{type(error).__name__}: {error}"})


def _read_requests(answerer: Answerer, requests: SimpleQueue[dict[str, Any] | None]) -> None:
    """Read requests from stdin while the model answers; None is the end."""
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if "stop" in request:
                answerer.last_stop = request["stop"]
            else:
                requests.put(request)
    finally:
        answerer.last_stop = math.inf
        requests.put(None)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main(Path(sys.argv[1]))
