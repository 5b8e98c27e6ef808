"""Ports of loopback for servers that are told their port before they start.

In: nothing. Out: a port that no other test is given, in any process, and that the system hands out to nobody.
"""

from __future__ import annotations

import random
import socket

FIRST, LAST = 20_000, 32_000  # below the ports that systems choose for those who ask for any
_kept: list[socket.socket] = []  # until the process ends


def free_port() -> int:
    """Return a port that nobody listens on. A datagram socket of the same number keeps other tests from it."""
    while True:
        port = random.randrange(FIRST, LAST)
        kept = socket.socket(type=socket.SOCK_DGRAM)
        try:
            kept.bind(("127.0.0.1", port))
            with socket.socket() as trial:
                trial.bind(("127.0.0.1", port))
        except OSError:
            kept.close()
            continue
        _kept.append(kept)
        return port
