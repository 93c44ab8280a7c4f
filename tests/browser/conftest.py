"""The board in a browser. What a test gets (each is explained where it is made):

- ``board``: a board of its own on a fake fateflow. ``board.page("#/history", user="anna")`` opens
  an address signed in (users: anna operator, vera viewer, root admin; user="" signs nobody in);
  knobs: ``board.advance(s)`` and ``board.look()``, ``board.flow`` (``clock.advance(s)``,
  ``fault``, ``live.fails_at``, ``stop()``, ``counts``), ``board.made`` (the Flask application).
- ``live``: one real node for all tests here, with real jobs: ``live.job("linear")``,
  ``live.job("boosted")`` (their ids, once they succeeded); ``live.page("details", id, "host",
  component="...")`` opens the board's page of one party.
- ``shown``: one board for all tests here, where nobody signs in, on a fake fateflow with a
  component of each kind (``exhibits``): ``shown.open("evaluation_0", role="guest", tab="data")``,
  ``shown.page("#/history")``; ``shown.flow`` is shared, so a test leaves it as it was.
- ``open_page(url, ...)``: any page; ``beside=page`` is another tab of the same profile.
- ``check_axe(page)``: no serious finding. ``address(...)``: a job's page.

A test fails at its end if any of its pages wrote an error or warning to the console (CSP violations
are among these), threw, opened an alert, lost a request, or asked another origin. Faults that a
test provokes are named: ``open_page.expect("503")`` (a regular expression on what is reported).
Screenshots of a failed test's pages lie where its report says. Everything lives for this folder's
tests only, because Playwright keeps an event loop in the thread.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, Request, expect
from werkzeug.security import generate_password_hash

from fateboard import accounts
from fateboard.board import Board
from fateboard.testing import scripted_jobs
from fateboard.testing.fake_flow import FakeFlow
from tests import board_site
from tests.browser import chromium
from tests.browser.live_site import PARTIES, LiveSite
from tests.browser.shown_flow import SHOWN, ShownFlow
from tests.e2e.conftest import Node, free_port

PASSWORD = "sesame-sesame"
USERS = {"anna": "operator", "vera": "viewer", "root": "admin"}
SHOTS = Path(tempfile.gettempdir()) / "distaff-browser"
TIMEOUT_MS = 30_000

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        pytest.skip(chromium.MISSING)
    with chromium.started(executable) as found:
        yield found


class Pages:
    """Opens pages, each in a profile of its own unless ``beside`` another, and watches them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._expected: list[str] = []
        self.opened: list[Page] = []
        self.problems: list[str] = []

    def __call__(self, url: str = "", *, beside: Page | None = None, **context: Any) -> Page:
        given = {"locale": "en-US", "viewport": {"width": 1440, "height": 900}, **context}
        page = (beside.context if beside else self._browser.new_context(**given)).new_page()
        page.set_default_timeout(TIMEOUT_MS)
        self.opened.append(page)
        self._watch(page)
        if url:
            page.goto(url)
        return page

    def expect(self, *patterns: str) -> None:
        """Reports that match one of these are no failure of the test."""
        self._expected += patterns

    def unexpected(self) -> list[str]:
        return [
            problem
            for problem in self.problems
            if not any(re.search(pattern, problem) for pattern in self._expected)
        ]

    def close(self) -> None:
        for context in {page.context for page in self.opened}:
            context.close()

    def _watch(self, page: Page) -> None:
        report = self.problems.append

        def failed(request: Request) -> None:
            # Leaving a page, and asking anew before the answer, break a request off.
            if request.failure != "net::ERR_ABORTED":
                report(f"request failed: {request.method} {request.url} {request.failure}")

        def asked(request: Request) -> None:
            there, here = urlsplit(request.url), urlsplit(page.url)
            own = not here.netloc or there.netloc == here.netloc
            if there.scheme not in ("data", "blob") and not own:
                report(f"asks another origin: {request.url}")

        def wrote(line: Any) -> None:
            if line.type in ("error", "warning"):
                report(f"console {line.type}: {line.text} ({line.location.get('url', '')})")

        page.on("requestfailed", failed)
        page.on("request", asked)
        page.on("console", wrote)
        page.on("pageerror", lambda error: report(f"threw: {error}"))
        page.on("dialog", lambda dialog: (report(f"dialog: {dialog.message}"), dialog.dismiss()))


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Pages]:
    pages = Pages(browser)
    yield pages
    pages.close()
    assert pages.unexpected() == []


class BoardSite:
    def __init__(self, url: str, flow: FakeFlow, made: Flask, pages: Pages) -> None:
        self.url, self.flow, self.made, self._pages = url, flow, made, pages

    def page(self, address: str = "", *, user: str = "anna", **more: Any) -> Page:
        """At an address of the board, which begins with "#/" as a rule. more: as open_page."""
        page = self._pages(**more)
        if user:
            given = {"username": user, "password": PASSWORD}
            answer = page.request.post(f"{self.url}/api/v1/session", data=given)
            assert answer.status == 200, answer.text()
        page.goto(f"{self.url}/{address}")
        return page

    def advance(self, seconds: float) -> None:
        """The job on the clock goes on, and the board looks."""
        self.flow.clock.advance(seconds)
        self.look()

    def look(self) -> None:
        """The board asks fateflow now, not after its pause, and forgets what it asked before."""
        made: Board = self.made.extensions["board"]
        made.flow.forget()
        made.hub.poke(scripted_jobs.LIVE)


