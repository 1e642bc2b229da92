"""Our rows as a litgpt data module, which the config names, and the base model in litgpt's format."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from litgpt.data import DataModule, get_sft_collate_fn
from litgpt.prompts import Default, PromptStyle
from torch.utils.data import DataLoader, Dataset

if TYPE_CHECKING or __package__:
    from finetune.runners import shards
    from finetune.runners.emit import COMPLETE, mark_complete
    from finetune.runners.stream import open_stream, read_rows
else:
    import shards
    from emit import COMPLETE, mark_complete
    from stream import open_stream, read_rows


class _Tensors(Dataset):  # type: ignore[type-arg, unused-ignore]  # its parents are typed only in the stack's environment
    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        count = len(row["input_ids"])
        tensors = {key: torch.tensor(row[key]) for key in ("input_ids", "labels")}
        return {**tensors, "token_counts": {"raw": count, "raw_plus_prompt_template": count}}


@dataclass
class Rows(DataModule):  # type: ignore[misc, unused-ignore]  # its parents are typed only in the stack's environment
    """Tokenised rows, in the order of the run; ``on_rows`` gets tokens and labels of what is read."""

    on_rows: ClassVar[Callable[[Iterable[tuple[Any, Any]]], None]]
    stream: dict[str, Any] = field(default_factory=dict)
    val_path: str = ""
    prompt_style: PromptStyle = field(default_factory=Default, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__init__()

    def connect(self, tokenizer: Any = None, batch_size: int = 1, max_seq_length: int | None = None) -> None:
        """Set the size of a micro-batch; the rows are truncated already."""
        self.batch_size = batch_size

    def setup(self, stage: str = "") -> None:
        """Read the rows."""
        self.rows = open_stream(**self.stream)
        self.val_rows = read_rows(self.val_path) or self.rows.rows[:1]

    def train_dataloader(self) -> Any:
        """Return the training rows in order, without another shuffle."""
        collate = get_sft_collate_fn()

        def collate_rows(samples: list[dict[str, Any]]) -> Any:
            Rows.on_rows((sample["input_ids"], sample["labels"]) for sample in samples)
            return collate(samples)

        return DataLoader(_Tensors(self.rows), batch_size=self.batch_size, collate_fn=collate_rows)

    def val_dataloader(self) -> Any:
        """Return the held-out rows."""
        return DataLoader(
            _Tensors(self.val_rows), batch_size=self.batch_size, collate_fn=get_sft_collate_fn()
        )


def convert_base(base: Path, model_config: Path, folder: Path) -> None:
    """Write the base model in litgpt's format, once for all processes: weights and model config."""
    while shards.rank() and not (folder / COMPLETE).is_file():
        time.sleep(0.2)  # if the first process dies, torchrun ends this one
    if (folder / COMPLETE).is_file():
        return
    from litgpt import Config
    from litgpt.scripts import convert_hf_checkpoint as hf
    from safetensors.torch import load_file

    folder.mkdir(exist_ok=True)
    shutil.copy2(model_config, folder)
    config = Config.from_file(model_config)
    family = config.name.partition("-local")[0]
    weights: dict[str, Any] = {}
    for file in sorted(base.glob("*.safetensors")):
        weights |= load_file(file)
    copy_functions = {
        "Qwen2": hf.copy_weights_qwen_2_5,
        "Qwen3": hf.copy_weights_qwen_3,
        "Phi-3": hf.copy_weights_phi,
    }
    state: dict[str, Any] = {}
    copy_functions.get(family, hf.copy_weights_hf_llama)(config, {}, state, weights)
    state.setdefault("lm_head.weight", state["transformer.wte.weight"])
    torch.save(state, folder / "lit_model.pth")
    for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "generation_config.json"):
        if (base / name).is_file():
            shutil.copy2(base / name, folder / name)
    mark_complete(folder)
