"""Every party encrypts under its own key: X^T d and the loss are right, and nobody sees more."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import sparse

from federatedml.component import Ctx
from federatedml.components.hetero_linr import HeteroLinR
from federatedml.components.hetero_lr import HeteroLR
from federatedml.components.hetero_poisson import HeteroPoisson
from federatedml.crypto import lattice, scaling
from federatedml.crypto.lattice_wire import SealedProduct
from federatedml.errors import BadData
from federatedml.glm_side import guest_sizes, host_sizes, largest
from federatedml.maths.family import Gaussian, Logistic, Poisson
from federatedml.protocols import exchange_own_keys
from federatedml.protocols.exchange import Slice
from federatedml.protocols.exchange_own_keys import LossPart, Vectors, Wire
from federation import ARBITER, GUEST, HOST, Party, codec
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests import pooled
from tests.protocol import glm_parties

G, BANK, SHOP, MILL = (
    Party(GUEST, "9999"),
    Party(HOST, "10000"),
    Party(HOST, "10001"),
    Party(HOST, "10002"),
)
JUDGE = Party(ARBITER, "10000")
HOSTS = {"one host": (BANK,), "two hosts": (BANK, SHOP), "three hosts": (BANK, SHOP, MILL)}
FAMILIES = {"logistic": Logistic(), "gaussian": Gaussian(), "poisson": Poisson()}


@dataclass(frozen=True)
class Batch:
    """x: by party, of all rows. rows: of the batch; shown: to the hosts, a superset."""

    x: dict
    eta: dict
    y: np.ndarray
    weight: np.ndarray | None = None
    rows: np.ndarray | None = None
    shown: np.ndarray | None = None
    number: int | None = None
    wants_loss: bool = True

    @property
    def hosts(self):
        return tuple(p for p in self.x if p != G)

    def of(self, name):
        """(rows of the batch, rows shown)."""
        everything = np.arange(len(self.y))
        rows = everything if self.rows is None else self.rows
        return rows if name == "rows" or self.shown is None else self.shown


def batch(hosts=(BANK,), n=300, size=1.0, seed=1, width=4, **more):
    rng = np.random.default_rng(seed)
    widths = (3, width, *range(5, 5 + len(hosts)))
    x = {p: size * rng.normal(size=(n, k)) for p, k in zip((G, *hosts), widths, strict=False)}
    eta = {p: rng.normal(size=n) * 0.7 for p in x}
    return Batch(x, eta, rng.choice([-1.0, 1.0], n), **more)


def played(family, batches, own=None):
    """Each party's results, one for each batch; and the transcript."""
    own = own or {}
    hosts = batches[0].hosts

    def guest(ctx):
        exchange, out = exchange_own_keys.opened(ctx, family), []
        for b in batches:
            rows, shown = b.of("rows"), b.of("shown")
            eta, y = b.eta[G][rows], b.y[rows]
            weight = None if b.weight is None else b.weight[rows]
            at = None if len(rows) == len(shown) else np.searchsorted(shown, rows)
            losses = family.own_loss(eta, y, weight)
            loss = losses.sum() + own.get(G, 0.0) if b.wants_loss else None
            sizes = guest_sizes(family.share(b.eta[G], b.y, b.weight))
            every = family.own_loss(b.eta[G], b.y, b.weight)
            sizes = replace(sizes, own=largest(every) + abs(own.get(G, 0.0)) / len(shown))
            part = Slice(b.x[G][rows], len(shown), sizes, at, b.number)
            out.append(exchange.guest(ctx, part, family.share(eta, y, weight), loss))
        return out

    def host(ctx):
        exchange, out = exchange_own_keys.opened(ctx, family), []
        for b in batches:
            shown = b.of("shown")
            eta = b.eta[ctx.me][shown]
            loss = own.get(ctx.me, 0.0) if b.wants_loss else None
            every = b.eta[ctx.me]
            penalty = abs(own.get(ctx.me, 0.0)) / len(shown)
            sizes = host_sizes(family, every, family.host_part(every), penalty)
            part = Slice(b.x[ctx.me][shown], len(shown), sizes, None, b.number)
            out.append(exchange.host(ctx, part, eta, family.host_part(eta), loss))
        return out

    def arbiter(ctx):
        exchange = exchange_own_keys.opened(ctx, family)
        return [exchange.arbiter(ctx, with_loss=b.wants_loss) for b in batches]

    return run({G: guest, **dict.fromkeys(hosts, host), JUDGE: arbiter}, Ctx)


