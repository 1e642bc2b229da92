"""Hardware detection from the files of the system and from a fake nvidia-smi."""

from __future__ import annotations

import itertools
import json
import sys

import pytest

from finetune.errors import SpecError
from finetune.machine import cuda_variables, device_memory, hardware
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


@pytest.fixture
def cards(smi, tmp_path):
    """Return a function that makes nvidia-smi answer, field by field, for cards given as name=value."""

    def install(*gpus):
        answer = tmp_path / "answer.py"
        answer.write_text(
            "import sys\n"
            f"gpus = {[{'uuid': f'GPU-{n}00{n}-aa', **gpu} for n, gpu in enumerate(gpus)]!r}\n"
            "fields = next(w for w in sys.argv if w.startswith('--query-gpu=')).partition('=')[2].split(',')\n"
            "for gpu in gpus: print(', '.join(gpu.get(field, '[N/A]') for field in fields))\n"
        )
        smi(f'exec {sys.executable} {answer} "$@"')

    return install


def card(name, total, free, capability):
    return {"name": name, "memory.total": total, "memory.free": free, "compute_cap": capability}


H100 = card("NVIDIA H100 80GB HBM3", "81559", "80994", "9.0")
RTX_4090 = card("NVIDIA GeForce RTX 4090", "24564", "22071", "8.9")
T4 = card("Tesla T4", "15360.5", "14910.5", "7.5")
GB10 = card("NVIDIA GB10", "[N/A]", "[N/A]", "12.1")


def test_gpus_come_from_nvidia_smi(cards, monkeypatch):
    cards(H100, T4)
    machine = hardware.detect_machine()
    assert machine.gpus == (
        Gpu("NVIDIA H100 80GB HBM3", 81559 * 2**20, 9.0, 80994 * 2**20),
        Gpu("Tesla T4", 15360 * 2**20, 7.5, 14910 * 2**20),
    )
    assert machine.has_bfloat16(1), "a run with one process uses the first GPU"
    assert not machine.has_bfloat16(2)
    assert machine.usable_bytes("cuda", 1) == 80994 * 2**20
    assert machine.usable_bytes("cuda", 2) == 14910 * 2**20
    assert machine.usable_bytes("cpu") == machine.memory_bytes
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert hardware.detect_machine().gpus == ()


def test_gpu_without_memory_of_its_own_has_the_systems(cards):
    cards(GB10)
    machine = hardware.detect_machine()
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.capability, gpu.memory_bytes) == ("NVIDIA GB10", 12.1, machine.memory_bytes)
    assert 0 < gpu.free_bytes <= machine.memory_bytes
    assert machine.has_bfloat16()
    cards(card("Quadro", "8192", "[N/A]", "[Not Supported]"))
    assert hardware.detect_machine().gpus == (Gpu("Quadro", 8192 * 2**20, 0.0),)
    assert hardware.detect_machine().usable_bytes("cuda") == 8192 * 2**20


@pytest.mark.parametrize(("visible", "names"), [
    ("1", ["Tesla T4"]),
    ("2,0", ["NVIDIA GeForce RTX 4090", "NVIDIA H100 80GB HBM3"]),
    (" 1 , 0 ", ["Tesla T4", "NVIDIA H100 80GB HBM3"]),
    ("GPU-200", ["NVIDIA GeForce RTX 4090"]),
    ("1,7,0", ["Tesla T4"]),
    ("0,-1,1", ["NVIDIA H100 80GB HBM3"]),
    ("0,0,1", []),
    ("GPU-000,GPU-000", []),
    ("GPU-000,GPU-0", []),
    ("GPU-200,1", ["NVIDIA GeForce RTX 4090"]),
    ("1,GPU-200", ["Tesla T4"]),
    ("-1", []),
    ("GPU-", []),
])  # fmt: skip
def test_cuda_visible_devices_selects_and_orders_the_gpus(cards, monkeypatch, visible, names):
    import torch

    cards(H100, T4, RTX_4090)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.name for gpu in hardware.detect_machine().gpus] == names
    devices = torch.cuda._parse_visible_devices()
    if devices and isinstance(devices[0], str):
        uuids = [f"GPU-{n}00{n}-aa" for n in range(3)]
        devices = torch.cuda._transform_uuid_to_ordinals(devices, uuids)
    there = itertools.takewhile(lambda n: n < 3, devices)
    cards_by_index = ("NVIDIA H100 80GB HBM3", "Tesla T4", "NVIDIA GeForce RTX 4090")
    assert [cards_by_index[n] for n in there] == names, "torch reads the variable in another way"


