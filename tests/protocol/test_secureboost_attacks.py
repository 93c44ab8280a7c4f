"""Published attacks on vertical boosting: each works on FATE's arrangement, or where we say so, and
falls short of what the options are there to hide. docs/security/secureboost.md."""

from itertools import combinations

import gmpy2
import numpy as np
import pytest

from federatedml import boosting_rounds, boosting_side
from federatedml.component import Ctx
from federatedml.crypto import packed_sums
from federatedml.maths import gradients
from federatedml.maths.candidates import candidates, goes_left
from federatedml.maths.quantiles import binned, cut_points
from federatedml.params import parse
from federatedml.params_shared import EncryptParam
from federatedml.protocols import split_sums
from federation.transport.inproc import run
from tests.protocol.boosting_parties import (
    BANK,
    FAST,
    ONE_HOST,
    G,
    frame,
    given,
    models_of,
    params,
    played,
    together,
)  # fmt: skip
from tests.protocol.boosting_parties import table as several_columns

N = 160
LATTICE, PAILLIER = {}, FAST


def columns(n=N, k=3, seed=0):
    """A host's codes, cuts, and candidates in an order that the guest does not know."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k))
    cuts = cut_points(x, 8)
    codes = binned(x, cuts)
    of = candidates(codes, cuts, use_missing=False)
    return codes, cuts, of.take(rng.permutation(len(of)))


def sides(codes, cuts, of, rows):
    """(m, rows) the truth: which of the rows each candidate sends left."""
    return np.array([goes_left(codes, cuts.n_bins, of, i, rows) for i in range(len(of))])


def asked(stats, codes, cuts, of, nodes, bits=None, encrypt=LATTICE):
    """What the guest's end of the real sums is told: (p, m, s) as real numbers; the words; the
    transcript; the guest's end."""
    param = parse(EncryptParam, encrypt, "test")
    n, s = stats.shape
    draw = np.random.default_rng(5)

    def guest(ctx):
        sums = split_sums.opened_at_guest(ctx, param, n, s, bits)
        words = gradients.rounded(stats, np.arange(n), sums.budget, bits, draw)
        sums.begin(words.words, np.arange(n), ctx.hosts)
        found = sums.ask(nodes)[BANK]
        sums.end()
        return words.real(found), words, sums

    def host(ctx):
        sums = split_sums.opened_at_host(ctx, param, n, s, bits, 1)
        sums.begin(codes, cuts.n_bins, of)
        while sums.answers(len(nodes)):
            pass

    found, transcript = run({G: guest, BANK: host}, Ctx)
    return *found[G], transcript


# Reverse sums: what the guest reads from sums (Weng et al. 2020, arXiv:2011.09290, section 4).

TOP = 8
"""Bits after the point that the attacker leaves to g, so that training goes on."""


def tagged(g, rows, unit):
    """g with other low bits: the i-th of the rows has the i-th of them, all other rows none."""
    found = np.round(g * 2**TOP) / 2**TOP
    found[rows] += unit * 2.0 ** np.arange(len(rows))
    return found


def read(sums, count, unit):
    """(.., count) which of the tagged rows are in a sum."""
    low = np.round(np.asarray(sums, dtype=np.float64) / unit).astype(np.int64)
    return (low[..., None] >> np.arange(count) & 1).astype(bool)


def balanced(found, truth):
    """Of memberships: the mean of the rates at which those that are and are not are recognised.
    Guessing, however cleverly, has 1/2."""
    return (found[truth].mean() + (~found[~truth]).mean()) / 2


def slopes(n=N, seed=1):
    """First derivatives of a logistic loss."""
    rng = np.random.default_rng(seed)
    return 1 / (1 + np.exp(-rng.normal(size=n))) - (rng.random(n) < 0.5)


def test_low_bits_of_fates_sums_name_the_rows_of_every_bin():
    """FATE 1.11: g as multiples of 2^-52, a sum for each bin, bins of a feature in order."""
    codes, cuts, _ = columns()
    unit, group = 2.0**-52, np.arange(40)
    whole = np.round(tagged(slopes(), group, unit) / unit).astype(np.int64)
    for code in codes:
        below = np.array([whole[code <= b].sum() for b in range(cuts.n_bins)])
        in_side = (below[:, None] >> np.arange(len(group)) & 1).astype(bool)
        bins = in_side.argmax(axis=0)
        assert bins.tolist() == code[group].tolist(), "40 rows of 160 in one round, in order"


