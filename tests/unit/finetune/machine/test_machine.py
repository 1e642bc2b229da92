"""Hardware detection from the files of the system and from a fake nvidia-smi."""

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


def test_gpus_come_from_nvidia_smi(smi, monkeypatch):
    smi("echo 'NVIDIA H100 80GB HBM3, 81559, 9.0'; echo 'Tesla T4, 15360.5, 7.5'")
    machine = hardware.detect_machine()
    assert machine.gpus == (
        Gpu("NVIDIA H100 80GB HBM3", 81559 * 2**20, 9.0),
        Gpu("Tesla T4", 15360 * 2**20, 7.5),
    )
    assert not machine.has_bfloat16
    assert machine.usable_bytes("cuda") == 15360 * 2**20
    assert machine.usable_bytes("cpu") == machine.memory_bytes
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert hardware.detect_machine().gpus == ()


def test_driver_that_fails_means_no_gpu(smi, tmp_path):
    tool = smi("echo 'NVIDIA-SMI has failed'; exit 9")
    assert hardware.detect_machine().gpus == ()
    assert device_memory.read_used_bytes(tool) is None
    assert device_memory.read_used_bytes(smi("echo '[N/A]'")) is None
    with device_memory.record_peak(tmp_path / "run"):
        pass
    assert device_memory.read_peak_bytes(tmp_path / "run") == 0


def test_no_peak_is_written_for_a_deleted_run(smi, tmp_path):
    smi("echo 1024")
    with device_memory.record_peak(tmp_path / "deleted"):
        pass
    assert not (tmp_path / "deleted").exists()


def test_system_without_linux_files_has_a_description(monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(hardware.Path, "read_text", absent)
    name = hardware.platform.processor() or hardware.platform.machine()
    assert hardware.detect_machine().memory_bytes > 0
    assert hardware.detect_machine().processor == name
    monkeypatch.setattr(hardware.Path, "read_text", lambda *_, **__: "processor : 0\nCPU part : 0xd0c\n")
    assert hardware.detect_machine().processor == name, "cpuinfo of an ARM has no model name"


def test_usable_memory_without_gpu_is_the_systems():
    assert Machine("a CPU", 2, 2**30, ()).usable_bytes("cuda") == 2**30
