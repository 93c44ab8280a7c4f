"""Arithmetic on shares equals numpy's, with a dealer and without, and shows nothing else."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.component import Ctx
from federatedml.crypto import rings
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.triples import TripleSpent
from federatedml.errors import BadData, BadParameters
from federatedml.protocols import spdz, spdz_compare, spdz_private, spdz_triples
from federation import ARBITER, GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation
from federation.transport import inproc

GUEST_, HOST_, JUDGE = Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "11000")
ULP = 2.0**-spdz.FRACTION_BITS


def together(program, *, dealer=True, **options):
    """``program(session)`` at guest and host; their results and the transcript."""

    def run(ctx):
        with spdz.Session(ctx, dealer=ctx.arbiter, **options) as session:
            return program(session)

    parties = {GUEST_: run, HOST_: run} | ({JUDGE: spdz_triples.deal} if dealer else {})
    results, transcript = inproc.run(parties, Ctx)
    return results[GUEST_], results[HOST_], transcript


def shared(session, owner, x):
    """x as only its owner would give it."""
    return session.share(owner, x if session.ctx.role == owner else None, x.shape)


def opened(program, **options):
    """The numbers that a program's shared result stands for; both parties open the same."""
    guest, host, _ = together(lambda s: s.open(program(s)), **options)
    np.testing.assert_array_equal(guest, host)
    return guest


DEALER = pytest.mark.parametrize("dealer", [True, False], ids=["dealer", "alone"])
BITS = pytest.mark.parametrize("bits", [64, 128])


@pytest.fixture
def numbers():
    rng = np.random.default_rng(5)
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 3))


@DEALER
@BITS
def test_sums_and_products_equal_those_of_the_numbers(numbers, dealer, bits):
    """With 64 bits products stay below 2^26 units: 120 truncations fail with a chance of 2^-30."""
    x, y = numbers
    fraction = 24 if bits == 128 else 10
    ulp = 2.0**-fraction
    known = np.array([0.5, -2.0, 3.0])

    def program(s):
        a, b = shared(s, GUEST, x), shared(s, HOST, y)
        return [
            s.open(v)
            for v in (
                a + b,
                a - b,
                -a,
                a.plus(known),
                a.scaled(-7),
                a.times(known),
                a.total(),
                s.multiply(a, b),
                s.multiply(a, b, 8),
                s.multiply(a, b.reshape(15).reshape(5, 3).total().reshape(1, 3)),
                s.matmul(a, b.transposed),
                s.dot(a.reshape(15), b.reshape(15)),
            )
        ]

    guest, host, _ = together(program, dealer=dealer, word_bits=bits, fraction_bits=fraction)
    expected = [
        x + y,
        x - y,
        -x,
        x + known,
        -7 * x,
        x * known,
        x.sum(axis=0),
        x * y,
        x * y,
        x * y.sum(axis=0),
        x @ y.T,
        np.vdot(x, y),
    ]
    errors = [2, 2, 1, 2, 7, 6, 5, 8, 2.0 ** (fraction - 8) + 8, 40, 24, 100]
    for mine, theirs, wanted, error in zip(guest, host, expected, errors, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_allclose(mine, wanted, rtol=0, atol=error * ulp)


@DEALER
@pytest.mark.parametrize(("n", "k", "c"), [(1, 1, 1), (0, 2, 2), (4, 1, 3), (2, 6, 1)])
def test_matrix_products_have_any_shape(dealer, n, k, c):
    rng = np.random.default_rng(n + k + c)
    x, y = rng.normal(size=(n, k)), rng.normal(size=(k, c))
    found = opened(lambda s: s.matmul(shared(s, GUEST, x), shared(s, HOST, y)), dealer=dealer)
    np.testing.assert_allclose(found, x @ y, rtol=0, atol=10 * k * ULP)


@DEALER
@settings(deadline=None, max_examples=8)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 2**32))
def test_products_of_random_shapes_and_numbers_are_those_of_numpy(dealer, n, k, c, seed):
    """Numbers up to 2^10: half a unit for each factor's rounding, one for the product's."""
    rng = np.random.default_rng(seed)
    x, y = (2.0**10 * rng.uniform(-1, 1, size=shape) for shape in ((n, k), (k, c)))
    z = 2.0**10 * rng.uniform(-1, 1, size=(n, 1))

    def program(s):
        a, b, d = (shared(s, who, v) for who, v in ((GUEST, x), (HOST, y), (HOST, z)))
        return s.open(s.matmul(a, b)), s.open(s.multiply(a, d)), s.open((a + d).total(1))

    guest, _, _ = together(program, dealer=dealer)
    for found, wanted in zip(guest, (x @ y, x * z, (x + z).sum(axis=1)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=(2.0**10 * max(k, 1) + 2) * ULP)


@DEALER
@BITS
@pytest.mark.parametrize(("n", "k", "c"), [(3, 210, 2), (2, 101, 3)])
def test_large_matrix_products_are_as_exact(dealer, bits, n, k, c):
    """Without a dealer their triples come from the lattice."""
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, k)), rng.normal(size=(k, c))

    def program(s):
        product = s.matmul(shared(s, GUEST, x), shared(s, HOST, y), 16)
        return s.open(product)

    found, _, transcript = together(program, dealer=dealer, word_bits=bits, fraction_bits=12)
    np.testing.assert_allclose(found, x @ y, rtol=0, atol=10 * k * 2.0**-12)
    names = {s.message for s in transcript}
    assert dealer == ("sshe_products.vector" not in names)
    assert "spdz_triples.products" not in names


