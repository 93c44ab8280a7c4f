"""What every scheme does with vectors of real numbers: laws, ranges, refusals, nothing shown.

A scheme is tested by being in ``scheme.NAMES``; what it declares in ``can`` has to hold, and what
it does not declare has to be refused. The sum by bins with each row in a bin of its own is the
identity, by which a scheme that only has products is read.
"""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml.crypto import scheme, strength
from federatedml.crypto.errors import (
    BadCiphertext,
    CryptoError,
    DecryptedOutOfRange,
    ForeignKey,
    MissingLibrary,
    PlaintextOutOfRange,
    Unsupported,
)

KEY_BITS = {"Paillier": 512, "OU": 768}
WIDTH = 12
"""Columns of the widest matrix here."""

OPEN = {
    name: scheme.open_scheme(name, KEY_BITS.get(name, 0), outputs=WIDTH) for name in scheme.NAMES
}
TWICE = {
    name: scheme.open_scheme(name, KEY_BITS.get(name, 0), outputs=WIDTH) for name in scheme.NAMES
}
OPERATIONS = {
    "add": lambda cipher, c: cipher.add(c, c),
    "sub": lambda cipher, c: cipher.sub(c, c),
    "scale": lambda cipher, c: cipher.scale(c, 2.0),
    "mul_plain": lambda cipher, c: cipher.mul_plain(c, np.ones(WIDTH)),
    "matvec": lambda cipher, c: cipher.matvec(np.ones((WIDTH, 1)), c),
    "sum_by_bin": lambda cipher, c: cipher.sum_by_bin(c, np.zeros(WIDTH, int), 1),
    "refresh": lambda cipher, c: cipher.refresh(c),
}
COMPUTED = 2.0**-17
"""Error of results with factors of 24 fractional bits and numbers as here; see ``scheme``."""

names = pytest.mark.parametrize("name", scheme.NAMES)
vectors = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=WIDTH).map(np.array)


def able(*operations):
    return pytest.mark.parametrize(
        "name", [n for n in scheme.NAMES if OPEN[n][0].can.issuperset(operations)]
    )


def read(name, c, n):
    """The numbers of a vector that was encrypted, or computed elementwise."""
    cipher, owner = OPEN[name]
    return owner.decrypt(c if "add" in cipher.can else cipher.sum_by_bin(c, np.arange(n), n))


def pieces(c):
    """A vector cut as finely as its form allows; of two encryptions no piece may be equal."""
    if isinstance(c, scheme.CipherVector):
        return c.values
    if isinstance(c, scheme.LatticeVector):
        return [*c.sealed.values.ravel(), *c.sealed.seeded.ravel()]
    packed = b"".join(part.serialize() for part in c.parts)
    return [packed[at : at + 16] for at in range(1000, 200_000, 16)]


def differing(a, b):
    return np.mean([x != y for x, y in zip(pieces(a), pieces(b), strict=True)])


# Laws.


@names
@settings(deadline=None, max_examples=20)
@given(values=vectors)
def test_decrypting_gives_back_what_was_encrypted(name, values):
    cipher, owner = OPEN[name]
    found = read(name, owner.encrypt(values), len(values))
    error = 1.01 * cipher.error(np.abs(values).max())
    np.testing.assert_allclose(found, values, rtol=1e-15, atol=error)


@able("add", "sub")
@settings(deadline=None, max_examples=20)
@given(values=vectors)
def test_sums_and_differences(name, values):
    cipher, owner = OPEN[name]
    other = values[::-1].copy()
    a, b = owner.encrypt(values), owner.encrypt(other)
    near = {"rtol": 1e-14, "atol": 2 * cipher.error(1e3)}
    np.testing.assert_allclose(owner.decrypt(cipher.add(a, b)), values + other, **near)
    np.testing.assert_allclose(owner.decrypt(cipher.sub(a, b)), values - other, **near)


