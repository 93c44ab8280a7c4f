"""What tests of the board share: fake fateflows for a module each, and who asks a board on one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from fateboard.testing.fake_flow import Clock, FakeFlow
from tests.board_site import client


@pytest.fixture(scope="module")
def fake_flow() -> Iterator[FakeFlow]:
    fake = FakeFlow().start()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def failed_flow() -> Iterator[FakeFlow]:
    """Its job on a clock has failed, and nothing moves any more."""
    fake = FakeFlow(clock=Clock(100.0), step_s=1.0, fails_at="heterolr_0").start()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, failed_flow: FakeFlow) -> FlaskClient:
    """Of a board on ``failed_flow``, on this machine."""
    return client(tmp_path_factory.mktemp("home"), failed_flow)
