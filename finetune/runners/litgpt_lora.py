"""Runs inside litgpt's environment: `python litgpt_lora.py CONFIG RUN`.

`litgpt finetune_lora` trains. Put around it, in place of functions of its module: our events instead of
its CSV file; the schedule (its own is the cosine, and cannot do without a warm-up); clipping of gradients
(it has none); losses of micro-batches weighed by their trained tokens; and nothing where it would generate
a sample or write the merged model.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners import progress
    from finetune.runners.emit import Emitter, main, rss_bytes
    from finetune.runners.initial import begin
    from finetune.runners.stream import Stream
else:
    import progress
    from emit import Emitter, main, rss_bytes
    from initial import begin
    from stream import Stream

IGNORED = -100


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
                rate = float(metrics["learning_rate"])
                going.step(here, float(metrics["loss"]), rate, norms.pop() if norms else None)

        def finalize(self, status: str) -> None:
            """Nothing is held open."""

    fit, validate, cross_entropy = lora.fit, lora.validate, lora.chunked_cross_entropy

    def fit_around(**loop: Any) -> Any:
        model, optimizer = loop["model"], loop["optimizer"]
        if around["max_grad_norm"]:
            import torch

            trained = [p for p in model.parameters() if p.requires_grad]

            def clip(*_: Any) -> None:
                norms[:] = [float(torch.nn.utils.clip_grad_norm_(trained, around["max_grad_norm"]))]

            optimizer.optimizer.register_step_pre_hook(clip)
        going.validate = lambda: float(
            validate(loop["fabric"], model, loop["val_dataloader"], loop["eval"], verbose=False)
        )
        begin(model, around["rows"]["seed"], rank=around["rank"], stack="litgpt", qkv=tuple(around["qkv"]))
        going.loaded(began, model, optimizer, loop["scheduler"])
        return fit(**loop)

    def nothing(*_: Any, **__: Any) -> None:
        return None

    lora.fit = fit_around
    if around["accumulation"] > 1:
        weights = _weights(going.stream, around["micro_batch"], around["accumulation"])
        lora.chunked_cross_entropy = _weighed(cross_entropy, weights)
    lora.choose_logger = lambda *_, **__: Events()
    lora.get_lr_scheduler = lambda optimizer, **_: progress.schedule(optimizer, **around["schedule"])
    lora.generate_example = lora.merge_lora = lora.save_hyperparameters = nothing
    sys.argv = ["litgpt", "finetune_lora", "--config", str(config)]
    command.main()
    state = {n: p for n, p in going.model.state_dict().items() if "lora_" in n}
    going.finish(state, began)


def _weighed(cross_entropy: Any, weights: list[float]) -> Any:
    """The loss of each micro-batch times its weight; validation, which asks for no gradient, as it is."""
    import torch

    coming = iter(weights)

    def loss(*given: Any, **named: Any) -> Any:
        alone = cross_entropy(*given, **named)
        return alone * next(coming) if torch.is_grad_enabled() else alone

    return loss


def _weights(stream: Stream, micro: int, accumulation: int) -> list[float]:
    """Of each micro-batch: its trained tokens over the mean of its step; litgpt weighs all of them alike."""
    labels = [stream[place]["labels"][1:] for place in range(len(stream))]
    trained = [sum(label != IGNORED for label in row) for row in labels]
    counts = [sum(trained[at : at + micro]) for at in range(0, len(trained), micro)]
    steps = [counts[at : at + accumulation] for at in range(0, len(counts), accumulation)]
    return [count * len(step) / max(1, sum(step)) for step in steps for count in step]


def _base(base: str, revision: str | None) -> Path:
    if Path(base).is_dir():
        return Path(base)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(base, revision=revision))


if __name__ == "__main__":
    sys.exit(main(train))