@able("scale")
@settings(deadline=None, max_examples=20)
@given(values=vectors, factor=st.floats(-50, 50))
def test_one_factor_for_all(name, values, factor):
    cipher, owner = OPEN[name]
    found = owner.decrypt(cipher.scale(owner.encrypt(values), factor))
    np.testing.assert_allclose(found, factor * values, rtol=2.0**-30, atol=1e3 * 2.0**-24)


@able("mul_plain")
def test_a_factor_for_each(name):
    cipher, owner = OPEN[name]
    rng = np.random.default_rng(2)
    values, factors = rng.normal(size=9), 100 * rng.normal(size=9)
    found = owner.decrypt(cipher.mul_plain(owner.encrypt(values), factors))
    np.testing.assert_allclose(found, values * factors, rtol=0, atol=COMPUTED)


@able("matvec")
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", [(30, 4), (1, 1), (7, WIDTH)], ids=str)
def test_a_matrix_times_a_vector(name, form, shape):
    cipher, owner = OPEN[name]
    rng = np.random.default_rng(3)
    x, u = 7 * rng.normal(size=shape), rng.normal(size=shape[0])
    x[rng.random(shape) < 0.3] = 0
    found = owner.decrypt(cipher.matvec(form(x), owner.encrypt(u)))
    np.testing.assert_allclose(found, x.T @ u, rtol=0, atol=COMPUTED)


@able("sum_by_bin")
def test_sums_by_bin(name):
    cipher, owner = OPEN[name]
    rng = np.random.default_rng(4)
    u, bins = rng.normal(size=200), rng.integers(0, 9, size=200)
    found = owner.decrypt(cipher.sum_by_bin(owner.encrypt(u), bins, 10))
    np.testing.assert_allclose(found, np.bincount(bins, u, minlength=10), rtol=0, atol=COMPUTED)


@able("add")
def test_sums_of_many_vectors(name):
    """As in horizontal learning: more parties than fit one ciphertext's slots change nothing."""
    cipher, owner = OPEN[name]
    rows = np.random.default_rng(5).normal(size=(10, 50))
    total = owner.encrypt(rows[0])
    for row in rows[1:]:
        total = cipher.add(total, owner.encrypt(row))
    np.testing.assert_allclose(owner.decrypt(total), rows.sum(axis=0), rtol=0, atol=COMPUTED)


@names
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_operation_is_declared_or_refused_by_name(name, operation):
    cipher, owner = OPEN[name]
    c = owner.encrypt(np.ones(WIDTH))
    if operation in cipher.can:
        OPERATIONS[operation](cipher, c)
        return
    with pytest.raises(Unsupported, match=f"{name} has no {operation}; it has"):
        OPERATIONS[operation](cipher, c)


# Nothing shows through.


@names
def test_two_encryptions_of_a_vector_differ_everywhere(name):
    _, owner = OPEN[name]
    a, b = (owner.encrypt(np.ones(20)) for _ in range(2))
    assert differing(a, b) == 1


@able("refresh")
def test_a_refreshed_vector_differs_everywhere_and_says_the_same(name):
    cipher, owner = OPEN[name]
    a = owner.encrypt(np.arange(20.0))
    b = cipher.refresh(a)
    assert differing(a, b) == 1
    assert owner.decrypt(b).tolist() == owner.decrypt(a).tolist()


@able("sum_by_bin")
def test_results_are_refreshed_even_where_nothing_was_added(name):
    """A bin of one row, or none, would else show which row it is: its ciphertext, or a one."""
    cipher, owner = OPEN[name]
    results = [cipher.sum_by_bin(owner.encrypt(np.ones(3)), np.arange(3), 4) for _ in range(2)]
    if name == "Lattice":
        assert not np.any(results[0].product.c0 == results[1].product.c0)
    else:
        assert len({v for r in results for v in r.values} - {1}) == 8


@names
def test_no_secret_is_printed(name):
    _, owner = OPEN[name]
    assert len(repr(owner)) < 4000
    shown = repr(owner)
    for hidden in ("owner=", ", s=", "packed=", "p=mpz"):
        assert hidden not in shown


# What is refused.