def test_plain_defaults_let_the_guest_name_as_many_rows_as_fit_in_39_bits():
    """What remains: exact sums of numbers that the guest chooses. It reads 23 rows from each sum,
    but for each candidate in an order drawn for the tree, not bin by bin of a feature."""
    codes, cuts, of = columns()
    rows, unit = np.arange(23), 2.0**-31
    stats = np.stack([tagged(slopes(), rows, unit), np.full(N, 0.25)], axis=1)
    sums, words, _, _ = asked(stats, codes, cuts, of, [np.arange(N)])
    assert words.steps[0] == unit
    found = read(sums[0, :, 0], len(rows), unit)
    assert (found == sides(codes, cuts, of, rows)).all()
    more = np.arange(40)
    stats[:, 0] = tagged(slopes(), more, 2.0**-48)
    sums, _, _, _ = asked(stats, codes, cuts, of, [np.arange(N)])
    found = read(sums[0, :, 0], len(more), 2.0**-48)
    assert not found[:, :16].any(), "what is below the budget is rounded off"


@pytest.mark.parametrize("bits", [4, 8])
def test_rounding_to_few_bits_wipes_the_tags_out(bits):
    codes, cuts, of = columns()
    scores = []
    for first in range(0, N - 20, 20):
        rows = np.arange(first, first + 20)
        truth = sides(codes, cuts, of, rows)
        stats = np.stack([tagged(slopes(), rows, 2.0**-31), np.full(N, 0.25)], axis=1)
        sums, _, _, _ = asked(stats, codes, cuts, of, [np.arange(N)], bits)
        scores.append(balanced(read(sums[0, :, 0], len(rows), 2.0**-31), truth))
    assert np.mean(scores) < 0.55


def test_a_guest_that_gives_up_its_gradients_names_as_many_rows_as_a_number_has_bits():
    """What remains with gradient_bits 8, and with the host's view of the room: 7 rows, not 23."""
    codes, cuts, of = columns()
    rows = np.arange(7)
    stats = np.zeros((N, 2))
    stats[rows, 0] = 2.0 ** np.arange(7)
    stats[-1, 0] = -127.0  # so that a unit is one step
    sums, _, _, transcript = asked(stats, codes, cuts, of, [np.arange(N - 1)], bits=8)
    found = read(sums[0, :, 0], len(rows), 1.0)
    assert (found == sides(codes, cuts, of, rows)).all()
    (key,) = [e.value for e in transcript if e.message == "split_sums.lattice_key"]
    assert key.params.word_bits == 22


def curious(size, bits):
    """A guest that follows the protocol to the letter, and then tries all subsets of a small node's
    rows. (share of memberships that it gets right, the same from the number of rows alone)."""
    codes, cuts, of = columns()
    small = np.arange(30, 30 + size)
    g = np.random.default_rng(3).normal(size=N)
    sums, words, _, _ = asked(
        np.stack([g, np.full(N, 2.0)], axis=1), codes, cuts, of, [small], bits
    )
    units = words.words[small]
    every = np.zeros((1, 2), dtype=np.int64)
    for one in units:
        every = np.concatenate([every, every + one])
    members = np.arange(len(every))[:, None] >> np.arange(size) & 1
    truth, counts = sides(codes, cuts, of, small), np.round(sums[0] / words.steps).astype(np.int64)
    right, guess = [], []
    for stated, is_left in zip(counts, truth, strict=True):
        if 2 <= is_left.sum() <= size - 2:
            chance = members[(every == stated).all(axis=1)].mean(axis=0)
            right.append(((chance > 0.5) == is_left).mean())
            guess.append(max(is_left.mean(), 1 - is_left.mean()))
    assert len(right) > 8
    return np.mean(right), np.mean(guess)


