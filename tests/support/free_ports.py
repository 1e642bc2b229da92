"""Ports for programs that must know theirs before they start."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def find_free_ports(count: int) -> list[int]:
    """Return free ports below those that the system gives to connections, which could take one meanwhile.

    Each process looks for them in another place, so that two that run tests do not get the same.
    """
    ports: list[int] = []
    port = 10_000 + os.getpid() % 2_000 * 10
    while len(ports) < count:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.append(port)
        port += 1
    return ports
