"""A client whose process ends is lost to the others through a gateway, too."""

import numpy as np
import pytest

from federatedml.component import Ctx
from federatedml.protocols.roll_call import SecureAggregationParam, terms
from federatedml.protocols.secure_aggregation import Client, Server
from federation import ARBITER, GUEST, HOST, Party
from federation.transport import gateway, mailbox
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport
from tests.threads import in_thread

JOB, TOKEN = "202611220001", "t" * 32
PARTIES = [
    Party(GUEST, "9999"),
    Party(HOST, "10000"),
    Party(HOST, "10001"),
    Party(ARBITER, "10000"),
]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A gateway that gives up a gone worker at once."""
    monkeypatch.setattr(gateway, "_WATCH_S", 0.05)
    monkeypatch.setattr(mailbox, "_GRACE_S", 0.05)
    with EmbeddedGateway(Options(tmp_path, port=0)) as running:
        control = running.control()
        control.register_job(JOB, TOKEN, [(p.role.value, p.party_id) for p in PARTIES])
        yield tmp_path / "run/gateway.sock"
        control.close()


def test_the_others_go_on_when_a_worker_is_gone(site):
    def play(me, sums):
        with GatewayTransport(site, TOKEN, idle_timeout_s=20.0) as transport:
            ctx = Ctx(me, PARTIES, transport, job_id=JOB)
            agreed = terms(ctx, SecureAggregationParam(), "sums_0")
            if me.role == ARBITER:
                side = Server(ctx, agreed)
                return [side.collect() for _ in range(sums)], side.lost
            client = Client(ctx, agreed)
            for _ in range(sums):
                client.submit(np.full(4, float(PARTIES.index(me) + 1)))
            return None

    gone = PARTIES[2]
    ends = [in_thread(lambda me=me: play(me, 1 if me == gone else 3)) for me in PARTIES]
    found, lost = ends[-1]()
    assert [end() for end in ends[:-1]] == [None] * 3
    np.testing.assert_allclose(np.array(found), np.repeat([[6.0], [3.0], [3.0]], 4, axis=1))
    assert list(lost) == [gone]
    assert "its task ended" in lost[gone]
