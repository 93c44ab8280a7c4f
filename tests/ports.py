"""Ports for processes that tests start."""

import random
import socket

_BELOW = 32_000
"""Linux gives ports from 32768 on to connections and to who asks for any; one of those could be
taken by somebody else between its choice and its use."""


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    while True:
        port = random.SystemRandom().randrange(15_000, _BELOW)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
