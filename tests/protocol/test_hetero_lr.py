"""HeteroLR: equal to pooled training, nothing undeclared, nothing in the clear."""

import json

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from federatedml.component import Ctx
from federatedml.components.hetero_lr import HeteroLR, HeteroLRModel
from federatedml.crypto.paillier import CipherVector, PublicKey
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.hetero_glm import Wire
from federatedml.params import parse
from federatedml.protocols.exchange_arbiter_key import Wire as Sealed
from federation import ARBITER, GUEST, HOST, Party, codec
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests import pooled

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
JUDGE = Party(ARBITER, "10000")
N, CUTS = 40, {G: (0, 2), BANK: (2, 4), SHOP: (4, 5)}


def data(n_classes=2):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(N, 5))
    score = x @ rng.normal(size=5) + rng.normal(size=N)
    return x, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def frame(x, label=None, weight=None):
    k = x.shape[1]
    return Frame(
        pa.array([f"id{i}" for i in range(x.shape[0])]),
        x,
        FrameSchema(
            header=[f"x{i}" for i in range(k)], label_name="y" if label is not None else None
        ),
        label=label,
        weight=weight,
    )


def params(**given):
    exact = {
        "floating_point_precision": 50,
        "encrypt_param": {"method": "Paillier", "key_length": 512},
    }
    base = {
        "max_iter": 4,
        "learning_rate": 0.2,
        "alpha": 0.05,
        "init_param": {"init_method": "zeros"},
    }
    return parse(HeteroLR.Params, {**exact, **base, **given}, "HeteroLR#hetero_lr_0")


def trained(p, hosts=(BANK,), *, label=None, weight=None, starts=None, validate=False, pack=None):
    """Models, predictions and reports of every party, and the transcript."""
    x, y = data()
    label = y if label is None else label
    pack = pack or (lambda part: part)
    starts = starts or {}

    def rows(party, given=None):
        low, high = CUTS[party]
        if party != G:
            return frame(pack(x[:, low:high]))
        return frame(pack(x[:, low:high]), label, weight)

    def party(me):
        def play(ctx):
            lr = HeteroLR(p)
            train = None if me == JUDGE else rows(me)
            fit = lr.stage("fit", me.role)
            model = fit(ctx, train, train if validate else None, starts.get(me))
            predict = lr.stage("predict", me.role)
            return model, predict and predict(ctx, model, train), ctx.report

        return play

    return run({me: party(me) for me in (G, *hosts, JUDGE)}, Ctx)


def joined(results, hosts=(BANK,)):
    """All weights in the order of the pooled columns, the intercept last."""
    parts = [results[p][0].param for p in (G, *hosts)]
    values = [v for part in parts for v in part.weight.values()]
    return np.array([*values, parts[0].intercept])


