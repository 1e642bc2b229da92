"""Draw the pictures of the page in the documentation: its first screen on a desktop and on a phone.

Usage: python scripts/pictures.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from advisor.answers.question import Request
from advisor.cli.browser import SCREEN, Shape, take_picture
from advisor.cli.dashboard_page import render_page

PICTURES = {"dashboard.png": SCREEN, "dashboard-phone.png": Shape(390, 844)}


def main(folder: Path) -> None:
    """Write the pictures into a folder."""
    with tempfile.TemporaryDirectory() as place:
        page = Path(place) / "report.html"
        page.write_text(render_page(Request(store=None), months=72)[1], encoding="utf-8")
        for name, shape in PICTURES.items():
            take_picture(page, folder / name, shape)
            print(folder / name)


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["docs"]))
