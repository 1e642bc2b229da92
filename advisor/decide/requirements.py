"""The user's requirements, and the values that the requirement rules use. Unknown stays unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from numbers import Real
from typing import Any, ClassVar

from advisor.decide.training_memory import PLAIN_BYTES, compute_memory
from advisor.domain.capabilities import HARDWARE, METHODS, Library
from advisor.errors import InputError
from advisor.model import Candidate

KINDS = (
    "listed company", "company", "start-up", "foundation", "university", "research institute", "community",
    "individual",
)  # fmt: skip
LICENSES = ("permissive",)
PERMISSIVE_LICENSES = ("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "isc")  # as SPDX names them
MOST_GPU_MEMORY_GIB, MOST_GPUS = 10_000, 100_000
HARDWARE_NAMES = {"amd": "AMD GPUs", "apple": "Apple computers", "tpu": "TPUs", "cpu": "a CPU alone"}

# Names that data/rules/requirements.toml may use; a "number" has a size, a "status" is a word.
NAMES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "wanted_model", "wanted_family", "serves_model", "model_evidence", "wanted_method", "can_method",
            "method_evidence", "wanted_hardware", "can_hardware", "hardware_evidence", "can_gpus",
            "gpus_evidence", "fits", "memory_evidence", "memory_recipe", "wanted_license",
            "licence", "licence_evidence", "licence_of_parts",
            "parts_evidence", "kind_is_avoided", "kind_is_preferred",
        ),
        "status",
    ),
    **dict.fromkeys(("wanted_gpus", "memory_needed_gib", "memory_there_gib"), "number"),
}  # fmt: skip


@dataclass(frozen=True)
class Requirements:
    """What the library must do; a field that is None or empty requires nothing.

    Attributes:
        model: name on the Hub of the model to support, for example ``google/gemma-2-9b``.
        method: ``full``, ``lora``, ``qlora``, ``dpo``, ``orpo``, ``grpo`` or ``reward``.
        gpu_memory_gib: memory of one GPU.
        gpus: number of GPUs.
        license: ``permissive``; the name of such a licence, for example ``MIT``, stands for the kind.
        avoid, prefer: kinds of backer, for example ``listed-company``.
        hardware: ``amd``, ``apple``, ``tpu`` or ``cpu``.
    """

    model: str | None = None
    method: str | None = None
    gpu_memory_gib: float | None = None
    gpus: int | None = None
    license: str | None = None
    avoid: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    hardware: str | None = None

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # pydantic reads saved views

    def __post_init__(self) -> None:
        for name in ("model", "method", "license", "hardware"):
            _check_type(name, getattr(self, name), str, "a text")
        for name in ("gpu_memory_gib", "gpus"):
            _check_type(name, getattr(self, name), Real, "a number")
        kinds = tuple(map(_plain, KINDS))
        avoid, prefer = _read_kinds("avoid", self.avoid), _read_kinds("prefer", self.prefer)
        values = {
            "method": _find_choice("method", self.method, METHODS),
            "license": _find_choice("license", self.license, LICENSES),
            "hardware": _find_choice("hardware", self.hardware, HARDWARE),
            "avoid": tuple(_find_choice("kind of backer", _plain(kind), kinds) for kind in avoid),
            "prefer": tuple(_find_choice("kind of backer", _plain(kind), kinds) for kind in prefer),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)  # the value is frozen for everybody else
        if contradictions := sorted(set(self.avoid) & set(self.prefer)):
            raise InputError(f"avoid and prefer both name {contradictions[0]}: choose one of them")
        for name, number, most in (
            ("gpu memory", self.gpu_memory_gib, MOST_GPU_MEMORY_GIB),
            ("gpus", self.gpus, MOST_GPUS),
        ):
            if number is not None and not 0 < number <= most:
                raise InputError(f"invalid {name} {number}: expected a number above 0, at most {most:,}")

    def __bool__(self) -> bool:
        return self != Requirements()

    @property
    def has_task(self) -> bool:
        """Whether they say what to train: the model, the method, or the memory of the GPU."""
        return self.model is not None or self.method is not None or self.gpu_memory_gib is not None


@dataclass(frozen=True)
class ModelSupport:
    """The support of one library for the required model's family, with the evidence in words.

    Attributes:
        is_loaded: whether the library only loads the family, and neither names nor shows it.
    """

    family: str
    supported_on: date | None
    evidence: str
    is_loaded: bool = False


def _check_type(what: str, value: object, kind: type, form: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise InputError(f"invalid {what} {value!r}: expected {form}")


def _read_kinds(what: str, value: Any) -> tuple[str, ...]:
    """Return kinds of backer; a single one may be a text."""
    kinds = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    for kind in kinds:
        if not isinstance(kind, str):
            raise InputError(
                f'invalid {what} {kind!r}: expected kinds of backer, for example ["listed-company"]'
            )
    return kinds


def _find_choice(what: str, value: str | None, choices: Iterable[str]) -> str | None:
    """Return the choice that is meant, in upper or lower case; a permissive licence stands for its kind."""
    if value is None:
        return None
    word = value.strip().lower()
    if what == "license" and word in PERMISSIVE_LICENSES:
        word = "permissive"
    if word not in choices:
        raise InputError(f"unknown {what} {value!r}: choose one of {', '.join(choices)}")
    return word


def _plain(kind: str) -> str:
    return kind.lower().replace(" ", "-")


NO_REQUIREMENTS = Requirements()


def fit_memory(
    requirements: Requirements, billions: float | None, *, can_offload: bool = True
) -> Mapping[str, float | str]:
    """Return whether the training fits; {} if size, method of the weights or memory are not known."""
    if billions is None or requirements.method not in PLAIN_BYTES or requirements.gpu_memory_gib is None:
        return {}
    memory = requirements.gpu_memory_gib * (requirements.gpus or 1)
    return compute_memory(billions, requirements.method, memory, can_offload=can_offload)


def _memory_values(
    requirements: Requirements, library: Library | None, billions: float | None
) -> dict[str, float | str]:
    entry = library.can("offload") if library else None
    values = dict(fit_memory(requirements, billions, can_offload=entry is None or entry.can == "yes"))
    if values.get("fits") == "tight":
        if entry is None or library is None or entry.can != "yes":
            values["fits"] = "unknown"
        else:
            values["memory_recipe"] = f"{entry.says} ({entry.path} at {library.commit[:9]})"
    return values


def requirement_values(
    candidate: Candidate,
    requirements: Requirements,
    library: Library | None,
    support: ModelSupport | None,
    billions: float | None = None,
) -> dict[str, float | str]:
    """Return the values that the requirement rules use for one candidate.

    Args:
        candidate: the candidate.
        requirements: what the library must do.
        library: its capabilities; None: unknown.
        support: its support for the required model; None: unknown.
        billions: parameters of the required model; None: unknown.
    """
    values: dict[str, float | str] = _memory_values(requirements, library, billions)
    if requirements.model:
        values["wanted_model"] = requirements.model
    if support is not None:
        values |= {
            "wanted_family": support.family,
            "serves_model": "no" if not support.supported_on else "loads" if support.is_loaded else "yes",
            "model_evidence": support.evidence,
        }
    if requirements.method:
        values["wanted_method"] = requirements.method
        values |= _capability_values(library, requirements.method, "can_method", "method_evidence")
    if requirements.hardware:
        values["wanted_hardware"] = HARDWARE_NAMES[requirements.hardware]
        values |= _capability_values(library, requirements.hardware, "can_hardware", "hardware_evidence")
    if requirements.gpus is not None and requirements.gpus > 1:
        values["wanted_gpus"] = requirements.gpus
        capability = "multi_gpu_qlora" if requirements.method == "qlora" else "multi_gpu"
        values |= _capability_values(library, capability, "can_gpus", "gpus_evidence")
    if requirements.license:
        values |= {"wanted_license": requirements.license, **_licence_values(library)}
    if candidate.backer_kind is not None:
        kind = _plain(candidate.backer_kind)
        preferences = (("kind_is_avoided", requirements.avoid), ("kind_is_preferred", requirements.prefer))
        for name, kinds in preferences:
            if kinds:
                values[name] = "yes" if kind in map(_plain, kinds) else "no"
    return values


def _capability_values(
    library: Library | None, capability: str, answer_name: str, evidence_name: str
) -> dict[str, float | str]:
    entry = library.can(capability) if library else None
    if entry is None or library is None:
        return {}
    return {answer_name: entry.can, evidence_name: f"{entry.says} ({entry.path} at {library.commit[:9]})"}


def _licence_values(library: Library | None) -> dict[str, float | str]:
    if library is None:
        return {}
    whole, *parts = library.licences
    values: dict[str, float | str] = {
        "licence": whole.licence,
        "licence_evidence": f"{whole.name} ({whole.path} at {library.commit[:9]})",
        "licence_of_parts": "permissive",
    }
    other_parts = [p for p in parts if p.licence != "permissive"]
    if other_parts:
        values["licence_of_parts"] = other_parts[0].licence
        values["parts_evidence"] = "; ".join(f"{p.part}: {p.name} ({p.path})" for p in other_parts)
    return values


def parse_memory(text: str) -> float:
    """Return GiB from ``24GB``, ``24 GiB`` or ``24``. The "GB" of a graphics card are GiB.

    Raises:
        InputError: the text is not an amount of memory.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:g|gb|gib)?\s*", text.lower())
    if not match:
        raise InputError(f"invalid amount of memory {text!r}: write it as 24GB")
    return float(match[1])