def twin(p, hosts=(BANK,), label=None, **more):
    x, y = data()
    x = np.column_stack([x[:, : CUTS[hosts[-1]][1]], np.ones(N)])
    return pooled.logistic_regression(
        x, np.where((y if label is None else label) == 1, 1, -1), p, **more
    )


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)], ids=["one_host", "two_hosts"])
@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": "sgd"},
        {"optimizer": "rmsprop"},
        {"optimizer": "adam", "penalty": "l1"},
        {"optimizer": "adagrad", "decay": 0.5, "decay_sqrt": False},
        {"optimizer": "nesterov_momentum_sgd", "penalty": None},
        {"optimizer": "sqn", "max_iter": 9, "sqn_param": {"update_interval_L": 2, "memory_M": 2}},
    ],
    ids=lambda given: given["optimizer"],
)
def test_federated_training_equals_pooled_training(given, hosts):
    p = params(tol=0, **given)
    results, _ = trained(p, hosts)
    w, losses = twin(p, hosts)
    np.testing.assert_allclose(joined(results, hosts), w, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, rtol=1e-9)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"optimizer": "sqn", "sqn_param": {"update_interval_L": 1, "memory_M": 2}},
        {"batch_size": 25, "shuffle": False, "masked_rate": 0.4},
        {"batch_size": 15, "masked_rate": 0.0},
    ],
    ids=["whole", "sqn", "masked", "shuffled"],
)
def test_with_the_method_left_open_lattices_give_the_same_model(given):
    sealed, _ = trained(params(tol=0, **given))
    results, _ = trained(params(tol=0, encrypt_param={}, **given))
    np.testing.assert_allclose(joined(results), joined(sealed), rtol=1e-6, atol=1e-7)
    losses = [r[JUDGE][0].param.loss_history for r in (results, sealed)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    assert results[JUDGE][2].told["security"].startswith("Lattice")


def test_okamoto_uchiyama_gives_the_same_model():
    sealed = {"method": "OU", "key_length": 1024}
    given = {"optimizer": "sgd", "batch_size": 25, "shuffle": False, "tol": 0}
    one, _ = trained(params(encrypt_param=sealed, **given), (BANK, SHOP))
    other, _ = trained(params(**given), (BANK, SHOP))
    np.testing.assert_allclose(joined(one, (BANK, SHOP)), joined(other, (BANK, SHOP)), rtol=1e-7)
    assert one[BANK][2].told["security"].startswith("OU, 1024-bit key")


def test_the_default_precision_is_good_for_six_digits():
    p = params(optimizer="sgd", tol=0, floating_point_precision=23)
    w, _ = twin(p)
    np.testing.assert_allclose(joined(trained(p)[0]), w, rtol=1e-6, atol=1e-8)


def test_sample_weights_count_rows_and_are_rescaled():
    weight = np.linspace(0.0, 9.0, N)
    p = params(optimizer="sgd", tol=0)
    results, _ = trained(p, (BANK, SHOP), weight=weight)
    w, losses = twin(p, (BANK, SHOP), weight=weight)
    np.testing.assert_allclose(joined(results, (BANK, SHOP)), w, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, rtol=1e-8)


def test_sparse_features_give_the_same_model():
    p = params(optimizer="sgd")
    dense, _ = trained(p)
    thin, _ = trained(p, pack=sparse.csr_matrix)
    np.testing.assert_allclose(joined(thin), joined(dense), rtol=1e-12)


@pytest.mark.parametrize("rule", ["diff", "abs", "weight_diff"])
def test_training_stops_where_pooled_training_stops(rule):
    tol = {"diff": 0.02, "abs": 0.62, "weight_diff": 0.06}[rule]
    p = params(optimizer="sgd", early_stop=rule, tol=tol, max_iter=12, alpha=0.0)
    results, _ = trained(p, (BANK, SHOP))
    _, losses = twin(p, (BANK, SHOP))
    assert 1 < len(losses) < 12
    for party in results:
        assert results[party][0].param.iters == len(losses)
        assert results[party][0].param.is_converged


def test_l1_does_not_zero_all_weights_in_the_first_step():
    p = params(optimizer="sgd", penalty="L1", alpha=0.01, max_iter=1)
    assert np.abs(joined(trained(p)[0])[:-1]).min() > 0


def test_masked_batches_change_nothing_but_what_hosts_see():
    given = {"optimizer": "sgd", "batch_size": 25, "shuffle": False, "tol": 0}
    masked, transcript = trained(params(**given, masked_rate=0.4))
    plain, _ = trained(params(**given, masked_rate=0))
    np.testing.assert_allclose(joined(masked), joined(plain), rtol=1e-9)
    shown = [s.value for s in transcript if s.message == Wire.rows.name]
    assert {len(rows) for rows in shown} == {35}
    assert len(shown) == 8
    assert not all(np.array_equal(rows, shown[0]) for rows in shown[::2])


@pytest.mark.parametrize("strategy", ["full", "random"])
def test_shuffled_batches_train(strategy):
    p = params(optimizer="sgd", batch_size=15, batch_strategy=strategy, tol=0)
    results, transcript = trained(p, (BANK, SHOP))
    per_iteration = {"full": 3, "random": 1}[strategy]
    sent = [s for s in transcript if s.message == Wire.rows.name and s.dst == BANK]
    assert len(sent) == 4 * per_iteration
    losses = results[JUDGE][0].param.loss_history
    assert losses[-1] < losses[0]


def test_two_runs_give_the_same_model_bit_for_bit():
    p = params(batch_size=15, masked_rate=0.5, floating_point_precision=23, tol=0)
    one, other = (trained(p, (BANK, SHOP))[0] for _ in range(2))
    assert [one[party][0] for party in one] == [other[party][0] for party in one]


def test_a_warm_start_goes_on_where_training_stopped():
    whole, _ = trained(params(optimizer="sgd", max_iter=4, tol=0))
    half, _ = trained(params(optimizer="sgd", max_iter=2, tol=0))
    starts = {party: result[0] for party, result in half.items()}
    rest, _ = trained(params(optimizer="sgd", max_iter=4, tol=0), starts=starts)
    np.testing.assert_allclose(joined(rest), joined(whole), rtol=1e-9)
    assert rest[JUDGE][0].param.loss_history == pytest.approx(whole[JUDGE][0].param.loss_history)
    assert rest[G][2].metrics["train", "init_iter"][1] == [("init_iter", 2)]


@pytest.mark.parametrize("names", [None, ["apple", "berry", "cedar"]], ids=["integers", "words"])
def test_more_classes_are_one_model_each(names):
    _, y = data(3)
    label = y if names is None else pa.array([names[c] for c in y])
    p = params(optimizer="sgd", tol=0)
    results, _ = trained(p, label=label)
    model, said, report = results[G]
    for c, part in enumerate(model.parts):
        w, _ = twin(p, label=y == c)
        np.testing.assert_allclose([*part.weight.values(), part.intercept], w[[0, 1, 4]], rtol=1e-6)
    assert said.classes == (names or [0, 1, 2])
    assert said.detail.shape == (N, 3)
    assert set(report.told) == {*(str(c) for c in said.classes), "security"}
    assert results[JUDGE][2].metrics == {}


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)], ids=["one_host", "two_hosts"])
def test_predictions_are_those_of_the_pooled_model(hosts):
    p = params(optimizer="sgd")
    results, _ = trained(p, hosts)
    x, _ = data()
    score = np.column_stack([x[:, : CUTS[hosts[-1]][1]], np.ones(N)]) @ joined(results, hosts)
    np.testing.assert_allclose(results[G][1].score, 1 / (1 + np.exp(-score)), atol=1e-9)
    assert results[BANK][1] is None


