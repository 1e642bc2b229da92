"""Write the notebooks from their scripts and run them: notebooks.py [SCRIPT ...] (`make notebooks`).

A script is the source; its .ipynb has the same cells, with the outputs of this run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
SECONDS = 1800


def read_script(script: Path) -> nbformat.NotebookNode:
    """Return the notebook of a script, without outputs; the same script gives the same notebook."""
    notebook = jupytext.read(script, fmt="py:percent")
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def run_notebook(notebook: nbformat.NotebookNode, folder: Path, env: dict[str, str] | None = None) -> None:
    """Run the cells in a folder, and keep their outputs, without times and places.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    resources: dict[str, Any] = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=SECONDS, resources=resources, record_timing=False)
    client.execute(env=env or dict(os.environ))
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})


def read_output(notebook: nbformat.NotebookNode) -> str:
    """Return what the cells print and show as text, one after the other."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "".join(texts)  # the kernel sends a stream in pieces of any size


def main() -> None:
    """Write the notebooks of the scripts that the command line names; without any, of all."""
    for script in map(Path, sys.argv[1:] or sorted(map(str, NOTEBOOKS.glob("*.py")))):
        notebook = read_script(script)
        run_notebook(notebook, NOTEBOOKS)
        nbformat.validate(notebook)
        nbformat.write(notebook, script.with_suffix(".ipynb"))


if __name__ == "__main__":
    main()
