"""Products between two parties: exact, and no vector is sent twice without need."""

import numpy as np
import pytest

from federatedml.component import Ctx
from federatedml.crypto import lattice, rings
from federatedml.crypto.lattice_wire import wire_bytes
from federatedml.errors import BadData
from federatedml.protocols import sshe_products
from federatedml.protocols.sshe_products import BITS, LIMB_BITS, LIMBS, norm_bits
from federation import GUEST, HOST, Party
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, H = Party(GUEST, "9999"), Party(HOST, "10000")
RNG = np.random.default_rng(3)


def multiplied(vector, *matrices):
    """Both parties' shares of the host's matrices times the guest's vector; the transcript."""
    outputs = [m.shape[1] for m in matrices]

    def guest(ctx):
        link = sshe_products.linked(ctx)
        sshe_products.offer(ctx, link, vector, *outputs)
        return [sshe_products.opened(ctx, link, len(vector), n) for n in outputs]

    def host(ctx):
        link = sshe_products.linked(ctx)
        ready = [sshe_products.columns(link, m, ctx.name) for m in matrices]
        return sshe_products.answered(ctx, link, *ready)

    results, transcript = run({G: guest, H: host}, Ctx)
    vectors = sum(s.message == sshe_products.Wire.vector.name for s in transcript)
    return [rings.add(a, b, BITS) for a, b in zip(results[G], results[H], strict=True)], vectors


@pytest.mark.parametrize(
    ("inner", "outputs", "n_vectors"),
    [(40, (3, LIMBS), 1), (2000, (2, 300), 2), (20, (500, LIMBS), 1)],
)
def test_shares_add_up_to_the_products_of_one_vector(inner, outputs, n_vectors):
    vector = rings.random((inner,), BITS)
    matrices = [RNG.integers(-(2**22), 2**22, size=(inner, n)) for n in outputs]
    found, vectors = multiplied(vector, *matrices)
    for got, matrix in zip(found, matrices, strict=True):
        np.testing.assert_array_equal(got, rings.matmul_plain(matrix.T, vector, BITS))
    assert vectors == n_vectors


def test_how_vectors_are_cut_is_what_the_cases_above_say():
    params = lattice.parameters(word_bits=BITS)

    def blocks(inner, *outputs):
        cuts = [lattice.tile(params, inner, n, norm_bits(inner, n)) for n in outputs]
        return len({cut.inner_block for cut in cuts})

    assert (blocks(40, 3, LIMBS), blocks(2000, 2, 300), blocks(20, 500, LIMBS)) == (1, 2, 1)


@pytest.mark.parametrize("inner", [1, 4, 300, 5_000, 10**6, 2**28])
@pytest.mark.parametrize("outputs", [1, LIMBS, 100, 10**6])
def test_digits_are_within_the_norm_whatever_their_number(inner, outputs):
    assert 2.0**LIMB_BITS * inner**0.5 <= 2.0 ** norm_bits(inner, outputs) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("inner", "outputs"),
    [(20, 569), (569, 20), (30, 100_000), (330, 100_000), (100_000, 30), (1_000, 300)],
)
def test_norms_leave_room_for_all_columns_that_a_ciphertext_could_hold(inner, outputs):
    """Hardly more is sent than if columns had no norm."""
    params = lattice.parameters(word_bits=BITS)
    cut, free = (lattice.tile(params, inner, outputs, b) for b in (norm_bits(inner, outputs), 1.0))
    assert sum(wire_bytes(params, cut)) < 1.2 * sum(wire_bytes(params, free))


