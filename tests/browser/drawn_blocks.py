"""A page that draws hand-made views with the board's own scripts, for browser tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response, send_from_directory
from playwright.sync_api import Download, Page, Route

from fateboard import blocks

STATIC = Path(blocks.__file__).parent / "static"
ORIGIN = "http://blocks.test"
POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self'"
EVIL = "<img src=x onerror=alert(1)>"
"""A name that another party might choose."""

PAGE = """<!doctype html><html lang="en"><head><title>Blocks</title>
<link rel="stylesheet" href="css/board.css"><link rel="stylesheet" href="css/blocks.css"></head>
<body><main id="app"></main><script type="module" src="drawn.js"></script></body></html>"""
SCRIPT = """
import { html, render } from "./js/html.js";
import { loadMessages } from "./js/i18n.js";
import { ComponentView } from "./js/blocks/index.js";
await loadMessages();
const job = { job_id: "1", role: "guest", party_id: "9999" };
const live = location.search === "?live";
const view = html`<${ComponentView} job=${job} component="c" live=${live} />`;
render(view, document.getElementById("app"));
"""


def site() -> Flask:
    made = Flask(__name__, static_folder=None)

    @made.get("/drawn.html")
    def page() -> Response:
        return Response(PAGE, headers={"Content-Security-Policy": POLICY})

    @made.get("/drawn.js")
    def script() -> Response:
        return Response(SCRIPT, mimetype="text/javascript")

    @made.get("/api/v1/messages/<language>")
    def messages(language: str) -> dict[str, str]:
        areas = [json.loads(path.read_text("utf-8")) for path in (STATIC / "messages").iterdir()]
        return {code: texts[language] for area in areas for code, texts in area.items()}

    @made.get("/<path:path>")
    def file(path: str) -> Response:
        return send_from_directory(STATIC, path)

    return made


class Drawn:
    """A page with one view on it. answers: further paths under the component, and their bodies."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.answers: dict[str, tuple[str, bytes]] = {}
        self.server = site().test_client()
        page.route(f"{ORIGIN}/**", self._answer)

    def _answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        for ending, (kind, body) in self.answers.items():
            if ending in path:
                return route.fulfill(body=body, content_type=kind)
        answer = self.server.get(path)
        route.fulfill(status=answer.status_code, body=answer.data, headers=dict(answer.headers))
        return None

    def show(self, *shown: Any, query: str = "") -> Page:
        view = blocks.View(
            component="c", module="M", role="guest", party_id="9999", blocks=list(shown)
        )
        self.answers["/c/view"] = ("application/json", msgspec.json.encode(view))
        self.answers.setdefault("/api/v1/stream", ("text/event-stream", b": hello\n\n"))
        self.page.goto(f"{ORIGIN}/drawn.html{query}")
        self.page.wait_for_selector(".block")
        return self.page

    def download(self, press: Any) -> Download:
        with self.page.expect_download() as started:
            press()
        return started.value
