"""What a user needs, turned into what the rules may ask of a candidate. Unknown stays unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from advisor.domain.capabilities import METHODS, Library
from advisor.errors import InputError
from advisor.model import Candidate

KINDS = (
    "big tech", "company", "start-up", "foundation", "university", "research institute", "community",
    "individual",
)  # fmt: skip
LICENSES = ("permissive",)

# Names that data/rules/requirements.toml may use; "number" is compared by size, "status" is a word.
NAMES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "wanted_model", "wanted_family", "serves_model", "model_evidence", "wanted_method", "can_method",
            "method_evidence", "can_gpus", "gpus_evidence", "fits", "memory_evidence", "wanted_license",
            "licence", "licence_evidence", "licence_of_parts",
            "parts_evidence", "kind_is_avoided", "kind_is_preferred",
        ),
        "status",
    ),
    **dict.fromkeys(("wanted_gpus", "memory_needed_gib", "memory_there_gib"), "number"),
}  # fmt: skip

# Bytes a parameter takes at least. full: bf16 weights and gradients, fp32 copy and two Adam moments
# (Rajbhandari et al. 2020, ZeRO, table of mixed precision). lora: bf16 weights. qlora: NF4 with double
# quantisation, 4 + 8/64 + 32/(64*256) bits (Dettmers et al. 2023). Activations and adapters come on top.
BYTES = {"full": 16.0, "lora": 2.0, "qlora": (4 + 8 / 64 + 32 / (64 * 256)) / 8}
GIB = 1024**3


@dataclass(frozen=True)
class Requirements:
    """What was asked for; a field that is None or empty was not.

    Attributes:
        model: name on the Hub, as ``google/gemma-2-9b``.
        method: ``full``, ``lora`` or ``qlora``.
        gpu_memory_gib: of one GPU.
        gpus: how many.
        license: ``permissive``.
        avoid, prefer: kinds of backer.
    """

    model: str | None = None
    method: str | None = None
    gpu_memory_gib: float | None = None
    gpus: int | None = None
    license: str | None = None
    avoid: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # for a saved view that names one

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("license", self.license, LICENSES)
        for kind in (*self.avoid, *self.prefer):
            _one_of("kind of backer", _plain(kind), tuple(map(_plain, KINDS)))
        for name, number in (("gpu memory", self.gpu_memory_gib), ("gpus", self.gpus)):
            if number is not None and number <= 0:
                raise InputError(f"{name} is {number}; it must be above 0")

    def __bool__(self) -> bool:
        return self != Requirements()


@dataclass(frozen=True)
class ModelSupport:
    """What the facts say about the wanted model's family in one library."""

    family: str
    supported_on: date | None
    evidence: str


def _one_of(what: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise InputError(f"{what} {value!r} is not known; choose one of {', '.join(known)}")


def _plain(kind: str) -> str:
    return kind.lower().replace(" ", "-")


NO_REQUIREMENTS = Requirements()


def parameters_by_name(model: str) -> float | None:
    """Billions of parameters by a model's name: 9 for gemma-2-9b, 56 for Mixtral-8x7B; else None."""
    name = model.rsplit("/", 1)[-1].lower()
    if found := re.search(r"(?<![\d.])(\d+)x(\d+(?:\.\d+)?)b(?![a-z])", name):
        return int(found[1]) * float(found[2])
    sizes = re.findall(r"(?<![\d.a-z])(\d+(?:\.\d+)?)([bm])(?![a-z\d])", name)
    return max((float(n) * (1 if unit == "b" else 1e-3) for n, unit in sizes), default=None)


def memory_values(needs: Requirements) -> dict[str, float | str]:
    """Whether weights and optimizer fit at all; {} where size, method or memory are not known."""
    billions = parameters_by_name(needs.model) if needs.model else None
    if billions is None or needs.method is None or needs.gpu_memory_gib is None:
        return {}
    size = BYTES[needs.method]
    needed = billions * 1e9 * size / GIB
    there = needs.gpu_memory_gib * (needs.gpus or 1)
    return {
        "memory_needed_gib": round(needed, 1),
        "memory_there_gib": round(there, 1),
        "memory_evidence": f"{billions:g} billion parameters by its name, {size:.3g} bytes each",
        "fits": "yes" if needed <= there else "no",
    }


def values_for(
    candidate: Candidate, needs: Requirements, library: Library | None, support: ModelSupport | None
) -> dict[str, float | str]:
    """What the requirement rules may ask of one candidate."""
    found: dict[str, float | str] = {**memory_values(needs)}
    if needs.model:
        found["wanted_model"] = needs.model
    if support is not None:
        found |= {
            "wanted_family": support.family,
            "serves_model": "yes" if support.supported_on else "no",
            "model_evidence": support.evidence,
        }
    if needs.method:
        found["wanted_method"] = needs.method
        found |= _capability(library, needs.method, "can_method", "method_evidence")
    if needs.gpus is not None and needs.gpus > 1:
        found["wanted_gpus"] = needs.gpus
        wanted = "multi_gpu_qlora" if needs.method == "qlora" else "multi_gpu"
        found |= _capability(library, wanted, "can_gpus", "gpus_evidence")
    if needs.license:
        found |= {"wanted_license": needs.license, **_licences(library)}
    if candidate.backer_kind is not None:
        kind = _plain(candidate.backer_kind)
        for name, kinds in (("kind_is_avoided", needs.avoid), ("kind_is_preferred", needs.prefer)):
            if kinds:
                found[name] = "yes" if kind in map(_plain, kinds) else "no"
    return found


def _capability(library: Library | None, wanted: str, answer: str, evidence: str) -> dict[str, float | str]:
    entry = library.can(wanted) if library else None
    if entry is None or library is None:
        return {}
    return {answer: entry.can, evidence: f"{entry.says} ({entry.path} at {library.commit[:9]})"}


def _licences(library: Library | None) -> dict[str, float | str]:
    if library is None:
        return {}
    whole, *parts = library.licences
    found: dict[str, float | str] = {
        "licence": whole.licence,
        "licence_evidence": f"{whole.name} ({whole.path} at {library.commit[:9]})",
        "licence_of_parts": "permissive",
    }
    other = [p for p in parts if p.licence != "permissive"]
    if other:
        found["licence_of_parts"] = other[0].licence
        found["parts_evidence"] = "; ".join(f"{p.part}: {p.name} ({p.path})" for p in other)
    return found


def parse_memory(text: str) -> float:
    """GiB from ``24GB``, ``24 GiB`` or ``24``. A card's "GB" are GiB.

    Raises:
        InputError: it is not of that form.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:g|gb|gib)?\s*", text.lower())
    if not found:
        raise InputError(f"{text!r} is no amount of memory; write it as 24GB")
    return float(found[1])