@BITS
@pytest.mark.parametrize("owner", [GUEST, HOST])
@pytest.mark.parametrize("columns", [(), (2,)])
def test_a_private_matrix_times_a_shared_vector_is_shared(bits, owner, columns):
    rng, fraction = np.random.default_rng(3), 10 if bits == 64 else 20
    x, v = rng.normal(size=(40, 7)), rng.normal(size=(7, *columns))

    def program(s):
        mine = x if s.ctx.role == owner else None
        matrix = spdz_private.prepared(s, owner, mine, len(x), fraction)
        once = spdz_private.product(s, matrix, shared(s, GUEST, v))
        other = HOST if owner == GUEST else GUEST
        known = s.known(other, v if s.ctx.role == other else None, v.shape)
        again = spdz_private.product(s, matrix, known)
        return s.open(once), s.open(again)

    options = {"word_bits": bits, "fraction_bits": fraction}
    once, again, transcript = together(program, dealer=False, **options)
    for found in (*once, *again):
        np.testing.assert_allclose(found, x @ v, rtol=0, atol=40 * 2.0**-fraction)
    plain = {s.message for s in transcript if s.envelope.kind == "plain"}
    assert plain == {"sshe_products.key"}


def test_a_private_matrix_out_of_range_is_refused():
    def program(s):
        assert "Lattice" in s.link.security
        for bad in (np.nan, np.inf, 2.0**30):
            with pytest.raises(PlaintextOutOfRange, match="an entry of the matrix"):
                spdz_private.prepared(s, s.ctx.role, np.array([[bad]]), 1)
        with pytest.raises(BadData, match="scale them"):
            spdz_private.prepared(s, s.ctx.role, np.full((1, 5), 2.0**25), 1)
        for other in (None, np.ones((2, 1))):
            with pytest.raises(ValueError, match="gave another or nothing"):
                spdz_private.prepared(s, s.ctx.role, other, 1)

    together(program, dealer=False)


@DEALER
def test_a_number_only_its_owner_has_is_a_factor_without_a_message(numbers, dealer):
    x, y = numbers

    def program(s):
        a = s.known(GUEST, x if s.ctx.role == GUEST else None, x.shape)
        b = s.known(HOST, y if s.ctx.role == HOST else None, y.shape)
        return s.multiply(a, b)

    np.testing.assert_allclose(opened(program, dealer=dealer), x * y, rtol=0, atol=8 * ULP)


@DEALER
@BITS
def test_comparison_is_exact_over_the_whole_range(dealer, bits):
    """Every sign is right, for any two words that add up to the number."""
    half = 2 ** (bits - 1)
    values = [0, 1, -1, half - 1, -half, 2**31, -(2**31), 2**62 - 1, -(2**62)]
    values += [int(v) for v in np.random.default_rng(1).integers(-(2**62), 2**62, size=71)]
    wrapped = np.array(values, dtype=object) % 2**bits
    words = (wrapped % 2**64).astype(np.uint64)
    if bits == 128:
        words = np.stack([words, (wrapped >> 64).astype(np.uint64)], axis=-1)
    shares = rings.split(words, bits)

    def program(s):
        x = s.shared(shares[s.party], 0)
        found = spdz_compare.less_than_zero(s, x)
        return spdz_compare.open_bits(s, found), s.open(spdz_compare.numbers(s, found))

    guest, host, _ = together(program, dealer=dealer, word_bits=bits)
    expected = np.array(values) < 0
    for flags, numbers in (guest, host):
        np.testing.assert_array_equal(flags, expected)
        np.testing.assert_array_equal(numbers, expected.astype(float))


