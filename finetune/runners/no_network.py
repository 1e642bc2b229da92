"""Run a command without a network: `python no_network.py COMMAND…` (Linux; standard library only).

The command gets a network namespace of its own, which has only a loopback device. The host name there is
localhost, so that torchrun, gloo and NCCL choose that device. User and files stay the same: the map of the
user namespace contains the caller alone.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

EXIT_CANNOT = 125  # as env, timeout and docker report that a command did not start
_NEW_USER, _NEW_HOST_NAME, _NEW_NETWORK = 0x10000000, 0x04000000, 0x40000000  # linux/sched.h
_SET_FLAGS, _UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP


def close_network() -> None:
    """Leave the network; a program that this process becomes stays without it.

    Raises:
        OSError: the system does not allow it.
    """
    user, group = os.getuid(), os.getgid()
    try:
        _leave(_NEW_HOST_NAME | _NEW_NETWORK)
    except PermissionError:
        if user == 0:
            raise  # root in a user namespace cannot open the files of other users
        _leave(_NEW_HOST_NAME | _NEW_NETWORK | _NEW_USER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    socket.sethostname("localhost")


def _leave(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if libc.unshare(flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def main(command: list[str]) -> None:
    """Become the command, without a network; exit with 125 if that is impossible."""
    try:
        close_network()
        for name in [name for name in os.environ if name.endswith("_SOCKET_IFNAME")]:
            del os.environ[name]  # NCCL and gloo would look for a device that is not there
        os.execvp(command[0], command)  # noqa: S606 - needs no shell
    except OSError as error:
        reason = "no namespace is left" if error.errno == errno.ENOSPC else error.strerror
        print(f"cannot start without a network: {reason}", file=sys.stderr)
        sys.exit(EXIT_CANNOT)


if __name__ == "__main__":
    main(sys.argv[1:])