def sign_in(page: Page, user: str = "anna", password: str = PASSWORD) -> None:
    """By the form that is shown."""
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password", exact=True).press("Enter")


@pytest.fixture(scope="package")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file of accounts. Hashing, which each board does as it starts, takes no time here."""
    folder = tmp_path_factory.mktemp("users")
    fast = functools.partial(generate_password_hash, method="scrypt:1024:8:1")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "generate_password_hash", fast)
        for name, access in USERS.items():
            accounts.add(folder, name, access, PASSWORD)
        yield accounts.path_in(folder)


@pytest.fixture
def board(tmp_path: Path, users: Path, open_page: Pages) -> Iterator[BoardSite]:
    flow = FakeFlow().start()
    made = board_site.build(tmp_path, flow)
    shutil.copy(users, made.extensions["board"].settings.folder)
    try:
        with board_site.served(made) as server:
            yield BoardSite(str(server.base_url).rstrip("/"), flow, made, open_page)
            open_page.close()
    finally:
        with contextlib.suppress(OSError):
            flow.stop()


@pytest.fixture(scope="package")
def shown_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ShownFlow]]:
    flow = ShownFlow()
    flow.start()
    try:
        with board_site.served(board_site.build(tmp_path_factory.mktemp("shown"), flow)) as server:
            yield str(server.base_url).rstrip("/"), flow
    finally:
        flow.stop()


class Shown:
    """Pages of the jobs with made-up outputs."""

    def __init__(self, url: str, flow: ShownFlow, pages: Pages) -> None:
        self.url, self.flow, self.pages = url, flow, pages

    def page(self, address: str, **context: Any) -> Page:
        return self.pages(f"{self.url}/{address}", **context)

    def open(
        self,
        component: str,
        *,
        job: str = SHOWN,
        role: str = "guest",
        on: Page | None = None,
        context: dict[str, Any] | None = None,
        **query: str,
    ) -> Page:
        """A component's page. on: the page to go there; another one is opened else."""
        page = on or self.pages(**(context or {}))
        parts = {"job_id": job, "role": role, "party_id": PARTIES[role], **query}
        if component:
            parts["component"] = component
        where = "details" if component else "dashboard"
        page.goto(f"{self.url}/#/{where}?{urlencode(parts, quote_via=quote)}")
        return page


@pytest.fixture
def shown(shown_site: tuple[str, ShownFlow], open_page: Pages) -> Shown:
    return Shown(*shown_site, open_page)


@pytest.fixture(scope="package")
def live_site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    folder = tmp_path_factory.mktemp("live")
    node = Node(folder / "site", free_port(), free_port(), board_port=free_port())
    node.up()
    try:
        site = LiveSite(node, folder)
        site.begun("linear")
        site.begun("boosted")
        yield site
    finally:
        node.down()


class Live:
    """The real node, and pages on its board."""

    def __init__(self, site: LiveSite, pages: Pages) -> None:
        self.site, self.url, self._pages = site, site.url, pages
        self.job, self.node = site.job, site.node

    def page(self, name: str, job_id: str, role: str = "guest", **query: str) -> Page:
        return self._pages(f"{self.url}/{self.site.address(name, job_id, role, **query)}")


@pytest.fixture
def live(live_site: LiveSite, open_page: Pages) -> Live:
    return Live(live_site, open_page)


def address(page: str, job_id: str, role: str = "guest", party: str = "9999", **query: str) -> str:
    """Of a job's page on the fake fateflow."""
    key = {"job_id": job_id, "role": role, "party_id": party, **query}
    return f"#/{page}?" + "&".join(f"{name}={value}" for name, value in key.items())


SETTLED = """() => Promise.allSettled(document.getAnimations()
  .filter(one => one.effect.getTiming().iterations !== Infinity).map(one => one.finished))"""


def check_axe(page: Page) -> None:
    """axe finds nothing serious or critical, once no colour is on its way to another."""
    page.evaluate(SETTLED)
    found = [
        f"{rule['id']}: {' '.join(map(str, node['target']))} {node['html'][:120]}"
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert found == [], f"{page.url}\n" + "\n".join(found)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test keeps what its pages looked like."""
    report: Any = yield
    pages = getattr(item, "funcargs", {}).get("open_page")
    if report.when == "call" and report.failed and pages:
        SHOTS.mkdir(exist_ok=True)
        for n, page in enumerate(pages.opened):
            path = SHOTS / f"{re.sub(r'[^a-zA-Z0-9_]+', '-', item.name)}-{n}.png"
            with contextlib.suppress(Exception):  # a page that is gone has no look
                page.screenshot(path=path)
                report.sections.append(("screenshot", f"{path} of {page.url}"))
        problems = "\n".join(pages.unexpected())
        report.sections += [("reported by its pages", problems)] if problems else []
    return report