def truth(family, b):
    """The residual of the batch's rows, and the sum of their losses."""
    rows = b.of("rows")
    weight = None if b.weight is None else b.weight[rows]
    share = family.share(b.eta[G][rows], b.y[rows], weight)
    parts = [family.host_part(b.eta[p][rows]) for p in b.hosts]
    factor = np.ones(len(rows)) if share.factor is None else share.factor
    loss = family.own_loss(b.eta[G][rows], b.y[rows], weight).sum()
    etas = sum(b.eta[p][rows] for p in b.hosts)
    if family.additive:
        squared = family.squared(sum(parts))
    else:
        (squared,) = (family.squared(v) for v in parts)
    return share.constant + factor * sum(parts), loss + share.constant @ etas + factor @ squared


def bound(x, vectors):
    """Of the error of X^T d, as crypto.scaling states it. vectors: (rows, u) of each product."""
    terms = [(x if rows is None else np.asarray(rows)[:, None] * x, u) for rows, u in vectors]
    bits = [scaling.fraction_bits(largest(u)) for _, u in terms]
    norms = [scaling.norms(one) for one, _ in terms]
    e = scaling.scales(list(zip(norms, bits, strict=True)))
    total = 0.0
    for (one, u), f in zip(terms, bits, strict=True):
        s = (e - f).astype(float)
        total = total + 2.0 ** -(f + 1) * np.abs(one).sum(axis=0)
        total = total + 2.0 ** -(s + 1) * np.abs(u).sum() + len(u) * 2.0 ** -(f + s + 2)
    return total


def check(family, b, results, index=0, rtol=1e-12):
    d, loss = truth(family, b)
    rows = b.of("rows")
    for party in (G, *b.hosts):
        x = b.x[party][rows]
        x = x.toarray() if sparse.issparse(x) else x
        share = family.share(
            b.eta[G][rows], b.y[rows], None if b.weight is None else b.weight[rows]
        )
        parts = {p: family.host_part(b.eta[p][rows]) for p in b.hosts}
        factor = share.factor if share.factor is not None or len(rows) == len(b.of("shown")) else 1
        if party == G:
            vectors = [(factor, v) for v in parts.values()]
        elif factor is None:
            vectors = [(None, share.constant), *((None, v) for p, v in parts.items() if p != party)]
        else:
            vectors = [(None, share.constant), (parts[party], factor * np.ones(len(rows)))]
        limit = bound(x, [(r * np.ones(len(rows)) if r is not None else r, u) for r, u in vectors])
        # Decoys add to the norms that scales come from: at most twice the bits of rounding.
        slack = 1.001 if b.shown is None else 2.0 * len(b.of("shown")) / len(rows)
        error = np.abs(results[party][index] - x.T @ d)
        assert (error <= slack * limit + rtol * np.abs(x.T @ d)).all(), party
    if b.wants_loss:
        assert results[JUDGE][index] == pytest.approx(loss, rel=1e-6)
    else:
        assert results[JUDGE][index] == 0.0


@pytest.mark.parametrize("family", [Logistic(), Gaussian()], ids=lambda f: f.name)
@pytest.mark.parametrize("hosts", HOSTS.values(), ids=HOSTS)
def test_the_gradient_is_within_the_stated_error_and_the_loss_right(family, hosts):
    b = batch(hosts)
    results, _ = played(family, [b])
    check(family, b, results)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_weighted_rows(family):
    b = batch(weight=np.linspace(0, 2, 300))
    if family.name == "poisson":
        b = replace(b, y=np.abs(b.y) * np.arange(300) % 7)
    results, _ = played(family, [b])
    check(family, b, results)


