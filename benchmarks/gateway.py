"""The gateway: round trips of small messages, rate and memory for a large one.

Two workers of one standalone site, and of two sites with mTLS on loopback. Prediction before
writing: a small message is two requests over a Unix socket and a small file, 0.2-0.3 ms; between
sites two gRPC hops more, about 1 ms. A large payload within a site is one write and one read of a
file; between sites TLS and gRPC in Python, 100-200 MB/s on two cores, memory below 192 MB.

The plain twin is a pair of connected Unix sockets: what the machine can do without durability,
proofs and audit. `python -m benchmarks.gateway MEGABYTES` sets the large payload.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from federation import certificate, token
from federation.envelope import Envelope
from federation.party import GUEST, HOST, Party
from federation.transport.control import GatewayControl
from federation.transport.local import GatewayTransport

JOB, TOKEN = "benchmark", "t" * 32
G, H = Party(GUEST, "9999"), Party(HOST, "10000")
ROUNDS, SMALL = 500, 200


class Site:
    """A gateway as a process of its own."""

    def __init__(self, home: Path, party: str, port: int) -> None:
        command = [sys.executable, "-m", "federation.transport.gateway", "--home", str(home)]
        command += ["--port", str(port), *(["--party", party] if party else [])]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.socket = home / "run/gateway.sock"
        control = GatewayControl(self.socket, token.site_secret(home / "run/gateway.secret"))
        control.register_job(JOB, TOKEN, [(p.role.value, p.party_id) for p in (G, H)])
        control.close()

    def memory(self) -> float:
        """Greatest resident size so far, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


def standalone(folder: Path) -> list[Site]:
    return [Site(folder, "", 0)] * 2


def two_sites(folder: Path) -> list[Site]:
    ports = {party.party_id: free_port() for party in (G, H)}
    certificate.init_ca(folder / "ca")
    for party in ports:
        certificate.issue(folder / "ca", party, folder / party / "certs")
        routes = {
            other: {"default": [{"ip": "127.0.0.1", "port": port, "is_secure": True}]}
            for other, port in ports.items()
            if other != party
        }
        (folder / party / "route_table.json").write_text(json.dumps({"route_table": routes}))
    return [Site(folder / party, party, port) for party, port in ports.items()]


def measure(make: Callable[[Path], list[Site]], large: bytes) -> tuple[float, float, float]:
    """Milliseconds a round trip of two small messages, MB/s of a large one, MB of memory."""
    with tempfile.TemporaryDirectory() as folder:
        sites = make(Path(folder))
        other = multiprocessing.Process(target=host_side, args=(sites[1].socket,))
        other.start()
        guest = GatewayTransport(sites[0].socket, TOKEN)
        for i in range(2 * ROUNDS):
            if i == ROUNDS:  # the first half warms up
                started = time.perf_counter()
            guest.send(envelope(i, G, H), bytes(SMALL))
            guest.receive(envelope(i, H, G))
        round_trip = (time.perf_counter() - started) / ROUNDS * 1000
        started = time.perf_counter()
        guest.send(envelope(2 * ROUNDS, G, H), large)
        guest.receive(envelope(2 * ROUNDS, H, G))
        rate = len(large) / 1e6 / (time.perf_counter() - started)
        other.join()
        memory = max(site.memory() for site in sites)
        guest.close()
        for site in set(sites):
            site.end()
    return round_trip, rate, memory


def host_side(socket_path: Path) -> None:
    with GatewayTransport(socket_path, TOKEN) as host:
        for i in range(2 * ROUNDS + 1):
            payload = host.receive(envelope(i, G, H))
            host.send(envelope(i, H, G), payload[:SMALL])


def plain_twin(large: bytes) -> tuple[float, float]:
    one, other = socket.socketpair()

    def echo() -> None:
        for _ in range(ROUNDS):
            other.sendall(other.recv(SMALL))
        other.sendall(large)

    thread = threading.Thread(target=echo)
    thread.start()
    started = time.perf_counter()
    for _ in range(ROUNDS):
        one.sendall(bytes(SMALL))
        one.recv(SMALL)
    round_trip = (time.perf_counter() - started) / ROUNDS * 1000
    started, left = time.perf_counter(), len(large)
    while left:
        left -= len(one.recv(1 << 20))
    rate = len(large) / 1e6 / (time.perf_counter() - started)
    thread.join()
    one.close()
    other.close()
    return round_trip, rate


def envelope(number: int, src: Party, dst: Party) -> Envelope:
    return Envelope(JOB, "component_0", 0, "benchmark.x", number, src, dst, "plain", "nothing")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) == 2 and sys.argv[1].isdigit() else 400
    large = os.urandom(megabytes * 1_000_000)
    twin_trip, twin_rate = plain_twin(large)
    print(
        f"{'':<22}{'round trip ms':>14}{f'{megabytes} MB, MB/s':>18}{'memory MB':>11}{'x twin':>9}"
    )
    print(f"{'plain socket pair':<22}{twin_trip:>14.3f}{twin_rate:>18.0f}{'':>11}")
    for name, make in (("one site", standalone), ("two sites, mTLS", two_sites)):
        trip, rate, memory = measure(make, large)
        ratio = trip / twin_trip
        print(f"{name:<22}{trip:>14.3f}{rate:>18.0f}{memory:>11.0f}{ratio:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
