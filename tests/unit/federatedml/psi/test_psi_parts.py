"""Bloom filters, streams of rows, and keys of an intersection."""

import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from federatedml.component import Ctx
from federatedml.crypto.commutative import Curve
from federatedml.crypto.rsa_blind import Hashes
from federatedml.data import rows as data_rows
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData
from federatedml.maths import bloom
from federatedml.maths.bloom import Bloom
from federatedml.protocols import psi, psi_cardinality, psi_commutative, psi_rsa, streams
from federatedml.protocols.psi_keys import Keys
from federation import GUEST, HOST, Party
from federation.errors import ProtocolViolation
from federation.transport import inproc

GUEST_, HOST_ = Party(GUEST, "1"), Party(HOST, "2")


def digests(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 32), dtype=np.uint8)


@settings(deadline=None, max_examples=20)
@given(n=st.integers(0, 60), rate=st.floats(1e-6, 0.5))
def test_a_filter_knows_all_its_members(n, rate):
    assert Bloom.of(digests(n), rate, b"seed").contains(digests(n)).all()


@pytest.mark.parametrize("rate", [0.2, 0.01, 1e-3])
def test_false_positives_are_as_rare_as_asked(rate):
    made = Bloom.of(digests(3000), rate, b"seed")
    share = made.contains(digests(20000, seed=1)).mean()
    assert share < rate * 1.5 + 5e-4
    assert made.false_positive_rate() == pytest.approx(rate, rel=0.3)


def test_a_filter_has_four_to_thirtytwo_hashes():
    assert bloom.size(100, 0.5)[1] == 4
    assert bloom.size(100, 1e-15)[1] == 32
    assert bloom.size(0, 0.1)[0] >= 8


def test_filters_with_other_seeds_set_other_bits():
    one, two = (Bloom.of(digests(50), 0.01, seed) for seed in (b"a", b"b"))
    assert (one.bits != two.bits).any()


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(streams, "PART", 3)
    monkeypatch.setattr(streams, "CHUNK", 6)


@pytest.mark.parametrize("n", [0, 1, 3, 6, 7, 20])
@pytest.mark.parametrize("cores", [1, 3])
def test_parts_come_in_order_from_all_cores(small_chunks, n, cores):
    column = digests(n)
    parts = streams.computed(lambda part: column[part], n, cores)
    assert_array_equal(streams.gathered(parts, 32), column)


def test_a_fault_in_a_part_ends_the_stream_and_its_threads(small_chunks):
    def work(part):
        if part.start >= 6:
            raise RuntimeError("part")
        return digests(part.stop - part.start)

    with pytest.raises(RuntimeError, match="part"):
        list(streams.computed(work, 100, 2))
    assert not [t for t in threading.enumerate() if t.name.startswith("psi")]


@pytest.mark.parametrize("cores", [1, 2, 16, 64])
@pytest.mark.parametrize("n", [0, 65_536, 65_537, 100_000, 200_000])
def test_messages_have_the_rows_that_the_receiver_expects_on_any_number_of_cores(n, cores):
    parts = streams.computed(lambda part: np.zeros((part.stop - part.start, 1)), n, cores)
    sizes = [len(chunk) for chunk in streams.chunked(parts)]
    assert sizes == [min(streams.CHUNK, n - at) for at in range(0, n, streams.CHUNK)]


def test_messages_of_wide_rows_have_fewer_of_them(monkeypatch):
    assert streams.chunk_rows(2048) == streams.CHUNK
    assert streams.chunk_rows(1 << 16) == 2048
    assert streams.chunk_rows(1 << 30) == 1
    monkeypatch.setattr(streams, "CHUNK_BYTES", 100)
    column = np.repeat(digests(7), 2, axis=1)[:, :40]

    def host(ctx):
        ctx.cores = 3
        meter = streams.Meter(ctx, 7)
        message = psi_commutative.Wire.blinded
        streams.send(ctx, message, lambda p: column[p], 7, to=GUEST_, meter=meter, width=40)

    def guest(ctx):
        return list(streams.receive(ctx, psi_commutative.Wire.blinded, 7, 40, source=HOST_))

    found, _ = inproc.run({GUEST_: guest, HOST_: host}, Ctx)
    assert [len(chunk) for chunk in found[GUEST_]] == [2, 2, 2, 1]
    assert_array_equal(np.concatenate(found[GUEST_]), column)


def ids(*numbers):
    return pa.array([f"é{n}" for n in numbers])


