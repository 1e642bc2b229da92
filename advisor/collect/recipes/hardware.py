"""The hardware that a recipe names: how many GPUs, and how much memory each has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

SEVERAL = 2
"""At least two GPUs, where nobody says how many."""
_MOST_GPUS, _MOST_GB = 4096, 1024
_COUNTS = re.compile(
    r"--?nproc[_-]per[_-]node[\s=]+(\d+)|--num[_-]processes[\s=]+(\d+)|^devices:[ \t]*(\d+)"
    r"|(?<![\w.])(\d+) ?[x×] ?(?:NVIDIA |Nvidia )?(?:[ABHLTV]\d{1,3}\b|RTX|GPU|\d+ ?GB)"
    r"|(?<![a-z\d.])(\d+)[ _-]?gpus?(?![a-z])",
    re.IGNORECASE | re.MULTILINE,
)
_SEVERAL_PATH = re.compile(
    r"(?:^|[/_.-])(?:fsdp\d?|deepspeed|ds\d?|zero3|distributed|multi[_-]?gpu|multi[_-]?node)(?:[/_.-]|$)",
    re.IGNORECASE,
)
_SEVERAL_TEXT = re.compile(
    r"^deepspeed:[ \t]*[\w./-]+|^fsdp:[ \t]*\n[ \t]+\S|^fsdp_config:[ \t]*\n[ \t]+\S"
    r"|\bdeepspeed_zero\d|\bfsdp\d?\.yaml|^[ \t]*nnodes|accelerate launch --config_file|\w+_distributed\b",
    re.IGNORECASE | re.MULTILINE,
)
_SINGLE = re.compile(
    r"single[ _-]?(?:device|gpu)|\bone GPU\b"
    r"|\ba \W{0,2}(?:single|free)\W{1,3}(?:[\w-]+ ){0,2}(?:GPU|T4|L4|A100|H100|Colab|card|device)\b",
    re.IGNORECASE,
)
_MEMORY = (
    r"(?<![\w.])\d+ ?[x×] ?(\d+) ?GB",
    r"(?<![\w.~])(\d+(?:\.\d+)?) ?(?:GB|GiB)(?:\)|\*\*)? (?:of )?(?:GPU|VRAM|video|card|graphics)",
    r"(?:VRAM|GPU memory)[^\n.]{0,40}?(?<![\w.])(\d+(?:\.\d+)?) ?(?:GB|GiB)",
    r"\b(?:A100|V100|H100|A6000|GPU)s?[ (-]{0,2}(?:SXM )?(\d+) ?GB",
)


def find_hardware(
    path: str, text: str, gpu_memory: Mapping[str, float]
) -> tuple[int | None, float | None, str | None]:
    """Return the hardware that a path and a text name: GPUs, memory of one in GB, the words (see `Recipe`).

    Args:
        path: of the file; ``lora_single_device.yaml`` says one GPU.
        text: configuration, command, comments and prose.
        gpu_memory: pattern of a GPU's name → its memory in GB.
    """
    gpus, words = _count_gpus(path, text)
    memory, memory_words = _find_memory(text, gpu_memory)
    phrases = [" ".join(re.sub(r"[*`]+", " ", w).split()) for w in (words, memory_words) if w]
    return gpus, memory, "; ".join(dict.fromkeys(phrases)) or None


def _count_gpus(path: str, text: str) -> tuple[int | None, str | None]:
    if match := _SINGLE.search(path):
        return 1, match[0]
    if match := _COUNTS.search(path) or _COUNTS.search(text):
        count = int(next(filter(None, match.groups())))
        if 0 < count <= _MOST_GPUS:
            return count, match[0]
    if match := _SEVERAL_PATH.search(path) or _SEVERAL_TEXT.search(text):
        return SEVERAL, match[0].split("\n")[0]
    match = _SINGLE.search(text)
    return (1, match[0]) if match else (None, None)


def _find_memory(text: str, gpu_memory: Mapping[str, float]) -> tuple[float | None, str | None]:
    """Return the first memory of a GPU in a text, as a number or by the name of the GPU."""
    match = _compile_memory(tuple(gpu_memory)).search(text)
    if match is None:
        return None, None
    number = next((match[i + 1] for i in range(len(_MEMORY)) if match[i + 1]), None)
    if number is not None:
        return (float(number), match[0]) if 0 < float(number) <= _MOST_GB else (None, None)
    name = next(p for p in gpu_memory if re.fullmatch(p, match["name"], re.IGNORECASE))
    return gpu_memory[name], match[0]


@lru_cache(maxsize=8)
def _compile_memory(names: tuple[str, ...]) -> re.Pattern[str]:
    by_name = rf"\b(?P<name>{'|'.join(names)})(?![\w-])"
    return re.compile("|".join((*_MEMORY, by_name)), re.IGNORECASE)
