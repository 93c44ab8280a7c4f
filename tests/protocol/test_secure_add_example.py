"""The toy: 1000 + 1000 ones make 2000.0, and shares alone say nothing."""

import logging

import numpy as np
import pytest

from federatedml.component import Ctx, Inputs
from federatedml.components.secure_add_example import SecureAddExample, SecureAddExampleParam
from federatedml.crypto import ring
from federation import GUEST, HOST, Party
from federation.transport import inproc

GUEST_, HOST_ = Party(GUEST, "9999"), Party(HOST, "10000")


@pytest.fixture
def ran(caplog):
    toy = SecureAddExample(SecureAddExampleParam(data_num=1000))
    with caplog.at_level(logging.INFO):
        _, transcript = inproc.run(
            {
                GUEST_: lambda ctx: toy.fit_guest(ctx, Inputs()),
                HOST_: lambda ctx: toy.fit_host(ctx, Inputs()),
            },
            Ctx,
        )
    return caplog.records, transcript


def test_the_guest_logs_the_sum_where_flow_test_toy_looks_for_it(ran):
    records, _ = ran
    lines = [r for r in records if r.name == "secure_add_guest"]
    assert len(lines) == 8
    assert {r.funcName for r in lines} == {"run"}
    assert lines[-1].getMessage() == "success to calculate secure_sum, it is 2000.0"


def test_only_three_messages_of_shares_are_sent(ran):
    _, transcript = ran
    names = {line.message.partition(".")[2] for line in transcript}
    assert names == {"guest_share", "host_share", "host_sum"}
    assert {line.envelope.kind for line in transcript} == {"share"}


def test_a_share_of_equal_numbers_is_as_random_as_any():
    _, share = ring.split(ring.encode(np.ones(4000)))
    assert len(set(share.tolist())) == 4000
    bits = np.unpackbits(share.view(np.uint8)).mean()
    assert abs(bits - 0.5) < 0.01


@pytest.mark.parametrize("x", [[0.0], [-1.5, 2.25], [1e6, -1e6, 2.0**-20]])
def test_shares_add_up_to_what_was_split(x):
    one, other = ring.split(ring.encode(np.array(x)))
    np.testing.assert_array_equal(ring.decode(one + other), x)