def test_the_rows_that_are_only_shown_count_for_nothing():
    rows = np.arange(5, 300, 7)
    b = batch(rows=rows, shown=np.arange(0, 300, 1)[1:])
    b = replace(b, weight=np.linspace(0, 2, 300))
    for one in (b, replace(b, weight=None)):
        results, _ = played(Logistic(), [one])
        check(Logistic(), one, results)


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)], ids=["one host", "two hosts"])
def test_sparse_features_give_the_same_gradient(hosts):
    b = batch(hosts)
    thin = {p: sparse.csr_matrix(x * (np.abs(x) > 0.8)) for p, x in b.x.items()}
    thick = {p: x.toarray() for p, x in thin.items()}
    more = {} if len(hosts) > 1 else {"rows": np.arange(1, 200, 3), "shown": np.arange(250)}
    found = [played(Logistic(), [replace(b, x=x, **more)])[0] for x in (thin, thick)]
    for party in (G, *hosts, JUDGE):
        np.testing.assert_allclose(found[0][party], found[1][party], rtol=1e-13, atol=1e-13)


def test_a_repeated_run_is_the_same_bit_for_bit():
    b = batch((BANK, SHOP))
    first, again = (played(Logistic(), [b])[0] for _ in range(2))
    for party in first:
        np.testing.assert_array_equal(first[party], again[party])


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)], ids=["one host", "two hosts"])
def test_what_is_kept_of_a_batch_that_comes_again_changes_nothing(hosts):
    kept, other = batch(hosts, number=0), batch(hosts, seed=2, number=1)
    moved = replace(kept, eta={p: 40.0 * e for p, e in kept.eta.items()})
    small = replace(kept, eta={p: 1e-3 * e for p, e in kept.eta.items()})
    spiky = replace(kept, eta={p: np.eye(1, 300, 9)[0] for p in kept.eta})
    quiet = replace(kept, wants_loss=False)
    batches = [kept, other, moved, kept, spiky, small, quiet, moved, spiky]
    together, _ = played(Logistic(), batches)
    for i, b in enumerate(batches):
        alone, _ = played(Logistic(), [replace(b, number=None)])
        for party in (G, *hosts, JUDGE):
            np.testing.assert_array_equal(together[party][i], alone[party][0])


def test_without_a_loss_the_arbiter_hears_nothing():
    b = batch((BANK, SHOP), wants_loss=False)
    results, sent = played(Gaussian(), [b])
    check(Gaussian(), b, results)
    assert not [line for line in sent if line.dst == JUDGE]


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e5, 3e8])
def test_targets_and_features_of_any_size_are_held(size):
    b = batch((BANK, SHOP), size=1.0 / size)
    b = replace(b, eta={p: size * e for p, e in b.eta.items()}, y=size * b.y)
    results, _ = played(Gaussian(), [b])
    check(Gaussian(), b, results)


def test_large_own_parts_of_the_loss_do_not_wrap():
    b = batch()
    own = {G: 1e9, BANK: -3e7}
    results, _ = played(Logistic(), [b], own)
    assert results[JUDGE][0] == pytest.approx(truth(Logistic(), b)[1] + 1e9 - 3e7, rel=1e-9)


@pytest.mark.parametrize("bad", [np.inf, np.nan, 1e11])
def test_scores_that_run_away_are_refused_and_not_shown(bad):
    b = batch()
    b.eta[BANK][3] = bad
    with pytest.raises(BadData, match="training diverges") as raised:
        played(Gaussian(), [b])
    assert "1e" not in str(raised.value)


def test_features_that_are_not_finite_are_refused():
    b = batch()
    b.x[BANK][3, 1] = np.inf
    with pytest.raises(BadData, match="finite"):
        played(Logistic(), [b])


