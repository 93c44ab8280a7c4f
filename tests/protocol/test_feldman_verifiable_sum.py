"""FeldmanVerifiableSum: the guest gets sums, nobody a value, and who lies is named."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml import runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.feldman_verifiable_sum import (
    BLOCK,
    FeldmanVerifiableSum,
    SumShare,
    Wire,
)
from federatedml.crypto import verifiable_sharing as sharing
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadParameters
from federatedml.params import parse
from federation import GUEST, HOST, Context, Party, codec
from federation.errors import PeerFailed, ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP, MILL = Party(GUEST, "9999"), *(Party(HOST, f"1000{i}") for i in range(3))
HOSTS = (BANK, SHOP, MILL)


def frame(x, me=G, names=None, ids=None, label=None):
    names = names or [f"x{i}" for i in range(x.shape[1])]
    shown = [f"{me.role}_{me.party_id}_x{i}" for i in range(x.shape[1])]
    ids = ids or [f"r{i}" for i in range(x.shape[0])]
    schema = FrameSchema(header=names, anonymous_header=shown, label_name=label and "y")
    return Frame(pa.array(ids, pa.string()), x, schema, label=label and np.array(label))


def tables(n_hosts=2, n=4, k=3, seed=0, scale=1e3):
    rng = np.random.default_rng(seed)
    return {me: frame(scale * rng.normal(size=(n, k)), me) for me in (G, *HOSTS[:n_hosts])}


def ran(data, **given):
    def party(me):
        def play(ctx):
            ctx.name = "sum_0"
            own = given.get(me.role.value, given)
            made = FeldmanVerifiableSum(parse(FeldmanVerifiableSum.Params, own, "Sum#0"))
            inputs = Inputs({"data": [NamedData("before_0", "data", data[me])]})
            return runner.run(made, ctx, inputs), ctx.report

        return play

    return run({me: party(me) for me in data}, Ctx)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    n_hosts=st.integers(1, 3),
    n=st.integers(1, 4),
    k=st.integers(1, 3),
    seed=st.integers(0, 2**31),
    q_n=st.integers(0, 12),
)
def test_the_guest_gets_the_sums_of_all_parties_rounded_values(n_hosts, n, k, seed, q_n):
    data = tables(n_hosts, n, k, seed)
    results, _ = ran(data, q_n=q_n)
    found = results[G][0].data[0]
    wanted = sum(np.round(table.x, q_n) for table in data.values())
    np.testing.assert_allclose(found.x, wanted, rtol=1e-12, atol=1e-9)
    assert np.abs(found.x - sum(t.x for t in data.values())).max() <= (n_hosts + 1) * 0.51 / 10**q_n
    assert found.ids.equals(data[G].ids)
    assert [results[host][0].data for host in HOSTS[:n_hosts]] == [[None]] * n_hosts


def test_columns_are_chosen_by_number_and_by_name_and_the_label_stays():
    data = tables(1)
    data[G] = frame(data[G].x, label=[1, 0, 1, 0])
    for sum_cols in ([0, 2], ["x0", "x2"], [2, "x0"]):
        results, _ = ran(data, sum_cols=sum_cols)
        found = results[G][0].data[0]
        assert found.schema.header == ["x0", "x2"]
        assert found.schema.anonymous_header == ["guest_9999_x0", "guest_9999_x2"]
        assert found.label.tolist() == [1, 0, 1, 0]
        np.testing.assert_allclose(found.x, (data[G].x + data[BANK].x)[:, [0, 2]], atol=2e-6)


def test_no_columns_named_are_all():
    data = tables(1)
    for named in ({}, {"sum_cols": []}, {"sum_cols": None}):
        assert ran(data, **named)[0][G][0].data[0].schema.header == ["x0", "x1", "x2"]


def test_sparse_rows_are_added_up_too():
    data = {me: frame(sparse.csr_matrix(np.round(t.x) % 2), me) for me, t in tables(1).items()}
    results, _ = ran(data)
    wanted = sum(table.x.toarray() for table in data.values())
    np.testing.assert_array_equal(results[G][0].data[0].x, wanted)


def test_tables_longer_than_a_block_are_added_up_block_by_block(monkeypatch):
    monkeypatch.setattr("federatedml.components.feldman_verifiable_sum.BLOCK", 6)
    data = tables(1, n=5, k=2)
    results, transcript = ran(data, q_n=3)
    np.testing.assert_allclose(results[G][0].data[0].x, sum(t.x for t in data.values()), atol=2e-3)
    sizes = [len(s.value) for s in transcript if s.message == Wire.share.name and s.dst == G]
    assert sizes == [7, 5]  # three rows, two rows; the blind with each
    assert BLOCK > 6


# What leaves a party.


@pytest.fixture(scope="module")
def played():
    data = tables(2)
    return data, *ran(data)


def test_parties_exchange_exactly_the_declared_messages(played, golden):
    _, _, transcript = played
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("feldman_verifiable_sum_two_hosts", sorted(map(list, lines)))


def test_shares_and_commitments_of_two_runs_have_nothing_in_common(played):
    data, _, transcript = played
    _, again = ran(data)
    seen = [{row.tobytes() for s in lines for row in _rows(s)} for lines in (transcript, again)]
    assert all(len(rows) > 40 for rows in seen)
    assert not seen[0] & seen[1]


def _rows(line):
    if line.message in (Wire.share.name, Wire.commitments.name):
        return line.value
    return line.value.share if line.message == Wire.sums.name else []


def test_the_log_says_what_a_sum_of_two_tells(caplog):
    ran(tables(1))
    assert "the sum of two tells the guest the host's values" in caplog.text
    caplog.clear()
    ran(tables(2))
    assert "the sum of two" not in caplog.text


# Who lies is named.


def lying(monkeypatch, liar, message, change, to=None):
    """``liar`` sends something else as this message."""
    remote = Context.remote

    def told(ctx, kind, value, **more):
        is_meant = to is None or more.get("to") == to
        if ctx.me == liar and kind.name == message.name and is_meant:
            value = change(value)
        remote(ctx, kind, value, **more)

    monkeypatch.setattr(Context, "remote", told)


def one_more(rows):
    changed = rows.copy()
    changed[0, 0] ^= 1
    return changed


@pytest.mark.parametrize("liar", [G, BANK, SHOP])
@pytest.mark.parametrize("victim", [G, BANK, SHOP])
def test_who_deals_a_wrong_share_is_named(liar, victim, monkeypatch):
    if liar == victim:
        return
    lying(monkeypatch, liar, Wire.share, one_more, to=victim)
    with pytest.raises(ProtocolViolation, match="not what was committed to") as refusal:
        ran(tables(2))
    assert str(liar) in str(refusal.value)


@pytest.mark.parametrize("liar", [BANK, SHOP])
def test_a_host_that_adds_up_wrongly_is_named(liar, monkeypatch):
    lying(monkeypatch, liar, Wire.sums, lambda told: SumShare(one_more(told.share), told.heard))
    with pytest.raises(ProtocolViolation, match="not what was committed to") as refusal:
        ran(tables(2))
    assert str(liar) in str(refusal.value)


def test_commitments_that_differ_between_parties_are_found(monkeypatch):
    """A host that deals two polynomials, each with the right commitments, is found by the guest."""
    remote, other = Context.remote, {}

    def told(ctx, kind, value, **more):
        if ctx.me == BANK and more.get("to") == SHOP:
            if kind.name == Wire.commitments.name:
                other["shares"], value = sharing.dealt([0] * 12, 2, 3)
            elif kind.name == Wire.share.name:
                at = sorted([G, BANK, SHOP]).index(SHOP)
                value = other["shares"][at].rows()
        remote(ctx, kind, value, **more)

    monkeypatch.setattr(Context, "remote", told)
    with pytest.raises(ProtocolViolation, match="differ between parties") as refusal:
        ran(tables(2))
    assert f"{BANK} or {SHOP}" in str(refusal.value)


@pytest.mark.parametrize(
    ("message", "change", "told"),
    [
        (Wire.share, lambda rows: rows[1:], "12 rows|13 rows"),
        (Wire.share, lambda rows: np.full_like(rows, 0xFF), "below the order"),
        (Wire.commitments, lambda rows: rows[1:], "not one for each coefficient"),
        (Wire.commitments, lambda rows: np.full_like(rows, 0xFF), "not a valid element"),
        (Wire.sums, lambda s: SumShare(s.share, s.heard[1:]), "not a digest for each party"),
        (Wire.sums, lambda s: SumShare(s.share[1:], s.heard), "rows"),
    ],
)
def test_impossible_messages_are_blamed_on_their_sender(message, change, told, monkeypatch):
    lying(monkeypatch, BANK, message, change)
    with pytest.raises(ProtocolViolation, match=told) as refusal:
        ran(tables(1))
    assert str(BANK) in str(refusal.value)


# What is refused.


def refused(data, told, **given):
    with pytest.raises((BadData, BadParameters, PeerFailed)) as refusal:
        ran(data, **given)
    assert told in str(refusal.value), refusal.value
    return str(refusal.value)


def changed(me, make):
    data = tables(1)
    return {**data, me: make(data[me].x)}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (changed(BANK, lambda x: frame(x[:, :2], BANK)), "not named as those of the guest"),
        (changed(BANK, lambda x: frame(x, BANK, ["x1", "x0", "x2"])), "in another order"),
        (changed(BANK, lambda x: frame(x, BANK, ids=[*"abcd"])), "different rows"),
        (changed(BANK, lambda x: frame(x[:3], BANK)), "different rows"),
        ({me: frame(np.empty((0, 2)), me) for me in (G, BANK)}, "there are no rows"),
        (changed(BANK, lambda x: frame(np.where(x > 0, x, np.nan), BANK)), "missing, infinite"),
        (changed(G, lambda x: frame(x * 1e300)), "too large"),
        (changed(G, lambda x: frame(x, names=["a", "a", "b"])), "same name"),
        ({me: frame(t.x[:, :0], me) for me, t in tables(1).items()}, "no columns to add up"),
    ],
)
def test_data_that_cannot_be_added_up_are_refused(data, told):
    text = refused(data, told)
    assert "'x0'" not in text


def test_parties_that_mean_other_columns_are_told():
    refused(tables(1), "sum_cols is", guest={"sum_cols": [0]}, host={"sum_cols": [1]})
    refused(tables(1), "q_n is 3 here and 2", guest={"q_n": 2}, host={"q_n": 3})
    refused(tables(1), "there is no column 7", sum_cols=[7])


@pytest.mark.parametrize("given", [{"q_n": 17}, {"q_n": -1}, {"sum_cols": [-1]}, {"sum_cols": 3}])
def test_impossible_parameters_are_refused(given):
    with pytest.raises(BadParameters, match=next(iter(given))):
        parse(FeldmanVerifiableSum.Params, given, "Sum#0")
