"""Who may hold the key: a site that is the arbiter and another party is warned of."""

import logging

import pytest

from federatedml.component import Ctx
from federatedml.maths.family import Logistic
from federatedml.params_shared import EncryptParam
from federatedml.protocols import exchange_arbiter_key
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run

G, H = Party(GUEST, "9999"), Party(HOST, "10000")


@pytest.mark.parametrize(
    ("site", "also"),
    [("10000", "also host 10000:"), ("9999", "also guest 9999:"), ("10001", None)],
)
def test_an_arbiter_at_another_partys_site_is_warned_of(site, also, caplog):
    def party(ctx):
        return exchange_arbiter_key.opened(
            ctx, EncryptParam(method="Paillier", key_length=512), Logistic(), None
        )

    with caplog.at_level(logging.WARNING):
        run(dict.fromkeys((G, H, Party(ARBITER, site)), party), Ctx)
    told = [m for m in caplog.messages if "has the secret key" in m]
    assert (len(told), bool(also) and also in told[0]) == ((1, True) if also else (0, False))
