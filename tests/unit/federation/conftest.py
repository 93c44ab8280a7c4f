"""Fixtures: two sites, with mTLS or in plaintext, over a fateflow that answers."""

import pytest
from federation_sites import Flow, Sites


@pytest.fixture(autouse=True)
def watchful(monkeypatch):
    """Gateways look at their waits and routes every moment, not every second."""
    monkeypatch.setattr("federation.transport.gateway._WATCH_S", 0.05)


@pytest.fixture
def flow():
    flow = Flow()
    yield flow
    flow.close()


@pytest.fixture
def sites(tmp_path, flow):
    sites = Sites(tmp_path, flow)
    yield sites
    sites.close()


@pytest.fixture
def plain_sites(tmp_path, flow):
    sites = Sites(tmp_path, flow, secure=False)
    yield sites
    sites.close()