@names
@pytest.mark.parametrize("value", [2.0**40, -(2.0**60), np.nan, np.inf])
def test_a_number_out_of_range_is_refused_and_not_printed(name, value):
    with pytest.raises(PlaintextOutOfRange) as refusal:
        OPEN[name][1].encrypt(np.array([0.0, value]))
    assert str(value) not in str(refusal.value)


def grown(start, step):
    """What start becomes, step by step, until a step is refused."""
    found = [start]
    try:
        while len(found) < 1000:
            found.append(step(found[-1]))
    except PlaintextOutOfRange:
        return found
    return pytest.fail("nothing was refused")


@able("add")
def test_a_sum_is_right_until_it_is_refused(name):
    cipher, owner = OPEN[name]
    values = np.array([1.5, -1.0])
    totals = grown(owner.encrypt(values), lambda c: cipher.add(c, c))
    assert len(totals) > 4
    np.testing.assert_allclose(owner.decrypt(totals[-1]), 2.0 ** (len(totals) - 1) * values)


@able("mul_plain")
def test_a_product_is_right_until_it_is_refused(name):
    cipher, owner = OPEN[name]
    factor = np.array([-1024.0])
    products = grown(owner.encrypt(np.array([1.5])), lambda c: cipher.mul_plain(c, factor))
    assert len(products) > 1
    found = owner.decrypt(products[-1])
    np.testing.assert_allclose(found, 1.5 * factor ** (len(products) - 1))


@names
def test_ciphertexts_of_another_key_are_refused(name):
    cipher, owner = OPEN[name]
    foreign = TWICE[name][1].encrypt(np.ones(WIDTH))
    for operation in sorted(cipher.can & OPERATIONS.keys()):
        with pytest.raises(ForeignKey):
            OPERATIONS[operation](cipher, foreign)
    with pytest.raises(ForeignKey):
        cipher.from_bytes(TWICE[name][0].to_bytes(foreign))
    if "add" in cipher.can:
        with pytest.raises(ForeignKey):
            cipher.add(owner.encrypt(np.ones(WIDTH)), foreign)
        with pytest.raises(ForeignKey):
            owner.decrypt(foreign)
    else:
        with pytest.raises(ForeignKey):
            owner.decrypt(TWICE[name][0].sum_by_bin(foreign, np.zeros(WIDTH, int), 1))


@able("add")
def test_vectors_of_different_lengths_are_refused(name):
    cipher, owner = OPEN[name]
    with pytest.raises(BadCiphertext):
        cipher.add(owner.encrypt(np.ones(3)), owner.encrypt(np.ones(2)))


# On the wire.


@names
def test_a_vector_survives_its_journey(name):
    cipher, owner = OPEN[name]
    values = np.random.default_rng(6).normal(size=WIDTH)
    back = cipher.from_bytes(cipher.to_bytes(owner.encrypt(values)))
    found = read(name, back, WIDTH)
    np.testing.assert_allclose(found, values, rtol=0, atol=COMPUTED)


@names
def test_a_vector_of_another_scheme_is_refused(name):
    cipher, _ = OPEN[name]
    for other in scheme.NAMES:
        if other != name:
            c = OPEN[other][1].encrypt(np.ones(3))
            with pytest.raises(CryptoError):
                cipher.from_bytes(OPEN[other][0].to_bytes(c))


@names
@settings(deadline=None, max_examples=40)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_one_damaged_byte_is_refused(name, place, flip):
    data = bytearray(_travelling(name))
    data[int(place * len(data))] ^= flip
    with pytest.raises(CryptoError):
        OPEN[name][0].from_bytes(bytes(data))


@names
@pytest.mark.parametrize("kept", [0, 1, 10, 100, -100, -1])
def test_a_cut_off_vector_is_refused(name, kept):
    data = _travelling(name)
    with pytest.raises(CryptoError):
        OPEN[name][0].from_bytes(data[:kept])


def _travelling(name):
    if name not in _TRAVELLING:
        cipher, owner = OPEN[name]
        _TRAVELLING[name] = cipher.to_bytes(owner.encrypt(np.ones(3)))
    return _TRAVELLING[name]


