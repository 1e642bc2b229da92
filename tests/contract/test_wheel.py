"""The built wheel in an environment of its own, run from another folder, with no home to speak of."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_ranks_from_another_folder(tmp_path):
    def run(*args, **kwargs):
        done = subprocess.run(args, capture_output=True, text=True, check=False, **kwargs)
        assert done.returncode == 0, done.stderr
        return done.stdout

    uv = [str(Path(sys.executable).with_name("uv"))]
    run(*uv, "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / "dist"), str(ROOT))
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    # PyPI's advisor is another project; the import names stay
    (wheel,) = (tmp_path / "dist").glob("library_advisor-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"advisor/py.typed", "finetune/py.typed"} <= set(names)
    assert any(name.endswith(".data/data/share/man/man1/advisor.1") for name in names)
    run(*uv, "pip", "install", "--quiet", "--python", str(python), "--constraint",
        str(ROOT / "constraints.txt"), str(wheel))  # fmt: skip
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(elsewhere)}
    shown = run(str(python.with_name("advisor")), "rank", cwd=elsewhere, env=env)
    assert "Recommendation: " in shown
    run(str(python.with_name("advisor")), "dashboard", "--months", "0", cwd=elsewhere, env=env)
    assert "plotly" in (elsewhere / "report.html").read_text()
    assert str(ROOT) not in run(str(python), "-c", "import advisor; print(advisor.__file__)", cwd=elsewhere)