def test_exact_sums_over_few_rows_name_them_without_any_tag():
    right, guess = curious(18, None)
    assert right == 1.0
    assert guess < 0.75


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_rounding_to_few_bits_leaves_too_many_subsets_of_18_rows(bits):
    right, guess = curious(18, bits)
    assert right < guess + 0.1


def test_few_bits_do_not_hide_the_rows_of_a_tiny_node():
    """What remains: 8 rows have 256 subsets. A minimum of rows in a node stands against it."""
    right, guess = curious(8, 8)
    assert right == 1.0
    assert guess < 0.75


# Sums that are not refreshed: who made the ciphertexts divides them out again.


def product(vector, rows):
    found = gmpy2.mpz(1)
    for row in rows:
        found = found * vector.values[row] % vector.key.modulus
    return found


def test_fates_unrefreshed_sums_name_their_rows_and_ours_do_not():
    n = 24
    codes, cuts, of = columns(n)
    stats = np.stack([slopes(n), np.full(n, 0.25)], axis=1)
    _, _, end, transcript = asked(stats, codes, cuts, of, [np.arange(n)], encrypt=PAILLIER)
    (sent,) = next(e.value for e in transcript if e.message == "split_sums.counted_rows").words
    (back,) = next(e.value for e in transcript if e.message == "split_sums.packed_sums")
    modulus = sent.key.modulus
    # FATE: the product of a bin's ciphertexts, as it is. Few rows: the guest tries all pairs.
    in_bin = np.flatnonzero(codes[0] == 1)
    unrefreshed = product(sent, in_bin)
    named = [c for c in combinations(range(n), len(in_bin)) if product(sent, c) == unrefreshed]
    assert named == [tuple(in_bin.tolist())]
    # Ours, with the right guess for all candidates whose sums share a ciphertext.
    per = packed_sums._per_text(sent.key, 2)
    shift = gmpy2.mpz(1) << (2 * packed_sums.SLOT)
    truth = sides(codes, cuts, of, np.arange(n))
    left = []
    for value, at in zip(back.values, range(0, len(of), per), strict=True):
        guess = gmpy2.mpz(1)
        for is_left in truth[at : at + per][::-1]:
            guess = gmpy2.powmod(guess, shift, modulus) * product(sent, np.flatnonzero(is_left))
        left.append(value * gmpy2.invert(guess, modulus) % modulus)
    assert set(end._secret.owner.residues(left)) == {0}, "the guess is right"
    assert gmpy2.mpz(1) not in left
    assert len({*left}) == len(left)


# What hosts see: labels from which rows share nodes (ID2Graph, arXiv:2307.10318; clusters of
# instances, Cheng et al. 2021).


def telling(trees, depth, encrypt, n=300):
    """The guest's columns tell the label, the host's hardly. (labels, groups that the host sees)"""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(n, 9))
    noise = 0.5 * rng.normal(size=n)
    y = (x[:, 0] + x[:, 1] + 0.2 * x[:, 5] + noise > 0).astype(np.int64)
    p = params(num_trees=trees, tree_param={"max_depth": depth}, encrypt_param=encrypt)
    _, transcript = played(p, given(x, y, ONE_HOST), ONE_HOST)
    return y, groups_seen(transcript, BANK, n)


def groups_seen(transcript, host, n):
    """All sets of rows that a host is told to share a node: with Paillier nodes of every level,
    with both schemes its own nodes, and the sides of its splits."""
    found, counted = [], None
    for event in transcript:
        if event.dst == host and event.message == "split_sums.counted_rows":
            counted = event.value.at
        elif event.dst == host and event.message == "split_sums.nodes_asked":
            nodes = range(1, event.value.n_nodes + 1)
            found += [counted[event.value.node == number] for number in nodes]
        elif event.dst == host and event.message == "tree_growth.to_divide":
            rows = event.value.rows.astype(np.int64)
            mine = np.split(rows, np.cumsum(event.value.n_rows)[:-1]) if len(rows) else []
        elif event.src == host and event.message == "tree_growth.goes_left":
            is_left = np.unpackbits(event.value, count=len(rows)).astype(bool)
            found += [*mine, *(part for part in own_sides(mine, is_left))]
    return [np.isin(np.arange(n), rows) for rows in found if len(rows) < n]


