"""Train with litgpt, in its environment: `python litgpt_lora.py CONFIG RUN`.

`litgpt finetune_lora` trains. This script replaces some functions of its module:

- our events instead of its CSV file;
- our schedule, because its own is the cosine and requires a warm-up;
- gradient clipping, which it does not have;
- losses of micro-batches weighted by their trained tokens;
- with 4 bits, the embedding of the base model and the optimizer of the config;
- no samples, and no merged model.

Under torchrun, Fabric runs several processes: litgpt shards its model with FSDP2. It would checkpoint the
activations of every block; here the config decides that.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners import progress, shards
    from finetune.runners.emit import IGNORE_INDEX, Emitter, main, rss_bytes
    from finetune.runners.initial_adapter import initialise_adapter
    from finetune.runners.stream import Stream, open_stream
else:
    import progress
    import shards
    from emit import IGNORE_INDEX, Emitter, main, rss_bytes
    from initial_adapter import initialise_adapter
    from stream import Stream, open_stream

_TOKEN_COUNTS = (
    "raw_tokens",
    "raw_tokens_plus_prompt_template",
    "raw_tokens_plus_prompt_template_and_padding",
)


def fit_rows(fit: Any, loop: dict[str, Any], stream: Stream) -> Any:
    """Run litgpt's loop, unless the run resumes after its last step: the loop needs a row."""
    return fit(**loop) if len(stream) else dict.fromkeys(_TOKEN_COUNTS, 0)


def train(config: Path, run: Path, emit: Emitter) -> None:
    """Train with the config; ``around.json`` beside it has the settings that litgpt does not support."""
    began = time.monotonic()
    from litgpt import __main__ as command
    from litgpt.finetune import lora

    if TYPE_CHECKING or __package__:
        from finetune.runners.litgpt_parts import Rows, convert_base
    else:
        from litgpt_parts import Rows, convert_base

    emit("imported", rss_bytes=rss_bytes())
    around = json.loads(config.with_name("around.json").read_text())
    convert_base(
        _base_folder(around["base"], around["revision"]),
        config.with_name("model_config.yaml"),
        config.parent / "base",
    )
    emit("converted")
    step_progress = progress.StepProgress(run, open_stream(**around["rows"]), **around["progress"])
    Rows.on_rows = step_progress.emit.count_rows
    norms: list[float] = []

    class Events:
        """The part of a Fabric logger that litgpt uses."""

        name, version, root_dir, log_dir = "events", 0, None, None

        def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
            del step
            if "loss" in metrics and metrics["iter"] % around["accumulation"] == 0:
                step = int(metrics["step"]) + step_progress.stream.first_step
                rate, norm = float(metrics["learning_rate"]), norms.pop() if norms else None
                step_progress.step(step, _mean(float(metrics["loss"])), rate, norm)

        def finalize(self, status: str) -> None:
            """Do nothing: no file is open."""

    fit, validate, cross_entropy = lora.fit, lora.validate, lora.chunked_cross_entropy

    def fit_around(**loop: Any) -> Any:
        model, optimizer = loop["model"], loop["optimizer"]
        if around["max_grad_norm"]:
            import torch

            parameters = [p for p in model.parameters() if p.requires_grad]

            def clip(*_: Any) -> None:
                norm = torch.nn.utils.clip_grad_norm_(parameters, around["max_grad_norm"])
                norms[:] = [float(shards.gather(norm))]

            optimizer.optimizer.register_step_pre_hook(clip)
        step_progress.validate = lambda: _mean(
            float(validate(loop["fabric"], model, loop["val_dataloader"], loop["eval"], verbose=False))
        )
        initialise_adapter(
            model, around["rows"]["seed"], rank=around["rank"], stack="litgpt", qkv=tuple(around["qkv"])
        )
        step_progress.start(began, model, optimizer, loop["scheduler"])
        return fit_rows(fit, loop, step_progress.stream)

    def do_nothing(*_: Any, **__: Any) -> None:
        return None

    lora.fit = fit_around
    weights = _micro_batch_weights(step_progress.stream, around["micro_batch"], around["accumulation"])
    lora.chunked_cross_entropy = _weight_losses(cross_entropy, weights, step_progress.emit)
    lora.instantiate_bnb_optimizer = build_optimizer
    lora.choose_logger = lambda *_, **__: Events()
    lora.get_lr_scheduler = lambda optimizer, **_: progress.build_scheduler(optimizer, **around["schedule"])
    if around["quantised"]:
        keep_plain_embedding()
    checkpointing = bool(around["gradient_checkpointing"])
    lora.parallelize_fn = functools.partial(lora.parallelize_fn, activation_checkpointing=checkpointing)
    lora.generate_example = lora.merge_lora = lora.save_hyperparameters = do_nothing
    sys.argv = ["litgpt", "finetune_lora", "--config", str(config)]
    command.main()
    state = {n: p for n, p in step_progress.model.state_dict().items() if "lora_" in n}
    step_progress.finish(state, began)
    shards.shut_down()


