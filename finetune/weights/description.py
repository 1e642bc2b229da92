"""The description of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckpointDescription:
    """The description of a checkpoint.

    Attributes:
        kind: its kind, in words.
        parameters: number of parameters; None if the bytes do not show it.
        dtypes: name → number of parameters.
        details: more facts (architecture, tokenizer, template, base, imports …), in words.
        readers: programs that can read it.
        convert: how to convert it to a model or adapter in Hugging Face's layout.
        warnings: problems of the checkpoint.
    """

    kind: str
    parameters: int | None = None
    dtypes: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    readers: str = ""
    convert: str = ""
    warnings: tuple[str, ...] = ()
