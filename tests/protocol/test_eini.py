"""EINI: the scores of the pooled trees in one round, and nobody sees a leaf."""

import functools
import math
from dataclasses import replace

import numpy as np
import pytest

from federatedml.crypto import ou, paillier
from federatedml.crypto.bigcipher import CipherVector
from federatedml.crypto.errors import KeyTooShort
from federatedml.errors import BadModel
from federatedml.params_shared import EncryptParam
from federatedml.protocols import eini
from federatedml.protocols.eini import Setup, Wire, answer_at_host, scores_at_guest
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests.protocol.shared_trees import BANK, MILL, SHOP, G, world

HOSTS = {"one host": (BANK,), "two hosts": (BANK, SHOP), "three hosts": (BANK, SHOP, MILL)}
RATE, SMALL = 0.3, EncryptParam(method="Paillier", key_length=256)
TREE = {"n": 20, "n_trees": 3, "depth": 3}


@pytest.fixture(autouse=True)
def kept_key(monkeypatch):
    """One small Paillier key for all tests; gives a list of it."""
    made = {}

    def keygen(key_bits):
        if key_bits not in made:
            made[key_bits] = MAKE(key_bits)
        return made[key_bits]

    monkeypatch.setattr(paillier, "keygen", keygen)
    return made


MAKE = paillier.keygen


def predicted(w, n_classes=1, guest=scores_at_guest, host=answer_at_host, param=SMALL, **more):
    """(scores, transcript)."""
    options = {"mask": False, "check_complexity": False} | more
    init = np.linspace(-0.5, 0.7, n_classes)

    def at_guest(ctx):
        of = np.arange(len(w.pooled)) % n_classes
        return guest(
            ctx, w.shared[G], of, w.x[G], RATE, init, param, n_outputs=n_classes, **options
        )

    def at_host(party):
        return lambda ctx: host(ctx, w.shared[party], w.x[party])

    parties = {p: at_guest if p == G else at_host(p) for p in w.x}
    results, transcript = run(parties, timeout_s=20)
    return results[G], transcript


def pooled(w, n_classes=1):
    scores = np.tile(np.linspace(-0.5, 0.7, n_classes), (w.n_rows, 1))
    for t, (tree, leaves) in enumerate(zip(w.pooled, w.leaves().T, strict=True)):
        added = RATE * tree.weight[leaves]
        if added.shape[1] > 1:
            scores += added
        else:
            scores[:, t % n_classes] += added[:, 0]
    return scores


def sent(transcript, message):
    return [line for line in transcript if line.message == message.name]


