"""Two sites on one machine, each with its home and gateway, and what tests do with them."""

import contextlib
import http.server
import json
import threading
import time
from pathlib import Path

from federation import GUEST, HOST, Envelope, Party, audit, certificate
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

JOB, TOKEN = "202611210001", "t" * 32
GUEST_, HOST_ = Party(GUEST, "9999"), Party(HOST, "10000")


class Flow:
    """A fateflow that answers every call with what it was asked."""

    def __init__(self):
        calls = self.calls = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                calls.append((self.path, self.headers["X-Source-Party"], body))
                secret = self.headers["X-Gateway-Secret"]
                answer = json.dumps({"path": self.path, "body": body, "secret": secret}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Sites:
    """Party 9999 and party 10000; their gateways start when asked for."""

    def __init__(self, folder: Path, flow: Flow, secure: bool = True):
        self.folder, self.flow = folder, flow
        self._stack = contextlib.ExitStack()
        self._gateways = {}
        self._transports = []
        if secure:
            certificate.init_ca(folder / "ca")
        for party in (GUEST_, HOST_):
            self.home(party).mkdir()
            if secure:
                certificate.issue(folder / "ca", party.party_id, self.home(party) / "certs")

    def home(self, party):
        return self.folder / party.party_id

    def start(self, party, port=0, **options):
        options = {"flow_url": self.flow.url, "allowed_calls": frozenset({"ask_stop"}), **options}
        gateway = EmbeddedGateway(
            Options(self.home(party), party.party_id, port=port, **options)
        ).__enter__()
        self._gateways[party] = gateway
        return gateway

    def stop(self, party):
        self._gateways.pop(party).__exit__(None, None, None)

    def start_both(self):
        for party in (GUEST_, HOST_):
            self.start(party)
        self.connect()

    def connect(self):
        """Tell each where the other is, and both of the job."""
        for party, other in ((GUEST_, HOST_), (HOST_, GUEST_)):
            self.route(party, {other.party_id: self._gateways[other].port})
            self.register(party)

    def register(self, party, token=TOKEN):
        parties = [(p.role.value, p.party_id) for p in (GUEST_, HOST_)]
        self.control(party).register_job(JOB, token, parties)

    def route(self, party, ports):
        table = {
            name: {"default": [{"ip": "127.0.0.1", "port": port, "is_secure": True}]}
            for name, port in ports.items()
        }
        path = self.home(party) / "route_table.json"
        path.write_text(json.dumps({"route_table": table}))

    def control(self, party):
        control = self._gateways[party].control()
        self._stack.callback(control.close)
        return control

    def gateway(self, party):
        return self._gateways[party].gateway

    def transport(self, party, idle_timeout_s=20.0, token=TOKEN):
        socket_path = self.home(party) / "run/gateway.sock"
        transport = GatewayTransport(socket_path, token, idle_timeout_s=idle_timeout_s)
        self._stack.callback(transport.close)
        return transport

    def until(self, true):
        """Wait for something that a gateway does by itself."""
        deadline, pause = time.monotonic() + 60, threading.Event()
        while not true():
            assert time.monotonic() < deadline, "it did not happen"
            pause.wait(0.02)

    def audit(self, party):
        return list(audit.entries(self.home(party)))

    def stored(self, party):
        """Every file of a message in the spool of a site."""
        spool = self.home(party) / "gateway/spool"
        return [p.name for p in spool.rglob("*") if p.is_file()]

    def close(self):
        self._stack.close()
        for party in list(self._gateways):
            self.stop(party)


def envelope(number=0, src=GUEST_, dst=HOST_, job=JOB):
    return Envelope(job, "hetero_lr_0", 0, "lr.x", number, src, dst, "plain", "a sum", "float64[3]")
