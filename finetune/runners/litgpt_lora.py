"""Runs inside litgpt's environment: `python litgpt_lora.py CONFIG RUN`.

`litgpt finetune_lora` trains. Put around it, in place of functions of its module: our events instead of
its CSV file; the schedule (its own is the cosine, and cannot do without a warm-up); clipping of gradients
(it has none); losses of micro-batches weighed by their trained tokens; and nothing where it would generate
a sample or write the merged model. Several processes, under torchrun, are Fabric's: litgpt shards its model
with FSDP2, and checkpoints every block, which here the config decides.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners import progress, shards
    from finetune.runners.emit import IGNORED, Emitter, main, rss_bytes
    from finetune.runners.initial import begin
    from finetune.runners.stream import Stream
else:
    import progress
    import shards
    from emit import IGNORED, Emitter, main, rss_bytes
    from initial import begin
    from stream import Stream


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train as the config says; what litgpt cannot be told stands in ``around.json`` beside it."""
    began = time.monotonic()
    from litgpt import __main__ as command
    from litgpt.finetune import lora

    if TYPE_CHECKING or __package__:
        from finetune.runners.litgpt_parts import lay_out
    else:
        from litgpt_parts import lay_out

    emit("imported", rss_bytes=rss_bytes())
    around = json.loads(config.with_name("around.json").read_text())
    lay_out(
        _base(around["base"], around["revision"]),
        config.with_name("model_config.yaml"),
        config.parent / "base",
    )
    emit("converted")
    going = progress.Progress(run, Stream(**around["rows"]), **around["progress"])
    norms: list[float] = []

    class Events:
        """Fabric's logger, as far as litgpt uses it."""

        name, version, root_dir, log_dir = "events", 0, None, None

        def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
            del step
            if "loss" in metrics and metrics["iter"] % around["accumulation"] == 0:
                here = int(metrics["step"]) + going.stream.first_step
                rate, norm = float(metrics["learning_rate"]), norms.pop() if norms else None
                going.step(here, _mean(float(metrics["loss"])), rate, norm)

        def finalize(self, status: str) -> None:
            """Nothing is held open."""

    fit, validate, cross_entropy = lora.fit, lora.validate, lora.chunked_cross_entropy

    def fit_around(**loop: Any) -> Any:
        model, optimizer = loop["model"], loop["optimizer"]
        if around["max_grad_norm"]:
            import torch

            trained = [p for p in model.parameters() if p.requires_grad]

            def clip(*_: Any) -> None:
                norm = torch.nn.utils.clip_grad_norm_(trained, around["max_grad_norm"])
                norms[:] = [float(shards.whole(norm))]

            optimizer.optimizer.register_step_pre_hook(clip)
        going.validate = lambda: _mean(
            float(validate(loop["fabric"], model, loop["val_dataloader"], loop["eval"], verbose=False))
        )
        begin(model, around["rows"]["seed"], rank=around["rank"], stack="litgpt", qkv=tuple(around["qkv"]))
        going.loaded(began, model, optimizer, loop["scheduler"])
        return fit(**loop)

    def nothing(*_: Any, **__: Any) -> None:
        return None

    lora.fit = fit_around
    weights = _weights(going.stream, around["micro_batch"], around["accumulation"])
    lora.chunked_cross_entropy = _weighed(cross_entropy, weights, going.emit)
    lora.choose_logger = lambda *_, **__: Events()
    lora.get_lr_scheduler = lambda optimizer, **_: progress.schedule(optimizer, **around["schedule"])
    checkpointing = bool(around["gradient_checkpointing"])
    lora.parallelize_fn = functools.partial(lora.parallelize_fn, activation_checkpointing=checkpointing)
    lora.generate_example = lora.merge_lora = lora.save_hyperparameters = nothing
    sys.argv = ["litgpt", "finetune_lora", "--config", str(config)]
    command.main()
    state = {n: p for n, p in going.model.state_dict().items() if "lora_" in n}
    going.finish(state, began)
    shards.leave_together()


def _mean(of_this_process: float) -> float:
    (total,) = shards.summed([of_this_process])
    return total / shards.processes()


def _weighed(cross_entropy: Any, weights: list[float], emit: Emitter) -> Any:
    """The loss of each micro-batch times its weight; validation, which asks for no gradient, as it is.

    The labels that bear loss are counted here too.
    """
    import torch

    coming = iter(weights)

    def loss(logits: Any, targets: Any, **named: Any) -> Any:
        alone = cross_entropy(logits, targets, **named)
        if not torch.is_grad_enabled():
            return alone
        emit.bears_loss(targets)
        return alone * next(coming)

    return loss


def _weights(stream: Stream, micro: int, accumulation: int) -> list[float]:
    """Of each micro-batch of this process: its trained tokens over the mean of its step.

    litgpt weighs all of them alike, and Fabric deals the rows out to the processes in turn.
    """
    processes = shards.processes()
    labels = [stream[place]["labels"][1:] for place in range(len(stream))]
    trained = [sum(label != IGNORED for label in row) for row in labels]
    a_step = micro * accumulation * processes
    steps = [trained[at : at + a_step] for at in range(0, len(trained), a_step)]
    weights = []
    for step in steps:
        here = step[shards.rank() :: processes]
        counts = [sum(here[at : at + micro]) for at in range(0, len(here), micro)]
        weights += [count * len(counts) * processes / max(1, sum(step)) for count in counts]
    return weights


def _base(base: str, revision: str | None) -> Path:
    if Path(base).is_dir():
        return Path(base)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(base, revision=revision))


if __name__ == "__main__":
    sys.exit(main(train))