@DEALER
@pytest.mark.parametrize("n", [1, 64, 65])
def test_less_and_choose_follow_numpy(dealer, n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n), rng.normal(size=n)
    y[::3] = x[::3]

    def program(s):
        a, b = shared(s, GUEST, x), shared(s, HOST, y)
        below = spdz_compare.less(s, a, b)
        return (
            spdz_compare.open_bits(s, below),
            spdz_compare.open_bits(s, ~below),
            spdz_compare.open_bits(s, below ^ below),
            s.open(spdz_compare.choose(s, below, a, b)),
        )

    (flags, inverted, nothing, least), _, _ = together(program, dealer=dealer)
    np.testing.assert_array_equal(flags, x < y)
    np.testing.assert_array_equal(inverted, x >= y)
    assert not nothing.any()
    np.testing.assert_allclose(least, np.minimum(x, y), rtol=0, atol=ULP)


def test_what_is_opened_to_one_party_is_not_sent_to_the_other(numbers):
    x, _ = numbers

    def program(s):
        a = shared(s, GUEST, x)
        bits = spdz_compare.less_than_zero(s, a.reshape(15))
        return s.open(a, to=HOST), spdz_compare.open_bits(s, bits, to=GUEST)

    guest, host, transcript = together(program)
    assert guest[0] is None
    assert host[1] is None
    np.testing.assert_allclose(host[0], x, atol=ULP)
    np.testing.assert_array_equal(guest[1], x.ravel() < 0)
    openings = [(str(s.src.role), s.message) for s in transcript if "opened" in s.message]
    assert openings == [("guest", "spdz.opened"), ("host", "spdz_compare.opened")]


@DEALER
def test_messages_are_uniform_whatever_the_numbers(dealer):
    """All bits that leave a party are fair within 9 standard deviations: a miss by chance has a
    probability below 2^-60. Equal numbers, zeros most of all, would show at once."""

    def program(s):
        zeros = np.zeros(300)
        a, b = shared(s, GUEST, zeros), shared(s, HOST, zeros)
        s.multiply(a, b)
        s.dot(a, b)
        spdz_compare.numbers(s, spdz_compare.less_than_zero(s, a))

    *_, transcript = together(program, dealer=dealer)
    arrays = [s for s in transcript if isinstance(s.value, np.ndarray)]
    assert {s.message.split(".")[1] for s in arrays} >= {"share", "masked"}
    for sent in arrays:
        if not sent.message.endswith(("hello", "answer")):  # elements of a group
            raw = np.unpackbits(sent.value.view(np.uint8))
            assert abs(int(raw.sum()) - raw.size / 2) < 4.5 * np.sqrt(raw.size), sent.message


def test_the_dealer_gets_shapes_and_nothing_else(numbers):
    x, y = numbers
    *_, transcript = together(lambda s: s.multiply(shared(s, GUEST, x), shared(s, HOST, y)))
    assert [s.value for s in transcript if s.dst == JUDGE] == [
        ("product", 15, 0, 0, 128),
        ("end", 0, 0, 0, 0),
    ]
    assert {(s.message, str(s.dst.role)) for s in transcript if s.src == JUDGE} == {
        ("spdz_triples.seed", "guest"),
        ("spdz_triples.seed", "host"),
        ("spdz_triples.correction", "host"),
    }


@DEALER
def test_a_triple_is_used_once(dealer):
    def program(s):
        triple = s.source.make("product", (2, 0, 0))
        assert "unused" in repr(triple)
        triple.spend()
        with pytest.raises(TripleSpent, match="used before"):
            triple.spend()
        return repr(triple)

    guest, _, _ = together(program, dealer=dealer)
    assert guest == "Triple(product, spent)"


def test_two_products_of_the_same_numbers_show_different_pads(numbers):
    x, y = numbers

    def program(s):
        a, b = shared(s, GUEST, x), shared(s, HOST, y)
        for _ in range(2):
            s.multiply(a, b)

    *_, transcript = together(program, dealer=True)
    first, second = [s.value for s in transcript if s.message == "spdz.masked" and s.src == GUEST_]
    assert (first != second).all()