def own_sides(mine, is_left):
    at = np.split(is_left, np.cumsum([len(part) for part in mine])[:-1])
    for rows, left in zip(mine, at, strict=True):
        yield from (rows[left], rows[~left])


def extended(groups, y, known=20):
    """Share of labels that a host guesses right which knows a few: of each other row it takes what
    most of those have that share groups with it, a small group counting more."""
    if not groups:
        guess = np.full(len(y), y[:known].mean() > 0.5)
    else:
        seen = np.array(groups, dtype=float).T
        seen /= np.sqrt(seen.mean(axis=0))
        guess = seen @ seen[:known].T @ (2 * y[:known] - 1) > 0
    return (guess == y)[known:].mean()


def test_nodes_of_the_guest_tell_labels_to_a_host_that_sees_them():
    """Paillier and OU: rows of all nodes above the last level. Lattice: rows of its own nodes."""
    y, every = telling(1, 3, PAILLIER)
    _, own = telling(1, 3, LATTICE)
    assert {g.tobytes() for g in own} < {g.tobytes() for g in every}
    assert extended(every, y) > 0.75
    assert extended(own, y) < 0.65


def test_many_nodes_of_its_own_tell_a_host_labels_with_either_scheme():
    """What remains: rows of a host's own nodes have been sorted by the guest's questions above."""
    for encrypt in (LATTICE, PAILLIER):
        y, groups = telling(5, 4, encrypt)
        assert extended(groups, y) > 0.8
        assert extended(groups[:0], y) < 0.6


AROUND = ("agreement", "tree_walk", "hetero_secureboost.uses_eini")
"""What is said before a training, and when its rows are predicted afterwards."""

TO_HOSTS = {
    "hetero_secureboost.outline", "hetero_secureboost.is_converged", "split_sums.lattice_key",
    "split_sums.masked_words", "tree_growth.takes_part", "tree_growth.to_divide",
    "tree_growth.shape",
}  # fmt: skip


def test_with_the_lattice_no_message_names_rows_of_nodes_that_others_split():
    x, score = several_columns(seed=19)
    y = (score > 0).astype(np.int64)
    found, transcript = played(params(), given(x, y, ONE_HOST), ONE_HOST)
    sent = [e for e in transcript if e.dst == BANK and not e.message.startswith(AROUND)]
    assert {e.message for e in sent} == TO_HOSTS
    grown = together(models_of(found), ONE_HOST)
    tree, at = 0, []
    for event in sent:
        if event.message == "tree_growth.to_divide":
            rows = np.split(event.value.rows, np.cumsum(event.value.n_rows))[:-1]
            at += zip(event.value.node.tolist(), rows, strict=True)
        elif event.message == "tree_growth.shape":
            reached = rows_by_node(grown[tree], x)
            mine = np.flatnonzero(grown[tree].feature >= ONE_HOST[BANK][0])
            assert sorted(node for node, _ in at) == mine.tolist()
            for node, rows in at:
                assert rows.tolist() == np.flatnonzero(reached[:, node]).tolist()
            tree, at = tree + 1, []
    assert tree == len(grown) > 1


def rows_by_node(tree, x):
    """(n, m) whether a row comes to a node."""
    found = np.zeros((len(x), len(tree)), dtype=bool)
    found[:, 0] = True
    for node in np.flatnonzero(tree.feature >= 0):
        left = x[:, tree.feature[node]] <= tree.threshold[node]
        found[:, tree.left[node]] = found[:, node] & left
        found[:, tree.right[node]] = found[:, node] & ~left
    return found


# What the guest sees of a host's columns.


def test_candidates_come_in_another_order_for_every_tree(monkeypatch):
    seen = []

    def noted(*given, of=split_sums.lattice_sums.opened):
        seen.append(of(*given))
        return seen[-1]

    monkeypatch.setattr(split_sums.lattice_sums, "opened", noted)
    x, score = several_columns(seed=3)
    p = params(task_type="regression", objective_param={"objective": "lse"})
    _, transcript = played(p, given(x, score, ONE_HOST), ONE_HOST)
    asked_first = [e for e in transcript if e.message == "split_sums.sealed_sums"]
    starts = np.cumsum([0, *(len(e.value) for e in asked_first)])[:-1:3]
    # h is 2 for every row, so its sums at the root are the candidates' counts: the same each tree.
    orders = [seen[start + 1].tolist() for start in starts]
    assert len(orders) == 3
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2])
    assert len({*map(tuple, orders)}) == 3


