"""The lines that install advisor name what exists: the distribution, its extras, its commands, its version."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import advisor
from advisor.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]
ADDRESS = re.compile(r"([\w-]+)(?:\[(\w+)\])? @ (git\+https://github\.com/OWNER/NAME)")


def test_the_readme_has_a_line_for_each_installer():
    readme = (ROOT / "README.md").read_text()
    for start in ("uvx --from", "pipx install", "pip install"):
        assert (
            len(
                re.findall(
                    rf'^{start} "library-advisor @ git\+https://github\.com/OWNER/NAME"', readme, re.MULTILINE
                )
            )
            == 1
        )


def test_each_address_names_our_distribution_and_an_extra_that_exists():
    found = [match for page in PAGES for match in ADDRESS.findall(page.read_text())]
    assert len(found) >= 6
    for name, extra, _ in found:
        assert name == PROJECT["name"] and (not extra or extra in PROJECT["optional-dependencies"])


def test_the_registry_entry_starts_our_server():
    server = json.loads((ROOT / "server.json").read_text())
    (package,) = server["packages"]
    assert server["version"] == package["version"] == PROJECT["version"] == advisor.__version__
    assert (
        re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", server["name"]) and len(server["description"]) <= 100
    )
    assert (package["registryType"], package["identifier"]) == ("pypi", PROJECT["name"])
    assert package["transport"] == {"type": "stdio"}
    words = [a["value"] for a in (*package["runtimeArguments"], *package["packageArguments"])]
    assert (
        words == [f"library-advisor[mcp]=={PROJECT['version']}", *PROJECT["scripts"], "mcp"]
        and "mcp" in COMMANDS
    )
    assert "mcp-name: " not in (ROOT / "README.md").read_text()  # comes with the public address