def build_optimizer(optimizer: dict[str, Any], parameters: Any) -> Any:
    """Return the optimizer that the config names; with 4 bits litgpt would take the paged 32-bit AdamW.

    Args:
        optimizer: ``class_path`` and ``init_args``.
        parameters: the model's parameters.
    """
    module, _, name = optimizer["class_path"].rpartition(".")
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    return getattr(importlib.import_module(module), name)(trainable, **optimizer["init_args"])


def keep_plain_embedding() -> None:
    """Make litgpt keep the embedding of the base model in 4-bit training, frozen.

    With 4 bits litgpt replaces it by bitsandbytes' StableEmbedding. That adds a LayerNorm, which the base
    model does not have, and computes gradients of the whole table, which count in the clipping.
    """
    import bitsandbytes
    import torch

    def build_embedding(rows: int, columns: int) -> torch.nn.Embedding:
        return torch.nn.Embedding(rows, columns).requires_grad_(requires_grad=False)

    bitsandbytes.nn.StableEmbedding = build_embedding


def _mean(value: float) -> float:
    (total,) = shards.sum_over_processes([value])
    return total / shards.process_count()


def _weight_losses(cross_entropy: Any, weights: list[float], emit: Emitter) -> Any:
    """Return a loss function that multiplies the loss of each training micro-batch by its weight.

    It also counts the labels that contribute to the loss. Validation, which needs no gradient, is unchanged.
    """
    import torch

    next_weights = iter(weights)

    def loss(logits: Any, targets: Any, **kwargs: Any) -> Any:
        plain_loss = cross_entropy(logits, targets, **kwargs)
        if not torch.is_grad_enabled():
            return plain_loss
        emit.count_labels(targets)
        return plain_loss * next(next_weights)

    return loss


def _micro_batch_weights(stream: Stream, micro: int, accumulation: int) -> list[float]:
    """Return, for each micro-batch of this process, its trained tokens over the mean of its step.

    litgpt gives all micro-batches the same weight, and Fabric deals the rows to the processes in turn.
    """
    processes = shards.process_count()
    labels = [stream[position]["labels"][1:] for position in range(len(stream))]
    trained_counts = [sum(label != IGNORE_INDEX for label in row) for row in labels]
    step_rows = micro * accumulation * processes
    steps = [trained_counts[start : start + step_rows] for start in range(0, len(trained_counts), step_rows)]
    weights = []
    for step in steps:
        own_rows = step[shards.rank() :: processes]
        counts = [sum(own_rows[start : start + micro]) for start in range(0, len(own_rows), micro)]
        weights += [count * len(counts) * processes / max(1, sum(step)) for count in counts]
    return weights


def _base_folder(base: str, revision: str | None) -> Path:
    if Path(base).is_dir():
        return Path(base)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(base, revision=revision))


if __name__ == "__main__":
    sys.exit(main(train))
