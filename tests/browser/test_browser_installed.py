"""What a user gets who installs the wheel, where there is no Node (scenario 32)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

import fateboard
from fateboard.api.pages import TYPES
from fateboard.testing.fake_flow import FakeFlow
from tests.browser.conftest import Pages
from tests.e2e.conftest import free_port

SOURCE = Path(fateboard.__file__).parent
STATIC = SOURCE / "static"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a new environment with the wheel. Its dependencies are those of this one, as nothing may
    be fetched for a test."""
    folder = tmp_path_factory.mktemp("installed")
    copied = folder / "source"
    kept = shutil.ignore_patterns("*.egg-info", "__pycache__", "build", "node_modules")
    for name in ("eggroll", "federation", "federatedml", "fateflow", "fateboard", "serving"):
        shutil.copytree(SOURCE.parent / name, copied / name, ignore=kept)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE.parent / name, copied)
    wheel = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*wheel, "-w", folder, copied], check=True, env=without_node())
    (made,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    own = folder / "env" / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "env")}))
    installs = [sys.executable, "-m", "pip", "--python", own, "install", "--no-deps", "-q", made]
    subprocess.run(installs, check=True, env=without_node())
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return own


def without_node() -> dict[str, str]:
    """The environment, where no folder of the path has Node."""
    folders = os.environ["PATH"].split(os.pathsep)
    kept = [folder for folder in folders if not (Path(folder) / "node").exists()]
    return {**os.environ, "PATH": os.pathsep.join(kept), "PIP_NO_INPUT": "1"}


@pytest.fixture(scope="module")
def url(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the installed board."""
    home, port = tmp_path_factory.mktemp("board"), free_port()
    flow = FakeFlow().start()
    command = [python, "-m", "fateboard", "--home", home, "--port", str(port)]
    board = subprocess.Popen(
        [*command, "--flow-url", flow.url], cwd=home, env=without_node(), stderr=subprocess.PIPE
    )
    try:
        where = f"http://127.0.0.1:{port}"
        ends = time.monotonic() + 60
        while time.monotonic() < ends and board.poll() is None:
            try:
                httpx.get(f"{where}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield where
    finally:
        board.send_signal(signal.SIGTERM)
        board.wait(20)
        flow.stop()


@pytest.mark.slow
def test_everything_is_served_by_the_installed_wheel(
    python: Path, url: str, open_page: Pages
) -> None:
    where = "import fateboard; print(fateboard.__file__)"
    found = subprocess.run(
        [python, "-c", where], check=True, capture_output=True, text=True, cwd=python.parent
    )
    assert Path(found.stdout).is_relative_to(python.parents[1]), "else it is not the wheel's"
    with httpx.Client(base_url=url) as browser:
        served = [file for file in STATIC.rglob("*") if file.suffix in TYPES and file.is_file()]
        assert len(served) > 50
        for file in served:
            name = file.relative_to(STATIC).as_posix()
            answer = browser.get(f"/{name}")
            assert answer.status_code == 200, name
            assert answer.content == file.read_bytes(), name
        for entry in json.loads((STATIC / "vendor" / "manifest.json").read_text()):
            content = browser.get(f"/vendor/{entry['file']}").content
            assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]
        for language in ("en", "zh-CN"):
            assert len(browser.get(f"/api/v1/messages/{language}").json()) > 500
    page = open_page(f"{url}/#/history")
    expect(page.locator(".jobs tbody tr")).to_have_count(20)
