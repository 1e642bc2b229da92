"""What the torch of an environment says about the GPUs, and what to install; a script stands in for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from finetune.errors import StackEnvironmentError
from finetune.machine import gpu_check
from finetune.machine.gpu_check import GpuSupport

SM = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
T4, RTX_4090, GB10 = (["Tesla T4", [7, 5], 15 * 2**30], ["NVIDIA GeForce RTX 4090", [8, 9], 23 * 2**30],
                      ["NVIDIA GB10", [12, 1], 100 * 2**30])  # fmt: skip


@pytest.fixture
def python(tmp_path):
    """Return a function that makes an interpreter whose torch answers with these values."""

    def install(gpus=(), error="", architectures=SM, cuda="13.0", torch="2.13.0+cu130"):
        answer = {"torch": torch, "cuda": cuda, "architectures": architectures, "gpus": gpus, "error": error}
        (tmp_path / "answer.json").write_text(json.dumps(answer))
        file = tmp_path / "python"
        file.write_text(
            f"#!/bin/sh\necho $CUDA_VISIBLE_DEVICES >{tmp_path}/visible\n"
            f"echo a warning of a library\ncat {tmp_path}/answer.json\n"
        )
        file.chmod(0o755)
        return file

    return install


@pytest.mark.parametrize("gpus", [[T4], [RTX_4090], [GB10], [RTX_4090, RTX_4090]])
def test_gpus_that_torch_can_use_pass(python, tmp_path, gpus):
    variables = {"CUDA_VISIBLE_DEVICES": "2,5"}
    support = gpu_check.check_gpus(python(gpus), "here", "trl", variables, len(gpus))
    assert [gpu[0] for gpu in support.gpus] == [gpu[0] for gpu in gpus]
    assert (tmp_path / "visible").read_text() == "2,5\n", "torch is asked about the GPUs of the run"
    assert f"torch 2.13.0+cu130, CUDA 13.0: {gpus[0][0]} (" in str(support)


@pytest.mark.parametrize(("answer", "home", "processes", "texts"), [
    ({"cuda": None, "torch": "2.13.0+cpu", "architectures": [], "error": "Torch not compiled with CUDA enabled"},
     "/e", 1, ["torch 2.13.0+cpu is built for CPUs", "UV_TORCH_BACKEND=cu130 advisor stacks rebuild trl"]),
    ({"cuda": None, "torch": "2.13.0+cpu", "architectures": []},
     "here", 1, ["uv pip install --reinstall-package torch --torch-backend=cu130 torch"]),
    ({"error": "The NVIDIA driver on your system is too old (found version 12020)."},
     "/e", 1, ["needs CUDA 13.0", "found version 12020", "driver 580 or newer", "UV_TORCH_BACKEND=cu126"]),
    ({"error": "CUDA driver version is insufficient for CUDA runtime version", "cuda": "12.8"},
     "/e", 1, ["Install driver 525 or newer"]),
    ({"error": "No CUDA GPUs are available"}, "/e", 1, ["sees no GPU: No CUDA GPUs are available", "--gpus all"]),
    ({"gpus": [RTX_4090]}, "/e", 2, ["2 processes need a GPU each, but torch sees 1; use --gpus 1"]),
    ({"gpus": [["GeForce GTX 1080", [6, 1], 2**33]]}, "/e", 1,
     ["no code for GeForce GTX 1080 (compute capability 6.1)", "sm_75, sm_80", "UV_TORCH_BACKEND=cu126"]),
    ({"gpus": [["Tesla K80", [3, 7], 2**33]]}, "/e", 1, ["No build of this version of torch has code for it"]),
    ({"gpus": [["NVIDIA RTX 5090", [12, 0], 2**35]], "architectures": ["sm_90"], "cuda": "12.6"}, "/e", 1,
     ["no code for NVIDIA RTX 5090", "UV_TORCH_BACKEND=cu130"]),
    ({"gpus": [RTX_4090], "architectures": ["sm_90", "sm_75"]}, "/e", 1, ["no code for NVIDIA GeForce RTX 4090"]),
])  # fmt: skip
def test_torch_that_cannot_use_the_gpu_is_refused_with_what_to_install(
    python, answer, home, processes, texts
):
    with pytest.raises(StackEnvironmentError) as refusal:
        gpu_check.check_gpus(python(**answer), home, "trl", {}, processes)
    message = str(refusal.value)
    assert message.startswith("trl cannot train on the GPU: ")
    assert all(text in message for text in texts), message


@pytest.mark.parametrize(("driver", "capability", "expected"), [
    ((580, 65), (8, 9), "UV_TORCH_BACKEND=cu130"),
    ((550, 54), (8, 9), "UV_TORCH_BACKEND=cu126"),
    ((580, 65), (7, 0), "UV_TORCH_BACKEND=cu126"),
    ((570, 26), (12, 0), "Install driver 580 or newer first. Build its environment again: UV_TORCH_BACKEND=cu130"),
    (None, (0, 0), "UV_TORCH_BACKEND=cu130"),
])  # fmt: skip
def test_build_of_torch_fits_the_driver_and_the_card(monkeypatch, driver, capability, expected):
    """A torch for CPUs knows neither; uv's `auto` would look at the driver only."""
    major, minor = capability
    monkeypatch.setenv("ADVISOR_GPUS", f"a card, 16, {major}.{minor}")
    monkeypatch.setattr(gpu_check.hardware, "read_driver_version", lambda: driver)
    assert expected in gpu_check.explain_problem(GpuSupport("2.13.0+cpu", None), "trl", "/e")


def test_hidden_gpus_are_explained_by_their_variable(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    support = GpuSupport("2.13.0", "13.0", error="No CUDA GPUs are available")
    assert "CUDA_VISIBLE_DEVICES is '-1'" in gpu_check.explain_problem(support, "trl", "here")


def test_code_for_a_virtual_architecture_runs_on_newer_cards():
    for text, capability, is_usable in (
        ("compute_90", (12, 0), True), ("compute_90", (8, 9), False), ("sm_90a", (9, 0), True),
        ("sm_80", (8, 9), True), ("sm_89", (8, 6), False), ("sm_80", (9, 0), False), ("gfx90a", (9, 0), False),
    ):  # fmt: skip
        assert gpu_check._has_code((text,), capability) is is_usable, (text, capability)


def test_interpreter_without_torch_is_refused_with_its_last_line(tmp_path):
    file = tmp_path / "python"
    file.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named torch' >&2; exit 1\n")
    file.chmod(0o755)
    with pytest.raises(
        StackEnvironmentError, match=r"cannot import torch with .*python: ModuleNotFoundError"
    ):
        gpu_check.query_gpus(file)
    with pytest.raises(StackEnvironmentError, match=r"cannot import torch with .*absent"):
        gpu_check.query_gpus(tmp_path / "absent")


def test_real_torch_answers():
    import torch

    support = gpu_check.query_gpus(Path(sys.executable), {"CUDA_VISIBLE_DEVICES": ""})
    assert (support.torch, support.cuda) == (torch.__version__, torch.version.cuda)
    assert support.gpus == ()
    assert support.error
    assert str(support).endswith(support.error)