# What leaves a party.


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)], ids=["one host", "two hosts"])
def test_only_the_loss_goes_to_the_arbiter_and_only_declared_kinds_elsewhere(hosts):
    _, sent = played(Logistic(), [batch(hosts), batch(hosts, seed=2)])
    to_arbiter = [line for line in sent if line.dst == JUDGE]
    assert {line.message for line in to_arbiter} == {Wire.loss.name}
    assert len(to_arbiter) == 2 * (1 + len(hosts))
    assert not [line for line in sent if line.src == JUDGE]
    plain = {line.message for line in sent if line.envelope.kind == "plain"}
    several = {Wire.pad_key.name} if len(hosts) > 1 else set()
    assert plain == {Wire.key.name, Wire.n_columns.name} | several
    kinds = {line.message: line.envelope.kind for line in sent}
    assert kinds[Wire.vectors.name] == "ciphertext"
    assert kinds[Wire.product.name] == kinds[Wire.opened.name] == "masked"
    assert kinds[Wire.loss.name] == "share"


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_scales_do_not_tell_whether_a_batch_has_the_unusual_rows(weighted, masked):
    """Else who knows which rows are in which batch finds those rows; with weights, labels."""
    n, unusual = 300, 7
    whole = batch(n=n)
    for party in whole.eta:
        whole.eta[party][unusual] = 90.0
    weight = np.where(np.arange(n) == unusual, 25.0, 0.5) if weighted else None
    told = []

    def kept(self, ctx, part, vectors, room):
        found = plain(self, ctx, part, vectors, room)
        told.append((ctx.me, {p: (v.bits, v.room) for p, v in found.items()}))
        return found

    plain = exchange_own_keys.OwnKeys._exchanged
    shown = np.arange(150) if masked else None
    batches = [
        replace(whole, weight=weight, rows=rows, shown=shown)
        for rows in (np.r_[unusual, 20:60], np.arange(60, 101))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange_own_keys.OwnKeys, "_exchanged", kept)
        played(Logistic(), batches)
    for party in (G, BANK):
        first, second = (seen for me, seen in told if me == party)
        assert first == second


def uniform(words):
    """Whether the low and the high bits of words look uniform, by chi-square.

    Over 256 values from 2000 words on, mean 255 and standard deviation 22.6; else over 16, mean 15
    and 5.5. A fair source is above the limits less than once in 10^10 runs; a number that is not
    masked has high bits that hardly change.
    """
    bits, limit = (8, 430) if len(words) >= 2000 else (4, 85)
    for shift in (0, 64 - bits):
        digits = (words >> np.uint64(shift)).astype(np.int64) & (2**bits - 1)
        counts, expected = np.bincount(digits, minlength=2**bits), len(words) / 2**bits
        if ((counts - expected) ** 2 / expected).sum() > limit:
            return False
    return True


def test_the_test_of_uniformity_finds_numbers_that_are_not_masked():
    rng = np.random.default_rng(0)
    for count in (60, 2500):
        assert uniform(rng.integers(0, 2**64, count, dtype=np.uint64))
        assert not uniform(scaling.words(rng.normal(size=count), 24))
        assert not uniform(scaling.words(rng.normal(size=count), 20) << np.uint64(40))


@contextmanager
def keeping(method, kept):
    """A patch of a key's method under which what it is given and gives is kept."""
    of = lattice.SecretKey if method == "open" else lattice.PublicKey
    plain = getattr(of, method)

    def call(key, argument, **more):
        found = plain(key, argument, **more)
        kept.append((argument, found))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of, method, call)
        yield


@pytest.mark.parametrize(
    "x",
    [np.zeros((60, 250)), np.full((60, 250), 1e6), np.eye(60, 250)],
    ids=["0", "large", "units"],
)
def test_what_the_guest_opens_is_uniform_whatever_the_host_has(x):
    b = batch(n=60, width=250)
    b.x[BANK] = x
    kept = []
    with keeping("open", kept):
        played(Logistic(), [b] * 10)
    of_host = [words for product, words in kept if product.tile.outputs == 251]
    assert len(of_host) == 10
    assert uniform(np.concatenate(of_host))