MESSAGES = [
    f"{wire.__module__.rpartition('.')[2]}.{name}"
    for wire in (spdz.Wire, spdz_compare.Wire, spdz_triples.Wire)
    for name, value in vars(wire).items()
    if isinstance(value, Message)
]
ALONE = {"hello", "answer", "choices", "products"}


def shorter(value):
    if isinstance(value, np.ndarray):
        return value[..., :-1]
    return value[:-1] if isinstance(value, bytes) else ("product", -1, 0, 0, 128)


def of_another_type(value):
    return value.astype(np.float32) if isinstance(value, np.ndarray) else "text"


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("damage", [shorter, of_another_type])
def test_a_truncated_or_foreign_message_is_refused(message, damage, monkeypatch):
    def encode(value, where):
        return whole(damage(value) if where == message else value, where)

    def run(ctx):
        with spdz.Session(ctx, dealer=ctx.arbiter) as s:
            a = shared(s, GUEST, np.arange(3.0))
            bits = spdz_compare.less_than_zero(s, s.multiply(a, a))
            spdz_compare.open_bits(s, bits)
            s.open(spdz_compare.numbers(s, bits))

    whole = codec.encode
    monkeypatch.setattr(codec, "encode", encode)
    alone = message.rpartition(".")[2] in ALONE
    parties = {GUEST_: run, HOST_: run} | ({} if alone else {JUDGE: spdz_triples.deal})
    with pytest.raises(ProtocolViolation, match=message.replace(".", r"\.")):
        inproc.run(parties, Ctx)


def test_an_element_that_is_none_is_refused(monkeypatch):
    whole = codec.encode
    monkeypatch.setattr(
        codec, "encode", lambda v, w: whole(v * 0 if w == "spdz_triples.answer" else v, w)
    )
    with pytest.raises(ProtocolViolation, match="not a valid element"):
        together(lambda s: s.source.make("bits", (1, 1, 1)), dealer=False)


def test_bad_use_is_refused_in_words(numbers):
    x, _ = numbers

    def program(s):
        a = shared(s, GUEST, x)
        with pytest.raises(ValueError, match="24 and 10 fraction bits do not add up"):
            a + a.truncated(10)
        mine = None if s.ctx.role == GUEST else x
        if s.ctx.role == GUEST:
            with pytest.raises(ValueError, match="gave nothing"):
                s.share(GUEST, mine, x.shape)
            with pytest.raises(PlaintextOutOfRange):
                s.share(GUEST, np.array([np.nan]), (1,))

    together(program)


def test_sessions_of_one_run_and_of_two_components_do_not_meet():
    def run(ctx):
        other = Ctx(ctx.me, ctx.parties, ctx._transport, component="another")
        found = []
        with spdz.Session(ctx) as one, spdz.Session(other) as two:
            for s, x in ((one, np.arange(3.0)), (two, np.full(3, 7.0))):
                a = shared(s, GUEST, x)
                found.append(s.open(s.multiply(a, a)))
        with spdz.Session(ctx, fraction_bits=10) as again:
            found.append(again.open(shared(again, HOST, np.ones(2))))
        return found

    results, _ = inproc.run({GUEST_: run, HOST_: run}, Ctx)
    for found, wanted in zip(results[HOST_], ([0, 1, 4], [49] * 3, [1, 1]), strict=True):
        np.testing.assert_allclose(found, wanted, atol=4 * 16 * ULP)


def test_two_hosts_are_refused():
    other = Party(HOST, "10001")
    with pytest.raises(BadParameters, match="2 hosts"):
        inproc.run(dict.fromkeys([GUEST_, HOST_, other], spdz.Session), Ctx)


def test_the_page_on_sharing_numbers_runs():
    page = (Path(__file__).parents[2] / "docs" / "howto" / "share-numbers.md").read_text("utf8")
    names: dict = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    guest, host = (names["results"][party] for party in names["parties"])
    assert guest["inner product"] == pytest.approx(17.625, abs=1e-6)
    np.testing.assert_allclose(host["least"], [3.0, 1.25, 2.0], atol=1e-6)
    assert guest["host only"] is None
    np.testing.assert_allclose(host["host only"], [3.0, 2.3125], atol=1e-5)
