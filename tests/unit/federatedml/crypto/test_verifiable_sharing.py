"""Shares with commitments: they give the values back, hide them, and cannot be changed unseen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import ristretto
from federatedml.crypto import verifiable_sharing as sharing
from federatedml.crypto.ristretto import ORDER
from federatedml.crypto.verifiable_sharing import BadSharing, Share

VALUES = st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(values=VALUES, degree=st.integers(0, 3), data=st.data())
def test_any_degree_and_one_shares_give_the_values_back(values, degree, data):
    shares, commitments = sharing.dealt(values, degree, degree + 2)
    assert commitments.shape == (degree + 1, 32)
    points = data.draw(st.permutations(range(1, degree + 3)))[: degree + 1]
    assert sharing.opened([shares[x - 1] for x in points], points) == values
    for x, share in enumerate(shares, 1):
        assert sharing.is_right(share, x, commitments)
        assert sharing.share_of(share.rows(), len(values)) == share


def test_sums_of_shares_are_shares_of_sums_under_the_sums_of_commitments():
    one, two = [5, -7, 0], [-5, 2**60, 0]
    (a, ca), (b, cb) = sharing.dealt(one, 1, 2), sharing.dealt(two, 1, 2)
    total = [x + y for x, y in zip(a, b, strict=True)]
    added = sharing.added([ca, cb])
    assert all(sharing.is_right(share, x, added) for x, share in enumerate(total, 1))
    assert sharing.opened(total, [1, 2]) == [0, 2**60 - 7, 0]


@pytest.mark.parametrize("what", ["value", "blind", "point", "commitment", "two values"])
def test_a_changed_share_is_not_right(what):
    shares, commitments = sharing.dealt([3, 4], 1, 2)
    values, blind, point = list(shares[1].values), shares[1].blind, 2
    if what == "value":
        values[1] = (values[1] + 1) % ORDER
    elif what == "blind":
        blind = (blind + 1) % ORDER
    elif what == "point":
        point = 1
    elif what == "two values":  # their sum stays
        values = [(values[0] + 1) % ORDER, (values[1] - 1) % ORDER]
    else:
        commitments = commitments[::-1]
    assert not sharing.is_right(Share(values, blind), point, commitments)


def test_commitments_to_equal_and_to_small_values_cannot_be_tried_out():
    """Feldman's own, without the blinding, are the same for the same values."""
    made = [sharing.dealt([0], 1, 2)[1][0].tobytes() for _ in range(3)]
    assert len(set(made)) == 3
    tried = {sharing.committed(Share([v], 0)).tobytes() for v in range(-5 % ORDER, ORDER)}
    tried |= {sharing.committed(Share([v], 0)).tobytes() for v in range(5)}
    assert not tried & set(made)


def test_threads_commit_to_the_same():
    share = Share(list(range(1200)), 5)
    assert (sharing.committed(share, cores=2) == sharing.committed(share)).all()


def test_a_share_of_other_length_or_beyond_the_order_is_refused():
    with pytest.raises(BadSharing, match="3 rows"):
        sharing.share_of(np.zeros((2, 32), np.uint8), 2)
    with pytest.raises(BadSharing, match="below the order"):
        sharing.share_of(np.full((3, 32), 0xFF, np.uint8), 2)


def test_commitments_that_are_no_elements_are_refused():
    shares, commitments = sharing.dealt([1], 1, 2)
    bad = np.full_like(commitments, 0xFF)
    with pytest.raises(BadSharing, match="not a valid element"):
        sharing.is_right(shares[0], 1, bad)
    with pytest.raises(BadSharing, match="not a valid element"):
        sharing.added([commitments, bad])


def test_secrets_do_not_show():
    assert "987654" not in repr(Share([987654], 987654))


# The group.


def scalars(*numbers):
    raw = b"".join((n % ORDER).to_bytes(32, "little") for n in numbers)
    return np.frombuffer(raw, np.uint8).reshape(-1, 32)


def test_products_and_totals_of_elements_are_those_of_their_logarithms():
    base = np.repeat(ristretto.from_scalars([scalars(1).tobytes()]), 5, axis=0)
    found = ristretto.multiply_each(base, scalars(2, 0, -7, 11, 1))
    assert not found[1].any()
    for row, n in zip(found[[0, 2, 3, 4]], (2, -7, 11, 1), strict=True):
        assert row.tobytes() == ristretto.from_scalars([scalars(n).tobytes()]).tobytes()
    assert ristretto.total(found).tobytes() == scalars_times_base(7)
    assert not ristretto.total(found[:0]).any()
    assert not ristretto.total(ristretto.multiply_each(base[:2], scalars(3, -3))).any()
    with pytest.raises(ristretto.InvalidElement):
        ristretto.multiply_each(np.full((1, 32), 0xFF, np.uint8), scalars(2))


def scalars_times_base(n):
    return ristretto.from_scalars([scalars(n).tobytes()]).tobytes()
