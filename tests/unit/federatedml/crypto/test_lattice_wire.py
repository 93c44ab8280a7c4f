"""Keys and ciphertexts over a border: the same on the other side, or refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import lattice, lattice_wire
from federatedml.crypto.errors import BadCiphertext
from federation import codec
from tests.unit.federatedml.crypto.lattice_phase import expected, opened, words

NORMS = {40: 12.0, 64: 34.0, 128: 34.0}
SECRETS = {
    bits: lattice.keygen(lattice.parameters(bits, norm_bits=norm)) for bits, norm in NORMS.items()
}


def sent(value):
    return codec.decode(codec.encode(value))


@pytest.mark.parametrize("bits", list(NORMS))
def test_a_product_of_what_crossed_a_border_is_exact(bits):
    secret = SECRETS[bits]
    cut = lattice.tile(secret.params, 70, 13, NORMS[bits])
    x, u = np.random.default_rng(1).integers(-9, 10, (70, 13)), words(secret.params, 70)
    public, sealed = sent(secret.public), sent(secret.encrypt(u, cut))
    product, mask = public.multiply([(sealed, lattice.prepare(public.params, cut, x))])
    assert opened(secret, sent(product), mask) == expected(secret.params, (x, u))


def vector():
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 30, 900)
    return secret.encrypt(words(secret.params, 30), cut)


def product():
    sealed = vector()
    ready = lattice.prepare(sealed.params, sealed.tile, np.ones((30, 900)))
    return SECRETS[64].public.multiply([(sealed, ready)])[0]


KINDS = {
    "key": (SECRETS[64].public, lattice_wire._key_fields, lattice_wire._build_key),
    "vector": (vector(), lattice_wire._vector_fields, lattice_wire._build_vector),
    "product": (product(), lattice_wire._product_fields, lattice_wire._build_product),
}
CHECK_AT = {"key": 2, "vector": 4, "product": 3}
kinds = pytest.mark.parametrize("kind", list(KINDS))


@kinds
def test_all_fields_arrive_as_they_were(kind):
    value, fields, _ = KINDS[kind]
    again = sent(value)
    assert type(again) is type(value)
    assert fields(again) == fields(value)
    for name in set(vars(value)) & {"values", "c0", "c1", "seeded"}:
        np.testing.assert_array_equal(getattr(again, name), getattr(value, name))


def test_sizes_are_what_the_packing_says():
    vector_bytes, product_bytes = lattice_wire.wire_bytes(SECRETS[64].params, vector().tile)
    assert 0 < len(codec.encode(KINDS["vector"][0])) - vector_bytes < 200
    assert 0 < len(codec.encode(KINDS["product"][0])) - product_bytes < 200


@kinds
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_refused(kind, data):
    value, fields, build = KINDS[kind]
    parts = fields(value)
    which = data.draw(st.sampled_from([i for i, f in enumerate(parts) if isinstance(f, bytes)]))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    bad = bytearray(parts[which])
    bad[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadCiphertext, match="check sum"):
        build([*parts[:which], bytes(bad), *parts[which + 1 :]])


@kinds
@pytest.mark.parametrize("cut", [1, 7, 100])
def test_truncated_and_longer_bytes_are_refused_even_with_a_right_check_sum(kind, cut):
    value, fields, build = KINDS[kind]
    parts = fields(value)
    for body in (parts[-1][:-cut], parts[-1] + bytes(cut), b""):
        with pytest.raises(BadCiphertext, match="length"):
            build(resealed(kind, [*parts[:-1], body]))


def resealed(kind, parts):
    """With the check sum that the sender of such parts would have made."""
    at, params = CHECK_AT[kind], lattice_wire._params(parts[0])
    cut = None if kind == "key" else lattice_wire._tile(params, parts[1])
    covered = [f for i, f in enumerate(parts) if isinstance(f, bytes) and i != at]
    check = lattice_wire._check(lattice_wire._head(kind, params, cut), *covered)
    return [*parts[:at], check, *parts[at + 1 :]]


@kinds
def test_a_number_that_is_no_residue_is_refused(kind):
    value, fields, build = KINDS[kind]
    parts = fields(value)
    with pytest.raises(BadCiphertext, match="not below its prime"):
        build(resealed(kind, [*parts[:-1], b"\xff" * len(parts[-1])]))


def test_bits_after_the_last_residue_are_refused():
    """3 outputs of 50 bits leave 2 bits of a byte: one form for one ciphertext."""
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 30, 3)
    pair = (
        secret.encrypt(words(secret.params, 30), cut),
        lattice.prepare(secret.params, cut, np.ones((30, 3))),
    )
    parts = lattice_wire._product_fields(secret.public.multiply([pair])[0])
    body = parts[4][:-1] + bytes([parts[4][-1] | 0x80])
    with pytest.raises(BadCiphertext):
        lattice_wire._build_product(resealed("product", [*parts[:4], body, parts[5]]))


@pytest.mark.parametrize("kind", ["vector", "product"])
@pytest.mark.parametrize(
    ("cut", "problem"),
    [
        ([0, 900, 34.0], "impossible"),
        ([30, -1, 34.0], "impossible"),
        ([30, 1 << 40, 34.0], "impossible"),
        (["30", 900, 34.0], "impossible"),
        ([30, 900, float("nan")], "norm is impossible"),
        ([30, 900, 63.0], "no lattice holds its norm"),
        ([True, 900, 34.0], "impossible"),
        ([30, 900, False], "norm is impossible"),
        ([30, 900], "3 numbers belong"),
        ("abc", "3 numbers belong"),
    ],
)
def test_impossible_shapes_are_refused_before_memory_is_taken(kind, cut, problem):
    value, fields, build = KINDS[kind]
    parts = fields(value)
    with pytest.raises(BadCiphertext, match=problem):
        build([parts[0], cut, *parts[2:]])


@pytest.mark.parametrize("kind", ["vector", "product"])
def test_a_shape_that_its_bytes_do_not_fill_is_refused_before_memory_is_taken(kind):
    value, fields, build = KINDS[kind]
    parts = fields(value)
    with pytest.raises(BadCiphertext, match="length"):
        build(resealed(kind, [parts[0], [1 << 31, 1 << 31, 34.0], *parts[2:]]))


CHANGED = [
    ("key", 0, [8192, 50]),
    ("vector", 0, [8192, 50]),
    ("vector", 1, [30, 901, 34.0]),
    ("vector", 1, [29, 900, 34.0]),
    ("vector", 1, [30, 900, 33.9]),
    ("vector", 2, bytes(16)),
    ("vector", 3, bytes(32)),
    ("product", 0, [8192, 50]),
    ("product", 1, [29, 900, 34.0]),
    ("product", 1, [30, 900, 33.9]),
    ("product", 2, bytes(16)),
]


@pytest.mark.parametrize(("kind", "at", "other"), CHANGED)
def test_a_changed_field_is_refused_by_the_check_sum(kind, at, other):
    """With it, the same field is one that a sender could have meant."""
    value, fields, build = KINDS[kind]
    parts = fields(value)
    changed = [*parts[:at], other, *parts[at + 1 :]]
    with pytest.raises(BadCiphertext, match="check sum"):
        build(changed)
    assert type(build(resealed(kind, changed))) is type(value)


def test_a_check_sum_of_one_kind_or_of_other_primes_is_none_of_another():
    params = SECRETS[64].params
    heads = [lattice_wire._head(kind, params) for kind in KINDS]
    heads.append(lattice_wire._head("key", replace(params, dropped=params.kept[:1])))
    assert len({lattice_wire._check(head, b"a", b"b") for head in heads}) == 4
    head = heads[0]
    assert lattice_wire._check(head, b"a", b"bc") != lattice_wire._check(head, b"ab", b"c")


@kinds
@pytest.mark.parametrize(
    "params",
    [[8192, 100], [4096, 64], [1024, 64], ["8192", 64], [8192], [[8192], 64], 8192, [8192, 10**30]],
)
def test_parameters_that_are_none_of_ours_are_refused(kind, params):
    value, fields, build = KINDS[kind]
    with pytest.raises(BadCiphertext):
        build([params, *fields(value)[1:]])


@pytest.mark.parametrize(("kind", "at"), [("key", 1), ("vector", 2), ("vector", 3), ("product", 2)])
def test_a_seed_or_fingerprint_of_another_length_is_refused(kind, at):
    value, fields, build = KINDS[kind]
    parts = fields(value)
    with pytest.raises(BadCiphertext):
        build(resealed(kind, [*parts[:at], parts[at] + b"x", *parts[at + 1 :]]))


def test_what_is_not_bytes_is_refused():
    value, fields, build = KINDS["vector"]
    with pytest.raises(BadCiphertext, match="not bytes"):
        build([*fields(value)[:-1], "text"])


def test_a_received_key_is_one_object_so_that_its_random_half_is_drawn_once():
    assert sent(SECRETS[64].public) is sent(SECRETS[64].public)