@pytest.mark.parametrize("n", [5, 6, 20])
def test_commutative_encryption_over_several_messages(small_chunks, n):
    a, b = ids(*range(n)), ids(*range(n // 2, n + 9))

    def guest(ctx):
        ctx.cores = 2
        pairs = psi_commutative.guest(ctx, a, Curve(), {HOST_: len(b)})
        psi.tell(ctx, HOST_, pairs[HOST_], psi.in_all(list(pairs.values())))
        return a.take(pa.array(psi.in_all(list(pairs.values())))).to_pylist()

    def host(ctx):
        return b.take(pa.array(psi.told(ctx, psi_commutative.host(ctx, b, Curve(), len(a)))))

    found, transcript = inproc.run({GUEST_: guest, HOST_: host}, Ctx)
    assert set(found[GUEST_]) == set(found[HOST_].to_pylist()) == set(a.to_pylist()[n // 2 :])
    assert sum(line.message.endswith("doubled") for line in transcript) == -(-n // 6)


def test_blind_signatures_over_several_messages(small_chunks):
    a, b = ids(*range(20)), ids(*range(9, 31))
    agreed = psi_rsa.Settings(Hashes(), 1024)
    for guest, host in (
        (
            lambda ctx: psi_rsa.guest(ctx, a, agreed, {HOST_: len(b)}),
            lambda ctx: psi_rsa.host(ctx, b, agreed, len(a)),
        ),
        (
            lambda ctx: psi_rsa.guest_split(ctx, a, agreed),
            lambda ctx: psi_rsa.host_split(ctx, b, agreed),
        ),
    ):
        found, _ = inproc.run({GUEST_: guest, HOST_: host}, Ctx)
        pairs, order = found[GUEST_][HOST_], found[HOST_]
        assert sorted(pairs.mine.tolist()) == list(range(9, 20))
        theirs = b.take(pa.array(order[pairs.theirs])).to_pylist()
        assert theirs == a.take(pa.array(pairs.mine)).to_pylist()


def test_cardinality_over_several_messages(small_chunks):
    a, b = ids(*range(20)), ids(*range(9, 31))
    found, _ = inproc.run(
        {
            GUEST_: lambda ctx: psi_cardinality.exact_guest(ctx, a, Curve(), {HOST_: len(b)}),
            HOST_: lambda ctx: psi_cardinality.exact_host(ctx, b, Curve()),
        },
        Ctx,
    )
    assert found[GUEST_] == 11


@pytest.mark.parametrize("shape", [(2, 32), (3, 31), (3,)])
def test_a_column_of_another_shape_is_refused(shape):
    message = psi_commutative.Wire.blinded
    with pytest.raises(ProtocolViolation, match=r"not uint8\(3, 32\)"):
        inproc.run(
            {
                GUEST_: lambda ctx: list(streams.receive(ctx, message, 3, 32, source=HOST_)),
                HOST_: lambda ctx: ctx.remote(message, np.zeros(shape, np.uint8)),
            },
            Ctx,
        )


def test_the_order_of_presentation_is_a_permutation_and_never_the_same():
    one, two = psi.shuffled(500), psi.shuffled(500)
    assert sorted(one.tolist()) == list(range(500))
    assert (one != two).any()
    assert len(psi.shuffled(0)) == 0


def test_rows_ascend_by_the_bytes_of_their_text():
    texts = pa.array(["b", "é", "a", "z", "漢", "B"])
    order = psi.ascending(texts, np.array([0, 1, 2, 3, 4, 5]))
    assert texts.take(pa.array(order)).to_pylist() == ["B", "a", "b", "z", "é", "漢"]


def frame(samples, matches=None):
    matches = None if matches is None else pa.array(matches)
    x = np.arange(len(samples), dtype=float).reshape(-1, 1)
    return Frame(pa.array(samples), x, FrameSchema(header=["a"]), match_ids=matches)


def test_keys_are_distinct_and_know_their_rows():
    keys = Keys.of(frame(["s2", "s1", "s3"], ["m", "m", "n"]), "x")
    assert keys.texts.to_pylist() == ["m", "n"]
    assert keys.samples(np.array([1, 0])).tolist() == [2, 1, 0]
    fewer = keys.take(np.array([0]))
    assert fewer.texts.to_pylist() == ["m"]
    assert fewer.samples(np.array([0])).tolist() == [1, 0]


def test_ids_that_repeat_or_are_missing_are_refused_without_showing_them():
    with pytest.raises(BadData, match="x: sample ids repeat") as refusal:
        Keys.of(frame(["secret", "secret"]), "x")
    assert "secret" not in str(refusal.value)
    with pytest.raises(BadData, match="1 rows have no id"):
        Keys.of(frame(["a", "b"], ["m", None]), "x")


def test_padding_makes_unknown_rows_of_missing_values():
    whole = Frame(
        pa.array(["a", "b"]),
        np.ones((2, 1)),
        FrameSchema(header=["a"]),
        label=np.array([3, 4]),
        weight=np.array([1.0, 2.0]),
        texts=pa.table({"a": ["t", "u"]}),
    )
    padded = data_rows.padded(whole, np.array([1, -1]))
    assert_array_equal(padded.label, [4.0, np.nan])
    assert_array_equal(padded.weight, [2.0, np.nan])
    assert_array_equal(padded.x, [[1.0], [np.nan]])
    assert padded.texts.column("a").to_pylist() == ["u", None]
    assert data_rows.padded(whole, np.array([1])).label.tolist() == [4]