def test_two_labels_of_any_kind_are_learnt_and_kept_in_the_model():
    label = pa.array(["no" if v == 0 else "yes" for v in data()[1]])
    results, _ = trained(params(optimizer="sgd"), label=label)
    model, said, _ = results[G]
    assert said.classes == ["no", "yes"] == model.param.classes
    np.testing.assert_allclose(joined(results), joined(trained(params(optimizer="sgd"))[0]))


def test_early_stopping_keeps_the_best_model():
    p = params(
        optimizer="sgd",
        tol=0,
        max_iter=6,
        callback_param={
            "callbacks": ["EarlyStopping"],
            "validation_freqs": 1,
            "early_stopping_rounds": 1,
            "metrics": ["auc"],
        },
    )
    results, _ = trained(p, validate=True)
    best = {r[0].param.best_iteration for r in results.values()}
    assert len(best) == 1
    assert best.pop() >= 0
    assert "validation_metrics" in results[G][2].told


# What leaves a party.


@pytest.fixture(scope="module")
def two_hosts():
    p = params(max_iter=2, batch_size=20, shuffle=False, early_stop="weight_diff", tol=0)
    return trained(p, (BANK, SHOP))


def test_parties_exchange_exactly_the_declared_messages(two_hosts, golden):
    _, transcript = two_hosts
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("hetero_lr_two_hosts", sorted(map(list, lines)))


def test_plain_numbers_leave_only_where_declared(two_hosts):
    _, transcript = two_hosts
    for line in transcript:
        if line.envelope.kind == "ciphertext":
            assert isinstance(line.value, CipherVector)
        if isinstance(line.value, np.ndarray) and line.value.dtype == np.float64:
            assert line.message in {Wire.only_score.name, Wire.direction.name}


