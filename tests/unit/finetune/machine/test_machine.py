"""What this machine has, as its own files and nvidia-smi (played) tell it."""

from __future__ import annotations

import pytest

from finetune.machine import device_memory, hardware
from finetune.machine.hardware import Gpu, Machine


@pytest.fixture
def smi(tmp_path, monkeypatch):
    def play(body):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(0o755)
        return str(tool)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return play


def test_gpus_are_those_of_nvidia_smi(smi, monkeypatch):
    smi("echo 'NVIDIA H100 80GB HBM3, 81559, 9.0'; echo 'Tesla T4, 15360.5, 7.5'")
    found = hardware.look()
    assert found.gpus == (
        Gpu("NVIDIA H100 80GB HBM3", 81559 * 2**20, 9.0),
        Gpu("Tesla T4", 15360 * 2**20, 7.5),
    )
    assert not found.bfloat16
    assert found.usable_bytes("cuda") == 15360 * 2**20
    assert found.usable_bytes("cpu") == found.memory_bytes
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert hardware.look().gpus == ()


def test_a_driver_that_does_not_answer_is_no_gpu(smi, tmp_path):
    tool = smi("echo 'NVIDIA-SMI has failed'; exit 9")
    assert hardware.look().gpus == ()
    assert device_memory.used(tool) is None
    assert device_memory.used(smi("echo '[N/A]'")) is None
    with device_memory.watched(tmp_path / "run"):
        pass
    assert device_memory.peak(tmp_path / "run") == 0


def test_a_run_that_was_deleted_meanwhile_keeps_no_peak(smi, tmp_path):
    smi("echo 1024")
    with device_memory.watched(tmp_path / "deleted"):
        pass
    assert not (tmp_path / "deleted").exists()


def test_a_system_without_linux_files_is_still_described(monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(hardware.Path, "read_text", absent)
    named = hardware.platform.processor() or hardware.platform.machine()
    assert hardware.look().memory_bytes > 0
    assert hardware.look().processor == named
    monkeypatch.setattr(hardware.Path, "read_text", lambda *_, **__: "processor : 0\nCPU part : 0xd0c\n")
    assert hardware.look().processor == named, "an ARM's cpuinfo tells no model name"


def test_without_gpus_a_run_for_one_has_the_systems_memory():
    assert Machine("a CPU", 2, 2**30, ()).usable_bytes("cuda") == 2**30