def test_the_guest_gets_numbers_of_columns_by_usage_alone():
    x, score = several_columns(seed=4)
    y = (score > 0).astype(np.int64)
    found, transcript = played(params(), given(x, y, ONE_HOST), ONE_HOST)
    assert {
        e.message for e in transcript if e.src == BANK and not e.message.startswith(AROUND)
    } == {
        "split_sums.n_candidates", "split_sums.sealed_sums", "tree_growth.goes_left",
        "hetero_secureboost.usage",
    }  # fmt: skip
    theirs = [
        (node, tree)
        for tree in found[G][0].model.param.trees
        for node in tree.tree
        if node.sitename == "host:10000"
    ]
    assert theirs
    for node, tree in theirs:
        assert node.fid == -1
        assert node.id not in tree.split_maskdict


def test_draws_repeat_and_are_not_those_of_the_seed_alone():
    """The guest knows random_seed; which of a host's columns a tree asks it is not to know."""

    def drawn(x):
        p = params(subsample_feature_rate=0.5, random_seed=7)
        own = boosting_side.binned(frame(x), p, "boost_0")
        return [boosting_rounds.subsampled(p, own, number).tolist() for number in range(20)]

    x, _ = several_columns()
    assert drawn(x) == drawn(x.copy())
    assert drawn(x) != drawn(2 * x)


# Sampling by the size of gradients.


def test_with_sampling_fates_hosts_see_hard_rows_again_and_again_and_lattice_hosts_see_none():
    """Rows with large gradients are in every sample, others now and then: in unbalanced data those
    of the rare class. Paillier and OU still show that to hosts."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(300, 9))
    y = (x[:, 0] + 0.7 * rng.normal(size=300) > 1.9).astype(np.int64)
    shown = {}
    for name, encrypt in (("lattice", LATTICE), ("paillier", PAILLIER)):
        p = params(num_trees=8, run_goss=True, tree_param={"max_depth": 2}, encrypt_param=encrypt)
        _, transcript = played(p, given(x, y, ONE_HOST), ONE_HOST)
        samples = [e.value.at for e in transcript if e.message == "split_sums.counted_rows"]
        shown[name] = np.bincount(np.concatenate([[], *samples]).astype(int), minlength=300)
    often = shown["paillier"]
    ranks = (often[y == 1][:, None] > often[y == 0]) + 0.5 * (
        often[y == 1][:, None] == often[y == 0]
    )
    assert ranks.mean() > 0.9, "the area under the curve of guessing the rare class"
    assert not shown["lattice"].any()


@pytest.mark.parametrize("encrypt", [LATTICE, PAILLIER], ids=["lattice", "paillier"])
def test_sampling_stays_exact_after_many_rounds(encrypt, monkeypatch):
    """FATE's factor grows eightfold each round; here sums of round 24 are those of the words."""
    words_seen = []

    def noted(*given, of=gradients.rounded):
        words_seen.append(of(*given))
        return words_seen[-1]

    monkeypatch.setattr(gradients, "rounded", noted)
    x, score = several_columns(n=200, seed=11)
    y = (score > 0).astype(np.int64)
    p = params(
        run_goss=True, num_trees=24, learning_rate=0.2, tol=0, tree_param={"max_depth": 2},
        encrypt_param=encrypt,
    )  # fmt: skip
    found, transcript = played(p, given(x, y, ONE_HOST), ONE_HOST)
    late = [e for e in transcript if e.message == "tree_growth.goes_left"]
    assert len(words_seen) == 24
    # Every split of a host's is checked against its sums to the last unit (``tree_growth``).
    assert len(late) > 10
    assert {n.sitename for t in found[G][0].model.param.trees[20:] for n in t.tree} > {"guest:9999"}
    first, last = words_seen[0].steps, words_seen[-1].steps
    assert (last <= first).all(), "gradients shrink, and so do the steps"