@pytest.mark.parametrize("hosts", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_pooled_trees(hosts, seed):
    w = world(hosts, seed=seed, **TREE)
    scores, _ = predicted(w)
    assert scores.shape == (20, 1)
    assert np.allclose(scores, pooled(w), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_trees_of_one_class_each_add_to_their_own_score(n_classes):
    w = world((BANK, SHOP), n=12, n_trees=2 * n_classes, depth=2)
    scores, _ = predicted(w, n_classes)
    assert np.allclose(scores, pooled(w, n_classes), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("mask", [False, True])
def test_leaves_with_a_weight_for_every_class_travel_packed(n_classes, mask):
    w = world((BANK, SHOP), n=9, n_trees=2, depth=2, n_outputs=n_classes)
    scores, _ = predicted(w, n_classes, mask=mask)
    factor = scores[0, 0] / pooled(w, n_classes)[0, 0]
    assert 1 <= factor < 2 if mask else factor == pytest.approx(1, abs=1e-9)
    assert np.allclose(scores, factor * pooled(w, n_classes), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_any_number_of_rows_is_predicted(n):
    w = world((BANK, SHOP), n=n, n_trees=2, depth=2)
    scores, _ = predicted(w)
    assert scores.shape == (n, 1)
    assert np.allclose(scores, pooled(w), rtol=0, atol=1e-9)


def test_sparse_rows_are_predicted_like_dense_ones():
    w = world((BANK, SHOP), **TREE)
    scores, _ = predicted(w.as_csr())
    assert np.allclose(scores, pooled(w), rtol=0, atol=1e-9)


def test_batches_give_what_one_message_gives(monkeypatch):
    w = world((BANK, SHOP), **TREE)
    monkeypatch.setattr(eini, "CELLS", 60)
    scores, transcript = predicted(w)
    assert np.allclose(scores, pooled(w), rtol=0, atol=1e-9)
    assert len(sent(transcript, Wire.scores)) > 2


def test_ou_is_used_where_it_is_asked_for():
    w = world(n=5, n_trees=2, depth=2)
    scores, transcript = predicted(w, param=EncryptParam(method="OU", key_length=1024))
    assert np.allclose(scores, pooled(w), rtol=0, atol=1e-9)
    assert sent(transcript, Wire.setup)[0].value.key.scheme == ou.SCHEME


@pytest.mark.parametrize("mask", [False, True])
def test_a_key_without_room_is_refused_and_the_length_it_names_is_enough(mask):
    w = world(n=3, n_trees=1, depth=1, owners=lambda d: (BANK,))

    def tried(bits):
        return predicted(w, mask=mask, param=EncryptParam(method="OU", key_length=bits))

    with pytest.raises(KeyTooShort) as caught:
        tried(384)
    least = int(str(caught.value).split(" or more")[0].split()[-1])
    assert len(tried(least)[0]) == 3
    with pytest.raises(KeyTooShort):
        tried(least - 3)


def test_the_shortest_key_of_paillier_has_room():
    w = world(n=3, n_trees=2, depth=2)
    scores, _ = predicted(w, param=EncryptParam(method="Paillier", key_length=128), mask=True)
    factor = scores[0] / pooled(w)[0]
    assert np.allclose(scores, factor * pooled(w), rtol=0, atol=1e-9)


def test_one_round_is_enough_for_any_depth():
    w = world((BANK, SHOP), n=6, n_trees=2, depth=5)
    _, transcript = predicted(w)
    assert [(line.src, line.dst) for line in transcript if line.message != Wire.setup.name] == [
        (G, BANK),
        (BANK, SHOP),
        (SHOP, G),
    ]


def test_leaves_that_no_host_tells_apart_are_one_entry():
    w = world(n=4, n_trees=2, depth=4, owners=lambda d: (BANK,) if d < 2 else (G,), stop=0.0)
    _, transcript = predicted(w)
    (line,) = sent(transcript, Wire.entries)
    assert len(line.value) == 4 * (1 + 2 * 4)


def test_leaves_that_no_host_asks_about_are_all_in_one_entry():
    w = world((BANK, SHOP), n=4, n_trees=8, depth=1)
    asking = [shared.sites[0].partition(":")[0] for shared in w.shared[G]]
    assert 0 < asking.count("host") < 8
    _, transcript = predicted(w)
    sizes = [len(line.value) for line in sent(transcript, Wire.entries)]
    at_shop = sum(shared.sites[0] == "host:10001" for shared in w.shared[G])
    assert sizes == [4 * (1 + 2 * asking.count("host")), 4 * (1 + 2 * at_shop)]


def test_a_host_adds_up_what_the_next_one_treats_alike():
    w = world(
        (BANK, SHOP),
        n=4,
        n_trees=2,
        depth=4,
        owners=lambda d: (SHOP,) if d < 2 else (BANK,),
        stop=0.0,
    )
    _, transcript = predicted(w)
    sizes = {line.src: len(line.value) for line in sent(transcript, Wire.entries)}
    assert sizes == {G: 4 * (1 + 2 * 16), BANK: 4 * (1 + 2 * 4)}


@pytest.mark.parametrize("owner", ["nobody", "guest"])
def test_where_no_host_asks_the_guest_predicts_alone(owner):
    depth = 0 if owner == "nobody" else 3
    w = world((BANK, SHOP), n=30, n_trees=4, depth=depth, owners=lambda d: (G,))
    scores, transcript = predicted(w, 2, mask=True, check_complexity=True)
    assert np.allclose(scores, pooled(w, 2), rtol=0, atol=1e-12)
    assert transcript == []


def test_no_trees_at_all_give_the_start():
    w = world(n=3, n_trees=0)
    assert predicted(w)[0].tolist() == [[-0.5]] * 3


def test_hosts_that_ask_nothing_are_not_bothered():
    w = world((BANK, SHOP, MILL), n=6, n_trees=2, depth=3, owners=lambda d: (G, SHOP))
    scores, transcript = predicted(w)
    assert np.allclose(scores, pooled(w), rtol=0, atol=1e-9)
    assert {line.dst for line in transcript} == {SHOP, G}


def test_trees_of_hosts_alone_are_predicted():
    w = world((BANK, SHOP), n=10, n_trees=3, depth=3, owners=lambda d: (BANK, SHOP))
    assert np.allclose(predicted(w)[0], pooled(w), rtol=0, atol=1e-9)


@pytest.mark.parametrize("hosts", HOSTS.values(), ids=HOSTS)
def test_a_mask_changes_scores_but_no_order_and_no_tie(hosts):
    w = world(hosts, n=60, n_trees=3, depth=2, seed=4)
    scores, _ = predicted(w, mask=True)
    true = pooled(w)[:, 0]
    factor = scores[:, 0] / true
    assert np.allclose(factor, factor[0], rtol=1e-9)
    assert 1 <= factor[0] < 2
    assert np.array_equal(
        np.unique(scores[:, 0], return_inverse=True)[1],
        np.unique(true.round(10), return_inverse=True)[1],
    )
    assert len(np.unique(scores)) < 60, "no ties, nothing was tried"


def test_the_factor_is_drawn_afresh_for_every_prediction():
    w = world(n=2, n_trees=2, depth=2)
    found = sorted(float(predicted(w, mask=True)[0][0, 0] / pooled(w)[0, 0]) for _ in range(3))
    assert np.diff(found).min() > 1e-6


def test_masked_scores_have_no_common_divisor(kept_key):
    w = world(n=30, n_trees=3, depth=2, seed=4)
    _, transcript = predicted(w, mask=True)
    (line,) = sent(transcript, Wire.scores)
    secret = kept_key[256][1]
    whole = [v for text in secret.decrypt_whole(line.value) for v in halves(text)]
    assert math.gcd(*whole[:30]) < 1 << 16


def halves(text):
    """The two numbers of 115 bits in a plaintext of 256."""
    low = (text + (1 << 114)) % (1 << 115) - (1 << 114)
    return [low, (text - low) >> 115]


def test_two_tables_of_the_same_rows_share_no_ciphertext():
    w = world((BANK, SHOP), n=6, n_trees=2, depth=2)
    seen = [
        {
            int(v)
            for line in transcript
            if isinstance(line.value, CipherVector)
            for v in line.value.values
        }
        for transcript in (predicted(w)[1], predicted(w)[1])
    ]
    assert (
        len(seen[0])
        == len(seen[1])
        == sum(len(line.value) for line in predicted(w)[1] if isinstance(line.value, CipherVector))
    )
    assert not seen[0] & seen[1]


def test_rows_that_are_alike_are_not_seen_to_be():
    w = world(n=8, n_trees=2, depth=2).of(np.zeros(8, dtype=int))
    _, transcript = predicted(w)
    values = [v for line in sent(transcript, Wire.entries) for v in line.value.values]
    assert len(set(values)) == len(values)


def test_what_a_host_passes_on_is_no_product_of_what_it_got():
    w = world((BANK, SHOP), n=3, n_trees=1, depth=2, owners=lambda d: ((BANK,), (SHOP,))[d])
    _, transcript = predicted(w)
    got, passed = (line.value for line in sent(transcript, Wire.entries))
    known = {1} | set(got.values)
    for a in got.values:
        known |= {a * b % got.key.modulus for b in got.values}
    assert not known & set(passed.values)


def test_what_the_guest_gets_is_no_product_of_what_it_sent():
    w = world(n=1, n_trees=1, depth=2, owners=lambda d: (BANK,), stop=0.0)
    _, transcript = predicted(w)
    (mine,), (back,) = sent(transcript, Wire.entries), sent(transcript, Wire.scores)
    products = {1}
    for c in mine.value.values:
        products |= {p * c % mine.value.key.modulus for p in products}
    assert len(products) == 2 ** len(mine.value)
    assert not products & set(back.value.values)


def test_few_sums_are_refused_where_that_is_asked_for():
    w = world(n=5, n_trees=4, depth=2)
    with pytest.raises(BadModel, match=r"5 of 5 rows .*1e\+09 sums.*more or deeper trees"):
        predicted(w, check_complexity=True)


def test_many_sums_are_not_refused():
    w = world(n=3, n_trees=16, depth=2, owners=lambda d: (BANK,), stop=0.0)  # 4^16 > 1e9
    assert np.allclose(predicted(w, check_complexity=True)[0], pooled(w), rtol=0, atol=1e-9)


def test_scores_that_are_too_large_to_encrypt_are_refused():
    w = world(n=3, n_trees=1, depth=1, owners=lambda d: (BANK,))
    tree = w.shared[G][0]
    huge = replace(tree, tree=replace(tree.tree, weight=np.array([[0.0], [2.0**33], [0.0]])))
    with pytest.raises(BadModel, match=r"2\^31"):
        predicted(replace(w, shared={**w.shared, G: [huge]}))


def forged(w, sender, message, change):
    """One party sends change(value) in place of its first message of a kind."""

    def lying(function):
        def called(ctx, *args, **kwargs):
            def remote(which, value, **to):
                return original(which, change(value) if which is message else value, **to)

            original, ctx.remote = ctx.remote, remote
            return function(ctx, *args, **kwargs)

        return called

    if sender == G:
        return predicted(w, guest=lying(scores_at_guest))
    return predicted(
        w,
        host=lambda ctx, *a: (lying if ctx.me == sender else lambda f: f)(answer_at_host)(ctx, *a),
    )


def but(**changes):
    return lambda setup: Setup(
        **{f: changes.get(f, getattr(setup, f)) for f in setup.__struct_fields__}
    )


BAD_SETUPS = {
    "another model": ({"model": b"x"}, "other trees"),
    "no key": ({"key": 5}, "key: .* is not what it holds"),
    "no mask": ({"is_masked": 1}, "is_masked: .* is not what it holds"),
    "no rows": ({"batch": 0}, "no number of scores and rows"),
    "a part of a row": ({"batch": 0.5}, "batch: .* is not what it holds"),
    "no scores": ({"n_scores": 0}, "no number of scores and rows"),
    "a score too many": ({"scores": np.ones(3, np.int32)}, "not one of 1 scores for each of 3"),
    "a tree too few": ({"scores": np.zeros(2, np.int32)}, "not one of 1 scores for each of 3"),
    "another dtype": ({"scores": np.zeros(3)}, "scores: .* is not what it holds"),
    "a list": ({"scores": [0, 0, 0]}, "scores: .* is not what it holds"),
}


@pytest.mark.parametrize(("changes", "said"), BAD_SETUPS.values(), ids=BAD_SETUPS)
def test_a_host_refuses_a_setup_that_is_not_in_order(changes, said):
    w = world(**TREE)
    with pytest.raises(ProtocolViolation, match=f"guest 9999 .*eini.setup.*{said}"):
        forged(w, G, Wire.setup, but(**changes))


def under_another_key(c):
    other, _ = paillier.keygen(264)
    return replace(c, key=other)


BAD_VECTORS = {
    "too few": (lambda c: c[:-1], "ciphertexts in place of"),
    "another key": (under_another_key, "encrypted under another key"),
    "another bound": (lambda c: replace(c, bits=c.bits - 1), "not whole numbers of"),
    "a scale": (lambda c: replace(c, scale_bits=1), "not whole numbers of"),
    "blinded": (lambda c: replace(c, bits=None), "not whole numbers of"),
}


@pytest.mark.parametrize(("change", "said"), BAD_VECTORS.values(), ids=BAD_VECTORS)
@pytest.mark.parametrize(
    ("sender", "message"), [(G, Wire.entries), (BANK, Wire.entries), (SHOP, Wire.scores)], ids=str
)
def test_everybody_refuses_ciphertexts_that_are_not_in_order(sender, message, change, said):
    w = world((BANK, SHOP), **TREE)
    with pytest.raises(ProtocolViolation, match=f"^{sender} broke .*{message.name}.*{said}"):
        forged(w, sender, message, change)


def test_the_guest_refuses_plaintexts_that_no_scores_have():
    w = world(n=1, n_trees=1, depth=1, owners=lambda d: (BANK,))

    def beyond(c):
        return c.key.encrypt_whole([1 << (c.bits - 1)] * len(c), bits=c.bits)

    with pytest.raises(ProtocolViolation, match=r"host 10000 .*eini.scores.*beyond the range"):
        forged(w, BANK, Wire.scores, beyond)


@pytest.mark.slow
def test_breast_with_a_key_of_1024_bits():
    w = world(n=569, n_trees=3, depth=3, stop=0.0, width=15)
    scores, _ = predicted(w, param=EncryptParam(method="Paillier", key_length=1024))
    assert np.allclose(scores, pooled(w), rtol=0, atol=1e-9)


def test_a_key_shorter_than_the_host_asks_for_is_refused():
    asked = functools.partial(answer_at_host, least_bits=4096)
    with pytest.raises(ProtocolViolation, match="encrypt_param asks here for 4096"):
        predicted(world((BANK,), **TREE), host=asked)