def test_shares_of_the_loss_are_uniform_and_only_their_sum_is_the_loss():
    b = batch((BANK, SHOP), n=40)
    results, sent = played(Logistic(), [b] * 48)
    parts = {p: [s.value for s in sent if s.src == p and s.dst == JUDGE] for p in (G, BANK, SHOP)}
    for mine in parts.values():
        assert uniform(np.concatenate([part.word for part in mine]))
    total = sum(mine[0].word for mine in parts.values())
    found = scaling.reals(total, np.array([parts[G][0].bits]))
    assert found[0] == results[JUDGE][0] == pytest.approx(truth(Logistic(), b)[1], rel=1e-6)


def test_with_two_hosts_no_answer_shows_the_product_with_one_partner():
    b = batch((BANK, SHOP), n=40, width=250)
    kept = []
    with keeping("multiply", kept):
        _, sent = played(Logistic(), [b] * 10)
    masks = [mask[:250] for _, (product, mask) in kept if product.tile.outputs == 251]
    answers = [s.value for s in sent if s.message == Wire.opened.name and s.dst == BANK]
    assert len(masks) == len(answers) == 20
    for mask in masks[:2]:
        pairs = [answer - mask for answer in answers[:2]]
        assert all(uniform(pair) for pair in pairs), "less its mask an answer is one product"
    guests = [answer - mask for answer, mask in zip(answers, masks, strict=True)]
    assert uniform(np.concatenate(guests))


# Messages that are not as they should be.


def tampered(message, change, hosts=(BANK,), source=BANK):
    """A run in which one party's messages of a kind are changed on their way out."""
    remote = Ctx.remote

    def remote_changed(ctx, sent, value, **more):
        if sent is message and ctx.me == source:
            value = change(value)
        return remote(ctx, sent, value, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ctx, "remote", remote_changed)
        played(Logistic(), [batch(hosts)])


@pytest.mark.parametrize(
    ("message", "change", "problem"),
    [
        (Wire.n_columns, lambda _: 0, "number of features"),
        (Wire.vectors, lambda v: Vectors(v.sealed * 2, v.bits * 2, v.room), "not 1 vectors"),
        (Wire.vectors, lambda v: Vectors(v.sealed, [23], v.room), "ladder"),
        (Wire.vectors, lambda v: Vectors(v.sealed, v.bits, []), "scales for the loss"),
        (Wire.vectors, lambda v: Vectors(v.sealed, v.bits, [10**6] * 3), "scales for the loss"),
        (Wire.vectors, lambda v: Vectors([7], v.bits, v.room), "Vectors.sealed"),
        (
            Wire.vectors,
            lambda v: Vectors([replace(u, key=bytes(16)) for u in v.sealed], v.bits, v.room),
            "under another key",
        ),
        (Wire.product, lambda found: replace(found, key=bytes(16)), "under another key"),
        (Wire.opened, lambda w: w[:-1], "not 3 numbers"),
        (Wire.loss, lambda part: LossPart(part.word, part.bits + 1), "share"),
    ],
)
def test_messages_of_the_wrong_make_are_refused(message, change, problem):
    with pytest.raises(ProtocolViolation, match=problem):
        tampered(message, change)


def test_a_product_of_another_width_is_refused():
    def widened(product):
        wider = lattice.tile(product.params, product.tile.inner, product.tile.outputs + 1)
        c0 = np.concatenate([product.c0, product.c0[:, :1]], axis=1)
        return SealedProduct(product.params, wider, product.key, c0, product.c1)

    with pytest.raises(ProtocolViolation, match="not 5 numbers"):
        tampered(Wire.product, widened)


def test_a_factor_with_several_hosts_is_refused_by_a_host():
    doubled = lambda v: Vectors(v.sealed * 2, v.bits * 2, v.room)  # noqa: E731
    with pytest.raises(ProtocolViolation, match="not 1 vectors"):
        tampered(Wire.vectors, doubled, (BANK, SHOP), G)


# Whole trainings.


LATTICE = {"encrypt_param": {"method": "Lattice"}}
TRAINERS = {
    "HeteroLR": (HeteroLR, pooled.logistic_regression),
    "HeteroLinR": (HeteroLinR, pooled.linear_regression),
    "HeteroPoisson": (HeteroPoisson, pooled.poisson_regression),
}


