"""The colours of candidates stay apart for colour-blind readers, and can be read on both grounds."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import advisor.report.dashboard

STYLE = Path(advisor.report.dashboard.__file__).parent / "assets" / "colours.css"
# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


def read_colours(scheme):
    """Return the custom properties of a scheme as linear RGB."""
    light, _, dark = STYLE.read_text(encoding="utf-8").partition("@media screen and (prefers-color-scheme: dark)")  # fmt: skip
    values = dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", dark if scheme == "dark" else light))

    def linear(text):
        c = np.array([int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)])
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)

    return {name: linear(text) for name, text in values.items()}


def lab(linear):
    x = np.clip(linear, 0, 1) @ TO_XYZ.T / WHITE
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(first, second):
    """CIEDE2000 of two colours in Lab (Sharma, Wu and Dalal 2005)."""
    c_mean = (np.hypot(*first[1:]) + np.hypot(*second[1:])) / 2
    g = 0.5 * (1 - np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7)))
    (l1, a1, b1), (l2, a2, b2) = (np.array([x[0], (1 + g) * x[1], x[2]]) for x in (first, second))
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    lm, cm, hm = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360
    t = (1 - 0.17 * np.cos(np.radians(hm - 30)) + 0.24 * np.cos(np.radians(2 * hm))
         + 0.32 * np.cos(np.radians(3 * hm + 6)) - 0.2 * np.cos(np.radians(4 * hm - 63)))  # fmt: skip
    sl = 1 + 0.015 * (lm - 50) ** 2 / np.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rt = -2 * np.sqrt(cm**7 / (cm**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((hm - 275) / 25) ** 2))))
    return np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * dc / sc * dh / sh)


@pytest.mark.parametrize(("first", "second", "published"), [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
])  # fmt: skip
def test_the_difference_is_that_of_the_published_examples(first, second, published):
    assert difference(np.array(first), np.array(second)) == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_the_colours_of_candidates_stay_apart(scheme, vision):
    colours = read_colours(scheme)
    seen = {k: lab(np.clip(np.array(VISION[vision]) @ colours[f"k{k}"], 0, 1)) for k in range(8)}
    pairs = {(a, b): difference(seen[a], seen[b]) for a, b in itertools.combinations(seen, 2)}
    assert min(pairs.values()) >= 12, min(pairs, key=pairs.get)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_in_these_colours_can_be_read(scheme):
    colours = read_colours(scheme)
    luminance = {name: TO_XYZ[1] @ rgb for name, rgb in colours.items()}
    for ground in ("ground", "card"):
        for k in range(8):
            low, high = sorted((luminance[f"k{k}"], luminance[ground]))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ground, k)
