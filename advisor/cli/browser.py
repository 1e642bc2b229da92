"""A local Chromium, where there is one: finds it and has it take a picture of a page."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from advisor.errors import AdvisorError, InputError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
WIDTH, HEIGHT = 1440, 1000  # pixels
PATIENCE_SECONDS = 60


def find_browser() -> str | None:
    """Path of a Chromium or Chrome on PATH or in the usual places; None if there is none."""
    on_path = (shutil.which(name) for name in NAMES)
    return next((p for p in on_path if p), next((p for p in PLACES if Path(p).exists()), None))


def take_picture(page: Path, png: Path) -> None:
    """Write a picture of the top of a page.

    Raises:
        AdvisorError: there is no browser, or it failed.
        InputError: the picture cannot be written there.
    """
    browser = find_browser()
    if browser is None:
        raise AdvisorError(
            f"{page} is written, but no picture: no Chromium was found (looked for {', '.join(NAMES)} "
            "on PATH); install one or leave --png out"
        )
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        command = [
            browser, "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
            f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=10000", f"--screenshot={shot}",
            *(["--no-sandbox"] if _is_root() else []), page.resolve().as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise AdvisorError(f"{browser} took no picture within {PATIENCE_SECONDS} seconds") from None
        if not shot.exists():
            said = done.stderr.strip().splitlines()
            raise AdvisorError(f"{browser} took no picture: {said[-1] if said else done.returncode}")
        try:
            shutil.copyfile(shot, png)
        except OSError as error:
            raise InputError(f"{png} cannot be written: {error.strerror}") from None


def _is_root() -> bool:
    # Chromium's sandbox refuses to run as root; the page is our own and loads nothing.
    return hasattr(os, "geteuid") and os.geteuid() == 0