def test_the_arbiter_is_sent_no_gradient_it_could_read(two_hosts):
    """What it decrypts is uniform below n: of 512 bits, where a gradient would need 140."""
    _, transcript = two_hosts
    opened = [v for s in transcript if s.message == Sealed.opened.name for v in s.value]
    assert min(v.bit_length() for v in opened) > 480
    assert len(set(opened)) == len(opened)


def test_a_host_cannot_strip_its_own_ciphertexts_from_the_residual(two_hosts):
    """Dividing out what it sent must not leave (1 + n)^m, which anyone can read without a key."""
    _, transcript = two_hosts
    key = next(s.value for s in transcript if s.message == Sealed.key.name)
    sent = {
        party: next(
            s.value for s in transcript if s.message == Sealed.score.name and s.src == party
        )
        for party in (BANK, SHOP)
    }
    residual = next(s.value for s in transcript if s.message == Sealed.residual.name)

    def readable(c):
        return (c - 1) % key.n == 0

    both = key.add(sent[BANK], sent[SHOP])
    rest = key.sub(residual, CipherVector(key, both.values, residual.scale_bits, 80))
    assert not any(readable(c) for c in rest.values)
    # the same attack on a residual that was not refreshed reads every row's label
    bare = [c * (1 + 5 * key.n) % key.modulus for c in both.values]
    stripped = key.sub(CipherVector(key, bare, 48, 80), CipherVector(key, both.values, 48, 80))
    assert all(readable(c) for c in stripped.values)


def test_the_range_of_a_ciphertext_says_nothing_of_the_features(two_hosts):
    _, transcript = two_hosts
    for name in (Sealed.loss_share.name, Sealed.loss.name, Sealed.score.name):
        stated = {(s.value.scale_bits, s.value.bits) for s in transcript if s.message == name}
        assert len(stated) == 1


def test_of_two_hosts_the_guest_can_read_only_the_sum(two_hosts):
    results, transcript = two_hosts
    x, _ = data()
    low, high = CUTS[BANK]
    score = x[:, low:high] @ np.array(list(results[BANK][0].param.weight.values()))
    sent = next(
        s.value for s in transcript if s.message == Wire.masked_score.name and s.src == BANK
    )
    as_numbers = np.ldexp(sent.view(np.int64).astype(float), -36).ravel()
    assert abs(np.corrcoef(as_numbers, score)[0, 1]) < 0.6
    assert np.abs(as_numbers).max() > 2**20


# The model and its neighbours.


def test_the_model_has_the_shape_that_fate_shows():
    results, _ = trained(params(optimizer="sgd", max_iter=1))
    shown = {str(p): msgspec.to_builtins(r[0]) for p, r in results.items()}
    guest, host, arbiter = shown[str(G)], shown[str(BANK)], shown[str(JUDGE)]
    assert set(guest["param"]) == {
        "bestIteration", "encryptedWeight", "header", "intercept", "isConverged", "iters",
        "lossHistory", "needOneVsRest", "weight",
    }  # fmt: skip
    assert guest["meta"] == {
        "alpha": 0.05, "batchSize": "-1", "earlyStop": "diff", "fitIntercept": True,
        "learningRate": 0.2, "maxIter": "1", "module": "", "needOneVsRest": False,
        "optimizer": "sgd", "partyWeight": 0.0, "penalty": "L2", "reEncryptBatches": "0",
        "revealStrategy": "", "tol": 0.0001,
    }  # fmt: skip
    assert host["meta"]["fitIntercept"] is False
    assert host["param"]["intercept"] == 0.0
    assert arbiter["param"]["header"] == []
    assert len(arbiter["param"]["lossHistory"]) == 1


def test_a_model_survives_its_json():
    _, y = data(3)
    for label in (None, y):
        model = trained(params(optimizer="sgd", max_iter=1), label=label)[0][G][0]
        text = json.dumps(msgspec.to_builtins(model))
        assert msgspec.convert(json.loads(text), HeteroLRModel) == model