_TRAVELLING = {}


def test_a_ckks_result_beyond_its_limit_is_not_given_out():
    cipher, owner = OPEN["CKKS"]
    c = owner.encrypt(np.array([9.0]))
    lie = scheme.CkksVector(c.key, c.parts, c.n, limit=1.0)
    with pytest.raises(DecryptedOutOfRange):
        owner.decrypt(lie)
    once = cipher.scale(c, 2.0)
    with pytest.raises(BadCiphertext, match="once"):
        cipher.scale(once, 2.0)
    with pytest.raises(BadCiphertext):
        cipher.add(once, c)


def test_ckks_shows_no_zero_to_everybody():
    cipher, owner = OPEN["CKKS"]
    c = owner.encrypt(np.ones(3))
    once = cipher.scale(c, 2.0)
    for zero in (cipher.sub(c, c), cipher.scale(c, 0.0), cipher.sub(once, once)):
        np.testing.assert_allclose(owner.decrypt(zero), np.zeros(3), atol=1e-8)


def test_ckks_holds_more_numbers_than_a_ciphertext_has_slots():
    cipher, owner = OPEN["CKKS"]
    values = np.random.default_rng(8).uniform(-(2.0**23), 2.0**23, size=9000)
    c = cipher.from_bytes(cipher.to_bytes(cipher.add(owner.encrypt(values), owner.encrypt(values))))
    error = 2 * cipher.key.error(2.0**23)
    np.testing.assert_allclose(owner.decrypt(c), 2 * values, rtol=0, atol=error)
    scaled = owner.decrypt(cipher.scale(c, 0.37))
    error = cipher.key.error(2.0**24 * 0.37, is_scaled=True)
    np.testing.assert_allclose(scaled, 0.74 * values, rtol=0, atol=error)


# Opening a scheme.


@names
def test_a_scheme_describes_its_security(name):
    cipher, _ = scheme.open_scheme(name, 1024)
    said = cipher.describe()
    assert said.startswith(name)
    assert f"{cipher.level} bits of security" in said or f"{cipher.level}-bit" in said
    assert cipher.level == (80 if name in KEY_BITS else 128)


def test_levels_of_moduli():
    found = {bits: strength.of_modulus(bits) for bits in (1023, 1024, 2047, 2048, 3072, 7680)}
    assert found == {1023: 0, 1024: 80, 2047: 80, 2048: 112, 3072: 128, 7680: 192}
    assert strength.said(0) == "less than 80 bits of security"


@pytest.mark.parametrize(("level", "is_told"), [(80, True), (111, True), (112, False)])
def test_a_weak_scheme_is_warned_of(level, is_told, caplog):
    strength.warn_if_weak(level, "Paillier, so many bits")
    assert bool(caplog.records) == is_told
    if is_told:
        assert "below 112 bits and no longer considered safe" in caplog.text


def test_opening_a_weak_scheme_warns_and_another_does_not(caplog):
    scheme.open_scheme("OU", 768)
    assert "OU, 768-bit key" in caplog.text
    caplog.clear()
    scheme.open_scheme("Lattice")
    assert not caplog.records


def test_an_unknown_scheme_is_refused_with_the_names_of_all():
    with pytest.raises(ValueError, match="'RSA'; there are: Paillier, OU, Lattice, CKKS"):
        scheme.open_scheme("RSA")


def test_ckks_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tenseal", None)
    with pytest.raises(MissingLibrary, match=r"pip install distaff\[ckks\]"):
        scheme.open_scheme("CKKS")


def test_a_lattice_vector_alone_is_not_decrypted_and_a_wider_matrix_is_refused():
    cipher, owner = OPEN["Lattice"]
    c = owner.encrypt(np.ones(3))
    with pytest.raises(Unsupported, match="decryption of a vector"):
        owner.decrypt(c)
    with pytest.raises(ValueError, match=f"give outputs={WIDTH + 1}"):
        cipher.matvec(np.ones((3, WIDTH + 1)), c)
