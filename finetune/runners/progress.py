"""What torchtune and litgpt have no word for: events, stopping between steps, resuming, validation.

Their training loops call `Progress.step` once for each optimiser step, through the logger that both let
their user choose. Of several processes each calls it, at the same places: parts are gathered there.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners import shards
    from finetune.runners.emit import Emitter, NotFinite, Stopped, gpu_bytes, mark_complete, rss_bytes
    from finetune.runners.probe import leave
    from finetune.runners.stream import Stream
else:
    import shards
    from emit import Emitter, NotFinite, Stopped, gpu_bytes, mark_complete, rss_bytes
    from probe import leave
    from stream import Stream  # noqa: TC002 - neighbours, or of the package


class Progress:
    """One run as it goes on.

    Attributes:
        model, optimizer, scheduler: of the training loop, once it has made them.
        validate: gives the loss on the held-out rows; None without any.
    """

    def __init__(
        self,
        run: Path,
        stream: Stream,
        *,
        steps: int,
        every: int,
        validate_every: int,
        save_every: int,
        keep: int,
    ) -> None:
        self.emit = Emitter(run, quiet=shards.rank() > 0)
        self.run, self.stream, self.steps = run, stream, steps
        self.every, self.validate_every, self.save_every, self.keep = every, validate_every, save_every, keep
        self.model: Any = None
        self.optimizer: Any = None
        self.scheduler: Any = None
        self.validate: Callable[[], float] | None = None
        self._losses: list[float] = []

    def loaded(self, began: float, model: Any, optimizer: Any, scheduler: Any) -> None:
        """Say what will be trained, and take up a checkpoint where the run goes on from one."""
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        if self.stream.first_step:
            self._restore(self._folder(self.stream.first_step))
        self.emit.loaded(model, began)
        if shards.processes() > 1:
            self.emit("spread", processes=shards.processes(), **shards.held_here(model))

    def step(self, step: int, loss: float, learning_rate: float, grad_norm: float | None = None) -> None:
        """The end of an optimiser step, numbered from 1 over the whole run.

        Raises:
            NotFinite: the loss is NaN or infinite.
            Stopped: the run was asked to end; it has saved.
        """
        finite = math.isfinite(loss)
        self._losses.append(loss)
        if step % self.every == 0 or step == self.steps or not finite:
            self.emit(
                "step",
                step=step,
                steps=self.steps,
                epoch=round(step / self.stream.a_epoch, 4),
                loss=sum(self._losses) / len(self._losses) if finite else None,
                learning_rate=learning_rate,
                grad_norm=grad_norm if grad_norm is not None and math.isfinite(grad_norm) else None,
                tokens=self.stream.tokens(step),
                trained=int(self.emit.trained),
                rss_bytes=rss_bytes(),
                gpu_bytes=gpu_bytes(),
            )
            self._losses.clear()
        if not finite:
            raise NotFinite(f"the loss of step {step} is {loss}")
        if self.validate_every and step % self.validate_every == 0 and self.validate is not None:
            self.emit("validated", step=step, loss=self.validate())
        stop = self.emit.stop_at(step, world_size=shards.processes())
        if stop or step % self.save_every == 0 or step == self.steps:
            self._save(step)
        if stop and step < self.steps:
            raise Stopped

    def finish(self, native: dict[str, Any], began: float) -> None:
        """Write the adapter in the stack's names, and what the model says to one row, for the gate."""
        from safetensors.torch import save_file

        leave(self.model, self.run, quiet=shards.rank() > 0)
        adapter = shards.whole(native)
        if shards.rank():
            return
        save_file(
            {n: t.detach().float().cpu().contiguous() for n, t in adapter.items()},
            self.run / "work" / "native.safetensors",
        )
        self.emit.finished(self.steps, began)

    def _folder(self, step: int) -> Path:
        return self.run / "work" / f"checkpoint-{step}"

    def _save(self, step: int) -> None:
        import torch

        trained = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        state = {
            "weights": shards.whole({n: p.detach() for n, p in trained.items()}),
            "optimizer": shards.whole(self.optimizer.state_dict()),
            "scheduler": self.scheduler.state_dict(),
            "random": shards.of_each(torch.get_rng_state()),
        }
        if not shards.rank():
            self._write(self._folder(step), state, step)
        shards.wait()

    def _write(self, folder: Path, state: dict[str, Any], step: int) -> None:
        import torch

        folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, folder / "state.pt")
        with (folder / "state.pt").open("rb") as written:
            os.fsync(written.fileno())
        mark_complete(folder)
        self.emit("saved", step=step, path=str(folder))
        older = sorted(folder.parent.glob("checkpoint-*"), key=lambda c: int(c.name.rpartition("-")[2]))
        for one in older[: -self.keep]:
            shutil.rmtree(one)

    def _restore(self, folder: Path) -> None:
        import torch

        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, weight in state["weights"].items():
                parameters[name].copy_(shards.like(parameters[name], weight))
        walked = [p for group in self.optimizer.param_groups for p in group["params"]]
        for place, moments in state["optimizer"]["state"].items():
            weight = walked[place]
            for name, moment in moments.items():
                if getattr(moment, "shape", None) == weight.shape:
                    moments[name] = shards.like(weight, moment)
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["random"][shards.rank() % len(state["random"])])


def schedule(optimizer: Any, name: str, *, warmup: int, steps: int) -> Any:
    """Learning rate by step as transformers' Trainer has it: linear warm-up, then ``name``."""
    from torch.optim.lr_scheduler import LambdaLR

    def factor(step: int) -> float:
        if step < warmup:
            return step / max(1, warmup)
        done = (step - warmup) / max(1, steps - warmup)
        shapes = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}
        return max(0.0, shapes[name])

    return LambdaLR(optimizer, factor)
