"""Generate the reference page of the capabilities of the libraries."""

from __future__ import annotations

from advisor.domain.capabilities import CAPABILITIES, Library, load_capabilities

TITLES = {
    "full": "all weights", "lora": "LoRA", "qlora": "QLoRA", "dpo": "DPO", "orpo": "ORPO", "grpo": "GRPO",
    "reward": "reward models", "vision": "images", "long_context": "long context", "packing": "packing",
    "multi_gpu": "several GPUs", "multi_gpu_qlora": "QLoRA on several GPUs", "multi_node": "several machines",
    "amd": "AMD", "apple": "Apple", "tpu": "TPU", "cpu": "CPU", "offload": "weights in CPU memory",
}  # fmt: skip

HEAD = """# What the libraries can do

`make docs` generates this page from `data/capabilities/`; do not edit it. `?` means that nobody found a place in the
library that says yes or no. Each answer has the file that shows it, in the tree of the commit;
`scripts/check_capabilities.py` looks every one up. `advisor rank --method`, `--hardware`, `--gpus` and `--gpu-memory`
use these answers.
"""


def capabilities_page() -> str:
    """Return the page: one table of all libraries, and one table of evidence for each."""
    libraries = load_capabilities()
    names = [name.split("/")[1] for name in libraries]
    rows = [["", *names], ["---"] * (len(names) + 1)]
    for capability in CAPABILITIES:
        entries = [library.can(capability) for library in libraries.values()]
        rows.append([TITLES[capability], *(entry.can if entry else "?" for entry in entries)])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    sections = [_section(name, library) for name, library in libraries.items()]
    return "\n".join([HEAD, table, "", *sections])


def _section(name: str, library: Library) -> str:
    lines = [
        f"## {name}",
        "",
        f"Commit `{library.commit[:12]}` of {library.day}.",
        "",
        "| capability | | what it says | file |",
        "|---|---|---|---|",
    ]
    for entry in library.capability:
        address = f"https://github.com/{name}/blob/{library.commit}/{entry.path}"
        lines.append(f"| {TITLES[entry.name]} | {entry.can} | {entry.says} | [{entry.path}]({address}) |")
    return "\n".join(lines) + "\n"