def training(module, p, hosts=(BANK,), weight=None, pack=None):
    rng = np.random.default_rng(7)
    x = 0.5 * rng.normal(size=(40, 5))
    score = x @ rng.normal(size=5)
    labels = {
        "HeteroLR": (score + rng.normal(size=40) > 0).astype(int),
        "HeteroLinR": 3.0 * score + 1.0,
        "HeteroPoisson": rng.poisson(np.exp(score)).astype(float),
    }
    component, twin = TRAINERS[module]
    y = labels[module]
    frames = glm_parties.cut(x, hosts, y, weight, pack)
    results, sent = glm_parties.trained(component, p, frames)
    y = np.where(y == 1, 1, -1) if module == "HeteroLR" else y
    more = {} if weight is None else {"weight": weight}
    return results, sent, twin(glm_parties.pooled_columns(x, hosts), y, p, **more)


@pytest.mark.parametrize("module", TRAINERS)
def test_a_training_equals_the_pooled_one(module):
    p = glm_parties.params(TRAINERS[module][0], **LATTICE)
    results, _, (w, losses) = training(module, p)
    # Four steps of 0.2 with gradients off by at most 4 * 2^-25 in the mean.
    np.testing.assert_allclose(glm_parties.joined(results), w, atol=4 * 0.2 * 4 * 2.0**-25)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, atol=1e-6)
    assert "Lattice" in results[G][2].told["security"]
    assert "128-bit" in results[JUDGE][2].told["security"]


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)], ids=["one host", "two hosts"])
@pytest.mark.parametrize("module", ["HeteroLR", "HeteroLinR"])
def test_quasi_newton_training_equals_the_pooled_one(module, hosts):
    sqn = {"update_interval_L": 2, "memory_M": 2}
    given = {"optimizer": "sqn", "max_iter": 9, "sqn_param": sqn}
    p = glm_parties.params(TRAINERS[module][0], **LATTICE, **given)
    results, _, (w, _) = training(module, p, hosts)
    np.testing.assert_allclose(glm_parties.joined(results, hosts), w, atol=1e-5)


@pytest.mark.parametrize("module", TRAINERS)
def test_a_weighted_training_equals_the_pooled_one(module):
    p = glm_parties.params(TRAINERS[module][0], **LATTICE)
    results, _, (w, losses) = training(module, p, weight=np.linspace(0.0, 9.0, 40))
    np.testing.assert_allclose(glm_parties.joined(results), w, atol=4 * 0.2 * 8 * 2.0**-25)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "hosts", "given"),
    [
        ("hetero_lr_own_keys_two_hosts", (BANK, SHOP), {}),
        ("hetero_lr_own_keys_masked", (BANK,), {"batch_size": 20, "masked_rate": 0.5}),
    ],
)
def test_a_training_sends_exactly_the_declared_messages(name, hosts, given, golden):
    _, sent, _ = training("HeteroLR", glm_parties.params(HeteroLR, **LATTICE, **given), hosts)
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value)) for s in sent
    }
    golden(name, sorted(map(list, lines)))


def test_masked_rows_with_several_hosts_are_trained_under_the_arbiters_key(caplog):
    small = {"encrypt_param": {"key_length": 512}}
    p = glm_parties.params(HeteroLR, **small, batch_size=20, masked_rate=0.5)
    results, _, _ = training("HeteroLR", p, (BANK, SHOP))
    assert "Paillier" in results[G][2].told["security"]
    assert "masked_rate 0" in caplog.text


def test_masked_batches_give_the_model_that_paillier_gives():
    given = {"batch_size": 20, "masked_rate": 0.5, "max_iter": 2}
    found = []
    for more in (LATTICE, {}):
        p = glm_parties.params(HeteroLR, **more, **given)
        results, _, _ = training("HeteroLR", p)
        found.append(glm_parties.joined(results))
    np.testing.assert_allclose(found[0], found[1], atol=4 * 0.2 * 8 * 2.0**-25)
