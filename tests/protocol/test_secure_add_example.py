"""The toy: 1000 + 1000 ones make 2000.0, and shares alone say nothing."""

import logging

import numpy as np
import pytest

from federatedml.component import Ctx, Inputs
from federatedml.components.secure_add_example import (
    SecureAddExample,
    SecureAddExampleParam,
    shares,
    total,
)
from federatedml.crypto import rings
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


@pytest.mark.parametrize("x", [[0.0], [-1.5, 2.25], [1e6, -1e6, 2.0**-20]])
def test_the_shares_of_all_numbers_add_up_to_their_sum(x):
    one, other = shares(np.array(x))
    assert rings.decode(total(one, other), 20, 64).tolist() == [sum(x)]
