"""How much memory this process may use: the machine's, or less in a container or under `ulimit -v`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def read_memory_limit(cgroups: Path = _CGROUPS, own_cgroups: Path = _OWN_CGROUPS) -> int:
    """Return the bytes of memory that this process may use.

    Args:
        cgroups: where Linux mounts the control groups (version 1 or 2); elsewhere it is missing.
        own_cgroups: the file with the groups of this process.
    """
    return min([_physical_memory(), *_group_limits(cgroups, own_cgroups), *_process_limits()])


def _physical_memory() -> int:
    if sys.platform == "win32":
        import ctypes

        # MEMORYSTATUSEX is 64 bytes long: its length and the load in per cent, then the physical memory.
        status = (ctypes.c_uint64 * 8)(64)
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
            return status[1]
        raise ctypes.WinError()
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _process_limits() -> Iterator[int]:
    """Yield the limit of the address space of this process, if it has one."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if address_space != resource.RLIM_INFINITY:
        yield address_space


def _group_limits(cgroups: Path, own_cgroups: Path) -> Iterator[int]:
    """Yield the limits of the control groups of this process and of all above them."""
    try:
        lines = own_cgroups.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    for line in lines or ["0::/"]:  # NUMBER:CONTROLLERS:PATH; version 2 has the number 0 and no controllers
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            root, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = PurePosixPath(path.lstrip("/"))
        # A container often shows its own group at the root, under the name that it has outside.
        for group in (own, *own.parents):
            try:
                yield int((root / group / name).read_text("utf-8"))
            except (OSError, ValueError):  # "max" is no limit
                continue
