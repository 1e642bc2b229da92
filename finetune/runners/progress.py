"""Events, stopping between steps, checkpoints and validation, which torchtune and litgpt do not offer.

Their training loops call `StepProgress.step` once per optimiser step, through the logger that both let the
user choose. With several processes each of them calls it at the same step, because it gathers the parts.
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
    from finetune.runners.emit import Emitter, NotFinite, StopTraining, gpu_bytes, mark_complete, rss_bytes
    from finetune.runners.probe import save_probe
    from finetune.runners.stream import Stream
else:
    import shards
    from emit import Emitter, NotFinite, StopTraining, gpu_bytes, mark_complete, rss_bytes
    from probe import save_probe
    from stream import Stream  # noqa: TC002 - imported by bare name in the stack's environment


class StepProgress:
    """Follows a training loop step by step: reports, validates, saves and stops it.

    Attributes:
        model, optimizer, scheduler: those of the training loop, after `start`.
        validate: returns the loss on the held-out rows; None if there are none.
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

    def start(self, began: float, model: Any, optimizer: Any, scheduler: Any) -> None:
        """Report the model's size, and restore a checkpoint if the run resumes from one."""
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.emit.stream = self.stream
        self.emit.start_at(self.stream.first_step)
        if self.stream.first_step:
            self._restore(self._folder(self.stream.first_step))
        self.emit.report_model(model, began)
        if shards.process_count() > 1:
            self.emit("spread", processes=shards.process_count(), **shards.count_parameters(model))

    def step(self, step: int, loss: float, learning_rate: float, grad_norm: float | None = None) -> None:
        """Handle the end of an optimiser step; the first step of the whole run has number 1.

        Raises:
            NotFinite: the loss is NaN or infinite.
            StopTraining: the run saved and stopped, on request.
        """
        is_finite = math.isfinite(loss)
        self._losses.append(loss)
        if step % self.every == 0 or step == self.steps or not is_finite:
            self.emit(
                "step",
                step=step,
                steps=self.steps,
                epoch=round(step / self.stream.steps_per_epoch, 4),
                loss=sum(self._losses) / len(self._losses) if is_finite else None,
                learning_rate=learning_rate,
                grad_norm=grad_norm if grad_norm is not None and math.isfinite(grad_norm) else None,
                **self.emit.count_work(),
                rss_bytes=rss_bytes(),
                gpu_bytes=gpu_bytes(),
            )
            self._losses.clear()
        if not is_finite:
            raise NotFinite(f"the loss of step {step} is {loss}")
        if self.validate_every and step % self.validate_every == 0 and self.validate is not None:
            self.emit("validated", step=step, loss=self.validate())
        stop = self.emit.should_stop(step, world_size=shards.process_count())
        if stop or step % self.save_every == 0 or step == self.steps:
            self._save(step)
        if stop and step < self.steps:
            raise StopTraining

    def finish(self, native: dict[str, Any], began: float) -> None:
        """Write the adapter under the stack's names, and the probe that the equivalence check reads."""
        from safetensors.torch import save_file

        save_probe(self.model, self.run, quiet=shards.rank() > 0)
        adapter = shards.gather(native)
        if not shards.rank():
            save_file(
                {n: t.detach().float().cpu().contiguous() for n, t in adapter.items()},
                self.run / "work" / "native.safetensors",
            )
        self.emit.report_end(self.steps, began)

    def _folder(self, step: int) -> Path:
        return self.run / "work" / f"checkpoint-{step}"

    def _save(self, step: int) -> None:
        import torch

        parameters = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        state = {
            "weights": shards.gather({n: p.detach() for n, p in parameters.items()}),
            "optimizer": shards.gather(self.optimizer.state_dict()),
            "scheduler": self.scheduler.state_dict(),
            "random": shards.gather_objects(torch.get_rng_state()),
        }
        if not shards.rank():
            self._write(self._folder(step), state, step)
        shards.wait_for_all()

    def _write(self, folder: Path, state: dict[str, Any], step: int) -> None:
        import torch

        folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, folder / "state.pt")
        with (folder / "state.pt").open("rb") as file:
            os.fsync(file.fileno())
        mark_complete(folder)
        self.emit("saved", step=step, path=str(folder))
        checkpoints = [c for c in folder.parent.glob("checkpoint-*") if c.name.rpartition("-")[2].isdecimal()]
        checkpoints.sort(key=lambda c: int(c.name.rpartition("-")[2]))
        for checkpoint in checkpoints[: -self.keep]:
            shutil.rmtree(checkpoint)

    def _restore(self, folder: Path) -> None:
        import torch

        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, weight in state["weights"].items():
                parameters[name].copy_(shards.shard_like(parameters[name], weight))
        ordered_parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for index, moments in state["optimizer"]["state"].items():
            weight = ordered_parameters[index]
            for name, moment in moments.items():
                if getattr(moment, "shape", None) == weight.shape:
                    moments[name] = shards.shard_like(weight, moment)
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["random"][shards.rank() % len(state["random"])])


def build_scheduler(optimizer: Any, name: str, *, warmup: int, steps: int) -> Any:
    """Return the scheduler of transformers' Trainer: a linear warm-up, then the shape ``name``."""
    from torch.optim.lr_scheduler import LambdaLR

    def factor(step: int) -> float:
        if step < warmup:
            return step / max(1, warmup)
        share = (step - warmup) / max(1, steps - warmup)  # of the steps after the warm-up
        shapes = {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}
        return max(0.0, shapes[name])

    return LambdaLR(optimizer, factor)
