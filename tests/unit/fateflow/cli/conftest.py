"""A scripted server on a free port, and the `flow` command talking to it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from fateflow.cli.flow import main


class Scripted:
    """Answers by path; keeps what it was asked."""

    def __init__(self):
        self.replies = {}
        self.asked = []

    def says(self, path, reply=None, *, status=200, content=b"", filename=""):
        """The answers to a path, one after the other; the last one again and again."""
        self.replies.setdefault(path, []).append((status, reply, content, filename))

    def next(self, path):
        found = self.replies.get(path) or [(200, {"retcode": 100, "retmsg": "?"}, b"", "")]
        return found.pop(0) if len(found) > 1 else found[0]


@pytest.fixture
def server():
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.removeprefix("/v1/").partition("?")
            multipart = self.headers["Content-Type"].startswith("multipart")
            script.asked.append((self.command, path, query, raw if multipart else json.loads(raw)))
            status, reply, content, filename = script.next(path)
            body = content or json.dumps(reply).encode()
            self.send_response(status)
            if filename:
                self.send_header("Content-Disposition", f"attachment; filename={filename}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 (the name that http.server calls)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=http.serve_forever, args=(0.01,))
    serving.start()
    script.address = f"127.0.0.1:{http.server_port}"
    yield script
    http.shutdown()
    http.server_close()
    serving.join()


@pytest.fixture
def flow(server, monkeypatch, tmp_path):
    """Run ``flow`` with these arguments; the click result."""
    monkeypatch.setenv("DISTAFF_SERVER", server.address)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DISTAFF_OUTPUT", raising=False)

    def run(*arguments):
        return CliRunner().invoke(main, [str(a) for a in arguments])

    return run