def test_digits_put_products_of_two_secret_vectors_together():
    u, v = rings.random((30,), BITS), rings.random((30,), BITS)

    def guest(ctx):
        link = sshe_products.linked(ctx)
        sshe_products.offer(ctx, link, u, LIMBS)
        return sshe_products.joined(sshe_products.opened(ctx, link, 30, LIMBS))

    def host(ctx):
        link = sshe_products.linked(ctx)
        ready = sshe_products.digits(link, v[:, None], ctx.name)
        return sshe_products.joined(*sshe_products.answered(ctx, link, ready))

    results, _ = run({G: guest, H: host}, Ctx)
    together = rings.add(results[G], results[H], BITS)
    np.testing.assert_array_equal(together[0], rings.dot(u, v, BITS))


def test_a_column_that_is_too_long_is_refused():
    matrix = np.full((100, 1), 2**34, dtype=np.int64)
    with pytest.raises(BadData, match="too large for training on shares"):
        multiplied(rings.random((100,), BITS), matrix)


@pytest.mark.parametrize(
    ("inner", "outputs", "sizes"),
    [(5, 3, "5 rows and 3 columns"), (4, 2, "4 rows and 2 columns"), (10**6, 2, r"norm 2\^36")],
)
def test_a_product_of_other_sizes_is_refused(inner, outputs, sizes):
    def guest(ctx):
        link = sshe_products.linked(ctx)
        sshe_products.offer(ctx, link, rings.random((5,), BITS), 2)
        sshe_products.opened(ctx, link, inner, outputs)

    said = rf"10000 broke the protocol.*of 5 rows and 2 columns of norm 2\^32 in place of.*{sizes}"
    with pytest.raises(ProtocolViolation, match=said):
        run({G: guest, H: multiplier}, Ctx)


def multiplier(ctx):
    """A host with a matrix of 5 rows and 2 columns."""
    link = sshe_products.linked(ctx)
    ready = sshe_products.columns(link, np.ones((5, 2), dtype=np.int64), ctx.name)
    sshe_products.answered(ctx, link, ready)


def offerer(ctx):
    """A guest with a vector for it."""
    link = sshe_products.linked(ctx)
    sshe_products.offer(ctx, link, rings.random((5,), BITS), 2)
    sshe_products.opened(ctx, link, 5, 2)


def small():
    return lattice.keygen(lattice.parameters(word_bits=64))


def test_a_key_of_another_parameter_set_is_refused():
    def host(ctx):
        ctx.remote(sshe_products.Wire.key, small().public)
        ctx.get(sshe_products.Wire.key)

    said = r"10000 broke the protocol.*no key for Lattice: RLWE .* mod 2\^128"
    with pytest.raises(ProtocolViolation, match=said):
        run({G: offerer, H: host}, Ctx)


def stranger():
    return lattice.keygen(lattice.parameters(word_bits=BITS))


@pytest.mark.parametrize("keygen", [stranger, small])
def test_a_vector_of_another_key_or_parameter_set_is_refused(keygen):
    def guest(ctx):
        link = sshe_products.linked(ctx)
        secret = keygen()
        cut = lattice.tile(secret.params, 5, 2, norm_bits(5, 2))
        words = rings.random((5,), secret.params.word_bits)
        ctx.remote(sshe_products.Wire.vector, secret.encrypt(words, cut))
        return link

    with pytest.raises(ProtocolViolation, match=r"9999 broke the protocol.*another key"):
        run({G: guest, H: multiplier}, Ctx)


@pytest.mark.parametrize("keygen", [stranger, small])
def test_a_product_of_another_key_or_parameter_set_is_refused(keygen):
    def host(ctx):
        sshe_products.linked(ctx)
        secret = keygen()
        cut = lattice.tile(secret.params, 5, 2, norm_bits(5, 2))
        sealed = secret.encrypt(rings.random((5,), secret.params.word_bits), cut)
        ready = lattice.prepare(secret.params, cut, np.ones((5, 2), dtype=np.int64))
        ctx.get(sshe_products.Wire.vector)
        ctx.remote(sshe_products.Wire.product, secret.public.multiply([(sealed, ready)])[0])

    with pytest.raises(ProtocolViolation, match=r"10000 broke the protocol.*another key"):
        run({G: offerer, H: host}, Ctx)
