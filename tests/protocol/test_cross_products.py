"""Columns of two parties crossed: numpy's correlations for any tables, and what a party refuses."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.component import Ctx
from federatedml.crypto import lattice, lattice_columns, rings
from federatedml.maths.correlation import measured
from federatedml.protocols.cross_products import BITS, OPENED_BITS, Crossing, Wire
from federation import GUEST, HOST, Party
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, H = Party(GUEST, "9999"), Party(HOST, "10000")
N = 30
KINDS = ("normal", "skewed", "binary", "far", "rare")


def column(rng, kind, n):
    x = rng.normal(size=n)
    x[0] += 3.0  # no column is constant
    return {
        "normal": x,
        "skewed": np.exp(3 * x),
        "binary": (x >= x.max() - 0.5).astype(float),
        "far": x + 1e4,
        "rare": np.where(np.arange(n) == 1, 1e9, 0.0),
    }[kind]


def crossed(x, y):
    """(guest's result, host's result) of one conversation."""

    def party(peer, own, theirs):
        def play(ctx):
            crossing = Crossing(ctx, peer, measured(own), range(own.shape[1]), theirs.shape[1])
            crossing.begin()
            return crossing.finish()

        return play

    results, _ = run({G: party(H, x, y), H: party(G, y, x)}, Ctx)
    return results[G], results[H]


sides = st.lists(st.sampled_from(KINDS), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None)
@given(guest=sides, host=sides, n=st.integers(3, 70), seed=st.integers(0, 2**32))
def test_correlations_are_numpys_for_columns_of_every_kind(guest, host, n, seed):
    rng = np.random.default_rng(seed)
    x, y = (np.column_stack([column(rng, k, n) for k in kinds]) for kinds in (guest, host))
    columns = np.column_stack([x, y])
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    wanted = np.corrcoef(columns, rowvar=False)[: len(guest), len(guest) :]
    for_guest, for_host = crossed(x, y)
    np.testing.assert_allclose(for_guest, wanted, atol=1e-10)
    assert for_host.T.tolist() == for_guest.tolist()


def test_columns_of_two_values_err_no_more_than_others_over_many_rows():
    """Rounded to the nearest, 20,000 equal entries would all err alike: by 4e-10 here."""
    x = np.zeros((20_000, 2))
    x[:6_666, 0], x[:5_000, 1] = 1.0, 1.0
    for_guest, _ = crossed(x, x)
    np.testing.assert_allclose(for_guest, np.corrcoef(x, rowvar=False), atol=6e-11)


# What a party refuses.


def guest(ctx):
    """Encrypts two columns for the host's three."""
    crossing = Crossing(ctx, H, measured(table(2)), range(2), 3)
    crossing.begin()
    return crossing.finish()


def host(ctx):
    return Crossing(ctx, G, measured(table(3)), range(3), 2).finish()


def table(k):
    return np.random.default_rng(k).normal(size=(N, k))


LAYOUT = lattice_columns.laid_out(N, 2, 3)
SECRET, OTHER = (lattice.keygen(LAYOUT.params) for _ in range(2))


def sealed(secret=SECRET, layout=LAYOUT):
    words = rings.random((N, len(layout.groups[0])), 128)
    return lattice_columns.sealed(secret, words, layout)


@pytest.mark.parametrize(
    ("key", "vector", "said"),
    [
        (lattice.keygen(lattice.parameters(64)).public, None, "key"),
        (SECRET.public, sealed(OTHER), "another key"),
        (SECRET.public, sealed(layout=replace(LAYOUT, inner=7)), "does not fit"),
    ],
    ids=["key", "foreign", "cut"],
)
def test_a_host_refuses_keys_and_columns_that_do_not_belong_to_the_conversation(key, vector, said):
    def wrong(ctx):
        ctx.remote(Wire.key, key, to=H)
        if vector is not None:
            ctx.remote(Wire.columns, vector, to=H)

    with pytest.raises(ProtocolViolation, match=f"guest 9999.*{said}"):
        run({G: wrong, H: host}, Ctx)


def answer(secret, layout, vectors, plain=3):
    """The products of a host with columns of ones."""
    sums = lattice_columns.Sums(secret, layout, plain)
    sums.add(vectors, np.ones((plain, N)))
    return sums.returned()


@pytest.mark.parametrize("wrong", ["foreign", "shape"])
def test_a_guest_refuses_products_that_are_not_of_its_columns(wrong):
    def play(ctx):
        key = ctx.get(Wire.key)
        vectors = [ctx.get(Wire.columns) for _ in LAYOUT.groups]
        if wrong == "foreign":
            products, _ = answer(OTHER.public, LAYOUT, [sealed(OTHER)])
        else:
            products, _ = answer(key, LAYOUT, vectors, plain=2)
        ctx.remote(Wire.products, products[0], to=G)

    with pytest.raises(ProtocolViolation, match="host 10000"):
        run({G: guest, H: play}, Ctx)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (rings.zeros((2, 2), BITS), "in place of"),
        (rings.encode(np.full((2, 3), 5.0), OPENED_BITS, BITS), "beyond 1"),
    ],
    ids=["shape", "size"],
)
def test_a_guest_refuses_shares_of_another_shape_and_correlations_beyond_one(share, said):
    def play(ctx):
        key = ctx.get(Wire.key)
        vectors = [ctx.get(Wire.columns) for _ in LAYOUT.groups]
        sums = lattice_columns.Sums(key, LAYOUT, 3)
        sums.add(vectors, np.zeros((3, N)))
        products, masks = sums.returned()
        for product in products:
            ctx.remote(Wire.products, product, to=G)
        own = rings.truncate(rings.neg(masks, BITS), 40, 1, BITS)
        total = rings.add(own, share, BITS) if share.shape == own.shape else share
        ctx.remote(Wire.opened, total, to=G)

    with pytest.raises(ProtocolViolation, match=f"host 10000.*{said}"):
        run({G: guest, H: play}, Ctx)
