"""The system's Chromium, as browser tests start it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    f"no Chromium here: none of {', '.join(NAMES)} is on PATH, nor does DISTAFF_CHROMIUM name one"
)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip


def find() -> str | None:
    named = os.environ.get("DISTAFF_CHROMIUM")
    return next(filter(None, map(shutil.which, (named,) if named else NAMES)), None)


@contextlib.contextmanager
def started(executable: str) -> Iterator[Browser]:
    """Playwright keeps an event loop running in this thread meanwhile: end it before the next
    module's tests, which may want one of their own."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()