@pytest.mark.parametrize(("visible", "count"), [("MIG-1a,MIG-2b", 2), ("MIG-1a", 1)])
def test_instances_of_a_divided_gpu_are_those_that_torch_sees(
    cards, interpreter, tmp_path, monkeypatch, visible, count
):
    """nvidia-smi would list the whole card, so that it is not asked."""
    cards({**H100, "mig.mode.current": "Enabled"})
    driver = tmp_path / "version"
    driver.touch()
    monkeypatch.setattr(hardware, "_DRIVER_FILES", (str(driver),))
    instance = ["NVIDIA H100 80GB HBM3 MIG 3g.40gb", 42_000_000_000, 9.0, 41_000_000_000]
    interpreter(f"echo '{json.dumps([instance] * count)}'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert hardware.detect_machine().gpus == (Gpu(*instance),) * count
    assert hardware.select_devices(1)["CUDA_VISIBLE_DEVICES"] == "MIG-1a"


@pytest.mark.parametrize("maker", ["AMD", "Apple"])
def test_gpu_of_another_maker_is_named_with_what_uses_it(tmp_path, monkeypatch, maker):
    monkeypatch.setattr(hardware.shutil, "which", lambda _: None)
    monkeypatch.setattr(hardware, "_AMD_DRIVER_FILE", str(tmp_path / "kfd"))
    assert not hardware.describe_unused_gpus(hardware.detect_machine(), "cpu", 1)
    if maker == "AMD":
        (tmp_path / "kfd").touch()
    else:
        monkeypatch.setattr(hardware.sys, "platform", "darwin")
        monkeypatch.setattr(hardware.platform, "machine", lambda: "arm64")
        monkeypatch.delattr(hardware.os, "sched_getaffinity")
    machine = hardware.detect_machine()
    assert machine.gpus == ()
    assert machine.cores >= 1
    assert hardware.describe_unused_gpus(machine, "cpu", 1) == (
        f"a GPU by {maker} found, not used: advisor installs the stacks for GPUs by NVIDIA only; "
        f"`advisor rank --hardware {maker.lower()}` shows which libraries use it"
    )
    assert not hardware.describe_unused_gpus(Machine("", 1, 1, (Gpu("T4", 1, 7.5),)), "cpu", 1)


@pytest.mark.parametrize(("visible", "processes", "devices"), [
    (None, 1, "0"), (None, 8, "0,1,2,3,4,5,6,7"), ("3", 1, "3"), ("3,1", 1, "3"), ("GPU-a,GPU-b", 2, "GPU-a,GPU-b"),
])  # fmt: skip
def test_run_sees_one_gpu_for_each_process(monkeypatch, visible, processes, devices):
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    variables = hardware.select_devices(processes)
    assert variables == {"CUDA_VISIBLE_DEVICES": devices, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def test_idle_gpus_are_named_with_the_option_that_uses_them(cards):
    cards(*[H100] * 8)
    machine = hardware.detect_machine()
    assert hardware.describe_unused_gpus(machine, "cuda", 1) == (
        "8 GPUs found, 1 used; to use all of them: --gpus 8"
    )
    assert not hardware.describe_unused_gpus(machine, "cuda", 8)
    assert not hardware.describe_unused_gpus(machine, "cpu", 1)


@pytest.mark.parametrize(("kind", "dtype", "processes", "is_emulated"), [
    ("cuda", "bfloat16", 2, True), ("cuda", "bfloat16", 1, False), ("cuda", "float16", 2, False),
    ("cuda", "float32", 2, False), ("cpu", "bfloat16", 2, False), (None, "bfloat16", 2, False),
])  # fmt: skip
def test_bfloat16_on_a_card_without_it_is_named_with_the_type_that_is_fast(
    cards, kind, dtype, processes, is_emulated
):
    cards(H100, T4)
    text = hardware.describe_emulation(hardware.detect_machine(), kind, dtype, processes)
    assert text == is_emulated * (
        "Tesla T4 has no bfloat16 (compute capability 7.5, not 8.0 or more) and computes it in float32, which "
        "is slow; use --set training.dtype=float16"
    )


def test_without_nvidia_smi_torch_knows_the_gpus(interpreter, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    monkeypatch.setattr(hardware.shutil, "which", lambda _: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    interpreter("""echo '[["NVIDIA A10G", 23609475072, 8.6, 20000000000]]'""")
    assert hardware.detect_machine().gpus == (), "without a driver, torch is not asked"
    driver = tmp_path / "version"
    driver.touch()
    monkeypatch.setattr(hardware, "_DRIVER_FILES", (str(driver),))
    assert hardware.detect_machine().gpus == (Gpu("NVIDIA A10G", 23609475072, 8.6, 20000000000),)
    interpreter("echo no torch >&2; exit 1")
    assert hardware.detect_machine().gpus == ()


def test_divided_gpu_is_the_instance_that_torch_sees(cards, interpreter, tmp_path, monkeypatch):
    """With MIG, nvidia-smi lists the whole card, and CUDA shows one instance of it."""
    cards({**H100, "mig.mode.current": "Disabled"})
    assert [gpu.name for gpu in hardware.detect_machine().gpus] == ["NVIDIA H100 80GB HBM3"]
    cards({**card("NVIDIA A100-SXM4-80GB", "81920", "81000", "8.0"), "mig.mode.current": "Enabled"})
    assert hardware.detect_machine().gpus == (), "nobody says how large the instance is"
    driver = tmp_path / "version"
    driver.touch()
    monkeypatch.setattr(hardware, "_DRIVER_FILES", (str(driver),))
    interpreter("""echo '[["NVIDIA A100-SXM4-80GB MIG 1g.10gb", 10200547328, 8.0, 10000000000]]'""")
    (gpu,) = hardware.detect_machine().gpus
    assert gpu.memory_bytes == 10200547328


def test_lost_gpu_is_none(cards):
    lost = dict.fromkeys(("name", "uuid", "memory.total", "memory.free", "compute_cap"), "[GPU is lost]")
    cards(H100, lost)
    assert [gpu.name for gpu in hardware.detect_machine().gpus] == ["NVIDIA H100 80GB HBM3"]


@pytest.mark.parametrize(("text", "count"), [("2x Tesla T4, 16 GB, 7", 2), ("Tesla T4, 16, 7.5", 1)])
def test_description_of_gpus_is_read_as_people_write_it(monkeypatch, text, count):
    monkeypatch.setenv("ADVISOR_GPUS", text)
    assert [gpu.name for gpu in hardware.detect_machine().gpus] == ["Tesla T4"] * count


def test_person_can_describe_the_gpus(monkeypatch):
    monkeypatch.setenv("ADVISOR_GPUS", "2 x NVIDIA GeForce RTX 4090, 24, 8.9; Tesla T4, 14.5 GiB, 7.5")
    card_4090 = Gpu("NVIDIA GeForce RTX 4090", 24 * 2**30, 8.9)
    assert hardware.detect_machine().gpus == (card_4090, card_4090, Gpu("Tesla T4", 29 * 2**29, 7.5))
    monkeypatch.setenv("ADVISOR_GPUS", "a big one")
    with pytest.raises(
        SpecError, match=r"ADVISOR_GPUS: cannot read 'a big one'; expected a name, the memory"
    ):
        hardware.detect_machine()


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


@pytest.fixture
def clean(monkeypatch):
    """No variable that a person could have set."""
    for name in ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "NCCL_P2P_DISABLE", "NCCL_IB_DISABLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


def with_driver(gpu, version):
    return {**gpu, "driver_version": version}


@pytest.mark.parametrize(("gpu", "version", "count", "is_disabled"), [
    (RTX_4090, "535.183.01", 2, True),
    (RTX_4090, "550.40.06", 2, True),
    (RTX_4090, "550.40.07", 2, False),
    (RTX_4090, "580.65.06", 2, False),
    (RTX_4090, "[N/A]", 2, False),
    (RTX_4090, "535.183.01", 1, False),
    (H100, "535.183.01", 2, False),
])  # fmt: skip
def test_consumer_pairs_with_an_old_driver_do_not_copy_to_each_other(
    cards, clean, gpu, version, count, is_disabled
):
    cards(*[with_driver(gpu, version)] * 2)
    variables = cuda_variables.build_variables(count)
    expected = {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": "1"} if is_disabled else {}
    assert {name: value for name, value in variables.items() if name.startswith("NCCL")} == expected
    assert variables["CUDA_VISIBLE_DEVICES"] == ("0,1" if count == 2 else "0")


def test_small_cards_get_segments_that_grow(cards, clean, monkeypatch):
    name = "PYTORCH_CUDA_ALLOC_CONF"
    for gpu, value in (
        (T4, "expandable_segments:True"),
        (RTX_4090, "expandable_segments:True"),
        (H100, None),
    ):
        cards(gpu)
        assert cuda_variables.build_variables(1).get(name) == value
    cards(T4)
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "max_split_size_mb:64")
    assert name not in cuda_variables.build_variables(1)


def test_what_a_person_set_stays(cards, clean, monkeypatch):
    cards(*[with_driver(RTX_4090, "535.183.01")] * 2)
    monkeypatch.setenv("NCCL_P2P_DISABLE", "0")
    variables = cuda_variables.build_variables(2)
    assert "NCCL_P2P_DISABLE" not in variables
    assert variables["NCCL_IB_DISABLE"] == "1"


def test_stacks_get_the_variables_of_the_cards(cards, clean):
    from finetune.spec import RunSpec
    from finetune.stacks import STACKS, load_stack

    cards(*[with_driver(RTX_4090, "535.183.01")] * 2)
    run_spec = RunSpec.model_validate(
        {"model": {"base": "m"}, "data": {"train": "d"}, "devices": {"kind": "cuda", "processes": 2}}
    )
    for name in STACKS:
        variables = load_stack(name).environment(run_spec)
        assert variables["NCCL_P2P_DISABLE"] == "1", name
        assert variables["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True", name


def test_driver_version_is_unknown_without_an_answer(smi):
    assert hardware.read_driver_version() is None
    smi("exit 9")
    assert hardware.read_driver_version() is None


def test_a_busy_machine_is_said(monkeypatch):
    monkeypatch.setattr(hardware.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(hardware.os, "getloadavg", lambda: (2.9, 0.0, 0.0))
    assert hardware.describe_load() == ""
    monkeypatch.setattr(hardware.os, "getloadavg", lambda: (14.2, 0.0, 0.0))
    assert hardware.describe_load().startswith("the machine is busy: 14 processes share 2 cores, so the run")