def test_the_loss_is_shown_as_fate_shows_it():
    report = trained(params(optimizer="sgd"))[0][JUDGE][2]
    kind, points, meta = report.metrics["train", "loss"]
    assert kind == "LOSS"
    assert points[0] == (0, pytest.approx(np.log(2)))
    assert meta == {"unit_name": "iters", "curve_name": "loss"}
    assert set(report.told) == {
        "best_iter_loss", "best_iteration", "is_converged", "loss_history", "security",
    }  # fmt: skip
    assert report.told["security"].startswith("Paillier, 512-bit key")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch_size": 5}, "batch_size"),
        ({"stepwise_param": {"need_stepwise": True, "nvmin": 3, "nvmax": 2}}, "nvmax"),
        ({"encrypt_param": {"method": None}}, "in the clear"),
        ({"validation_freqs": 1, "callback_param": {"callbacks": ["EarlyStopping"]}}, "exclude"),
        ({"learning_rat": 1}, "learning_rate"),
        ({"max_iter": 0}, "max_iter"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


def test_words_may_be_in_any_case_and_deprecated_parameters_count():
    p = params(optimizer="RMSProp", penalty="l2", encrypt_param={"method": "paillier"})
    assert (p.optimizer, p.penalty, p.encrypt_param.method) == ("rmsprop", "L2", "Paillier")
    old = params(validation_freqs=2, early_stopping_rounds=3).callbacks()
    assert old.callbacks == ["PerformanceEvaluate"]
    assert (old.validation_freqs, old.early_stopping_rounds) == (2, 3)


def test_a_batch_that_would_give_labels_away_is_refused():
    x, _ = data()
    p = params(batch_size=10, masked_rate=0)

    def host(ctx):
        wide = frame(np.tile(x, 3))
        return HeteroLR(p).fit_host(ctx, wide, None, None)

    def guest(ctx):
        return HeteroLR(p).fit_guest(ctx, frame(x, data()[1]), None, None)

    with pytest.raises(BadData, match="could work out labels"):
        run(
            {G: guest, BANK: host, JUDGE: lambda c: HeteroLR(p).fit_arbiter(c, None, None, None)},
            Ctx,
        )


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda x: np.where(x > 1, np.nan, x), "missing"),
        (lambda x: x * 1e9, "beyond 1e8"),
    ],
)
def test_features_that_cannot_be_learnt_are_refused(broken, said):
    with pytest.raises(BadData, match=said):
        trained(params(), pack=broken)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (np.where(data()[1] == 1, np.nan, 0.0), "no label"),
        (np.zeros(N), "same label"),
        (np.linspace(0, 1, N), "40 classes in 40 rows"),
        (pa.array([None, *["a", "b"] * 19, "a"]), "no label"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(label, said):
    with pytest.raises(BadData, match=said):
        trained(params(), label=label)


def test_diverging_training_says_so():
    p = params(optimizer="sgd", learning_rate=1e9, max_iter=9, tol=0)
    with pytest.raises(BadData, match="training diverges"):
        trained(p)


def test_a_model_of_other_columns_is_refused():
    model = trained(params(max_iter=1))[0][G][0]
    x, _ = data()
    renamed = msgspec.structs.replace(FrameSchema(), header=["a", "b"])
    other = Frame(pa.array(["i"]), x[:1, :2], renamed)
    with pytest.raises(BadModel, match="2 of the model's 2 columns"):
        run({G: lambda ctx: HeteroLR(params()).predict_guest(ctx, model, other)}, Ctx)


def test_public_keys_are_what_travels_first(two_hosts):
    _, transcript = two_hosts
    first = next(s for s in transcript if s.dst == G)
    assert isinstance(first.value, PublicKey) or first.message == Wire.least_rows.name


def test_a_key_shorter_than_asked_for_is_refused():
    asks, short = (
        params(encrypt_param={"method": "Paillier", "key_length": 512}),
        params(encrypt_param={"method": "Paillier", "key_length": 256}),
    )
    with pytest.raises(ProtocolViolation, match="256 bits; encrypt_param asks for 512"):
        run(
            {
                G: lambda ctx: HeteroLR(asks).fit_guest(ctx, frame(*data()), None, None),
                JUDGE: lambda ctx: HeteroLR(short).fit_arbiter(ctx, None, None, None),
            },
            Ctx,
        )
