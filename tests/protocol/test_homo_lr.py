"""HomoLR: equal to pooled training where mathematics says so, and sums are all that is shown."""

import json

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from federatedml import homo_side, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.homo_lr import HomoLR, HomoLRModel, Wire
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters, PartiesLost
from federatedml.maths import glm, optim, optim_torch
from federatedml.params import parse
from federation import ARBITER, GUEST, HOST, Party, codec
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
JUDGE = Party(ARBITER, "10000")
TWO, THREE = (G, BANK), (G, BANK, SHOP)
N, K = 60, 4
CUTS = {2: {G: (0, 35), BANK: (35, 60)}, 3: {G: (0, 25), BANK: (25, 40), SHOP: (40, 60)}}


def data(n_classes=2):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(N, K))
    score = x @ rng.normal(size=K) + rng.normal(size=N)
    return x, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def frame(x, label=None, weight=None, names=None):
    names = names or [f"x{i}" for i in range(x.shape[1])]
    return Frame(
        pa.array([f"id{i}" for i in range(x.shape[0])]),
        x,
        FrameSchema(header=names, label_name=None if label is None else "y"),
        label=label,
        weight=weight,
    )


def params(**given):
    base = {
        "optimizer": "sgd",
        "max_iter": 5,
        "learning_rate": 0.3,
        "alpha": 0.05,
        "tol": 0,
        "init_param": {"init_method": "zeros"},
    }
    return parse(HomoLR.Params, {**base, **given}, "HomoLR#homo_lr_0")


def split(clients=TWO, *, label=None, weight=None):
    """Every client's rows of the pooled data."""
    x, y = data()
    label = y if label is None else label
    cuts = CUTS[len(clients)]
    return {
        c: frame(x[a:b], label[a:b], None if weight is None else weight[a:b])
        for c, (a, b) in cuts.items()
    }


def trained(p, rows, *, starts=None, validate=None, only=None):
    """Models, predictions and reports of every party, and the transcript.

    p: parameters, or a dictionary of them by party. only: a client that is over in its n-th epoch.
    """
    starts = starts or {}
    of = p if isinstance(p, dict) else dict.fromkeys((*rows, JUDGE), p)

    def client(ctx):
        lr = HomoLR(of[ctx.me])
        model = lr.stage("fit", ctx.role)(ctx, rows[ctx.me], validate, starts.get(ctx.me))
        said = lr.stage("predict", ctx.role)(ctx, model, rows[ctx.me])
        return model, said, ctx.report

    def judge(ctx):
        return HomoLR(of[JUDGE]).fit_arbiter(ctx, None, None, None), None, ctx.report

    return run({**dict.fromkeys(rows, client), JUDGE: judge}, Ctx)


def flat(result):
    param = result[0].param
    return np.array([*param.weight.values(), param.intercept])


def twin(p, x, y, weight=None, *, rounds=None):
    """Pooled full-batch training with the exact log-loss: weights, and loss before each step."""
    x = np.column_stack([x, np.ones(len(x))])
    s = np.ones(len(x)) if weight is None else weight / weight.mean()
    w, losses, penalised = np.zeros(x.shape[1]), [], np.arange(x.shape[1]) < x.shape[1] - 1
    rate = optim.Schedule(p.learning_rate, p.decay, p.decay_sqrt)
    step = optim_torch.OPTIMIZERS[p.optimizer]()
    for t in range(p.max_iter if rounds is None else rounds):
        u = x @ w
        losses.append(float((s * (np.log1p(np.exp(u)) - y * u)).mean()))
        g = x.T @ (s * (1 / (1 + np.exp(-u)) - y)) / len(x)
        g = g + (p.alpha * w * penalised if p.penalty == "L2" else 0)
        w = w - step.delta(g, rate.at(t))
        if p.penalty == "L1":
            shrunk = np.sign(w) * np.maximum(np.abs(w) - p.alpha * rate.at(t), 0)
            w = np.where(penalised, shrunk, w)
    return w, losses


# Equal to pooled training.


@pytest.mark.parametrize("clients", [TWO, THREE], ids=["one_host", "two_hosts"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"penalty": "L1"},
        {"penalty": None, "decay": 0.5, "decay_sqrt": False},
        {"optimizer": "nesterov_momentum_sgd", "decay": 0},
    ],
    ids=["l2", "l1", "none", "nesterov"],
)
def test_with_one_step_between_means_training_equals_pooled_training(given, clients):
    p = params(**given, max_iter=8)
    results, _ = trained(p, split(clients))
    w, losses = twin(p, *data())
    for c in clients:
        np.testing.assert_allclose(flat(results[c]), w, atol=1e-9)
    np.testing.assert_allclose(results[JUDGE][2].told["loss_history"], losses, atol=1e-9)


def test_sample_weights_are_those_of_pooled_training():
    x, y = data()
    weight = np.linspace(0.0, 9.0, N)
    results, _ = trained(params(), split(THREE, weight=weight))
    w, losses = twin(params(), x, y, weight)
    np.testing.assert_allclose(flat(results[SHOP]), w, atol=1e-9)
    np.testing.assert_allclose(results[JUDGE][2].told["loss_history"], losses, atol=1e-9)


def test_sparse_features_give_the_same_model():
    rows = split()
    thin = {c: frame(sparse.csr_matrix(f.x), f.label) if c == BANK else f for c, f in rows.items()}
    dense, _ = trained(params(), rows)
    np.testing.assert_allclose(flat(trained(params(), thin)[0][G]), flat(dense[G]), atol=1e-10)


def test_adaptive_optimisers_of_parties_with_the_same_rows_are_the_pooled_one():
    x, y = data()
    for optimizer in ("rmsprop", "adam", "adagrad"):
        p = params(optimizer=optimizer, learning_rate=0.05)
        results, _ = trained(p, {c: frame(x, y) for c in TWO})
        np.testing.assert_allclose(flat(results[BANK]), twin(p, x, y)[0], atol=1e-8)


def test_it_reaches_the_auc_of_pooled_scikit_learn():
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    order = np.random.default_rng(0).permutation(len(y))
    cuts = np.split(order, [150, 300, 420])
    rows = {c: frame(x[part], y[part]) for c, part in zip(THREE, cuts, strict=False)}
    seen, test = order[:420], cuts[3]
    p = params(optimizer="rmsprop", learning_rate=0.15, alpha=0.01, batch_size=50, max_iter=30)
    model = trained(p, rows)[0][G][0]
    said = HomoLR(p).predict_guest(Ctx(G, [G], None), model, frame(x[test], y[test]))
    best = LogisticRegression(C=1 / (0.01 * len(seen)), max_iter=5000).fit(x[seen], y[seen])
    pooled = roc_auc_score(y[test], best.predict_proba(x[test])[:, 1])
    assert roc_auc_score(y[test], said.score) > pooled - 0.002


def test_with_enough_iterations_it_is_scikit_learns_model():
    p = params(optimizer="nesterov_momentum_sgd", decay=0, max_iter=250, learning_rate=0.5)
    results, _ = trained(p, split(THREE))
    x, y = data()
    best = LogisticRegression(C=1 / (p.alpha * N), max_iter=5000, tol=1e-12).fit(x, y)
    np.testing.assert_allclose(flat(results[G]), [*best.coef_[0], best.intercept_[0]], atol=1e-5)


# Epochs, batches, means.


def test_after_the_last_epoch_there_is_always_a_mean():
    for iters, means in ((1, 5), (2, 3), (3, 2), (9, 1)):
        results, transcript = trained(params(aggregate_iters=iters), split(THREE))
        assert len({tuple(flat(results[c])) for c in THREE}) == 1
        sent = [s for s in transcript if s.message == Wire.mean.name and s.dst == BANK]
        assert len(sent) == means
        assert len(results[JUDGE][2].told["loss_history"]) == means
        assert len(results[G][0].param.loss_history) == 5


def test_batches_are_cut_in_the_order_of_the_table():
    x, y = data()
    p = params(batch_size=20, max_iter=2)
    results, _ = trained(p, {c: frame(x, y) for c in TWO})
    w, t = np.zeros(K + 1), 0
    ones, penalised = np.column_stack([x, np.ones(N)]), np.arange(K + 1) < K
    for _ in range(2):
        for at in (0, 20, 40):
            part, label = ones[at : at + 20], y[at : at + 20]
            g = part.T @ (1 / (1 + np.exp(-part @ w)) - label) / 20 + p.alpha * w * penalised
            w, t = w - p.learning_rate / np.sqrt(1 + t) * g, t + 1
    np.testing.assert_allclose(flat(results[G]), w, atol=1e-9)


def test_l1_leaves_the_same_zeros_at_all_parties():
    p = params(penalty="L1", alpha=0.15, max_iter=40, batch_size=10, aggregate_iters=2)
    results, _ = trained(p, split(THREE))
    zeros = flat(results[G]) == 0
    assert 0 < zeros.sum() < K
    np.testing.assert_array_equal(flat(results[G]), flat(results[BANK]))


def test_the_intercept_is_not_penalised():
    y = (np.arange(N) % 4 > 0).astype(int)
    p = params(alpha=5.0, max_iter=300, decay=0, learning_rate=0.15)
    weak = trained(p, split(TWO, label=y))[0][G][0].param
    assert max(abs(w) for w in weak.weight.values()) < 0.05
    assert weak.intercept == pytest.approx(np.log(3), abs=0.05)


def test_without_an_intercept_there_is_none():
    p = params(init_param={"init_method": "zeros", "fit_intercept": False})
    model = trained(p, split())[0][BANK][0]
    assert model.param.intercept == 0.0
    assert not model.meta.fit_intercept


@pytest.mark.parametrize(("rule", "tol"), [("diff", 0.003), ("abs", 0.66), ("weight_diff", 0.08)])
def test_training_stops_where_pooled_training_stops(rule, tol):
    p = params(early_stop=rule, tol=tol, max_iter=40)
    results, _ = trained(p, split(THREE))
    done = results[G][0].param.iters
    assert 1 < done < 40
    weights = [twin(p, *data(), rounds=t)[0] for t in range(done + 1)]
    _, losses = twin(p, *data())
    met = {
        "diff": abs(losses[done - 1] - losses[done - 2]) < tol,
        "abs": losses[done - 1] <= tol < losses[done - 2],
        "weight_diff": np.linalg.norm(weights[done] - weights[done - 1]) < tol,
    }
    assert met[rule]
    for c in THREE:
        assert results[c][0].param.is_converged
        assert results[c][0].param.iters == done
    assert results[JUDGE][2].told["is_converged"]


@pytest.mark.parametrize("method", ["random_uniform", "random_normal", "ones"])
def test_all_parties_start_from_the_same_weights(method):
    p = params(init_param={"init_method": method}, max_iter=1, learning_rate=1e-9)
    results, _ = trained(p, split(THREE))
    w = flat(results[G])
    np.testing.assert_allclose(flat(results[SHOP]), w)
    seeded = params(
        init_param={"init_method": method, "random_seed": 3}, max_iter=1, learning_rate=1e-9
    )
    first = glm.initial_weights(method, 1, K + 1, 3)
    np.testing.assert_allclose(flat(trained(seeded, split())[0][G]), first, atol=1e-7)


def test_a_warm_start_goes_on_where_training_stopped():
    whole, _ = trained(params(max_iter=6), split(THREE))
    half, _ = trained(params(max_iter=3), split(THREE))
    starts = {c: half[c][0] for c in THREE}
    rest, _ = trained(params(max_iter=6), split(THREE), starts=starts)
    np.testing.assert_allclose(flat(rest[G]), flat(whole[G]), atol=1e-10)
    assert rest[G][0].param.loss_history == pytest.approx(whole[G][0].param.loss_history)
    assert rest[G][2].metrics["train", "init_iter"][1] == [("init_iter", 3)]


# Labels.


@pytest.mark.parametrize("names", [None, ["apple", "berry", "cedar"]], ids=["integers", "words"])
def test_more_classes_are_one_model_each(names):
    x, y = data(3)
    label = y if names is None else pa.array([names[c] for c in y])
    rows = {c: frame(x[a:b], label[a:b]) for c, (a, b) in CUTS[3].items()}
    results, _ = trained(params(), rows)
    model, said, report = results[SHOP]
    for c, part in enumerate(model.parts):
        w, _ = twin(params(), x, y == c)
        np.testing.assert_allclose([*part.weight.values(), part.intercept], w, atol=1e-9)
    assert said.classes == (names or [0, 1, 2])
    assert set(report.told) == {*(str(c) for c in said.classes), "security", "validation_metrics"}
    assert set(results[JUDGE][2].told) == {"0", "1", "2", "security", "lost_parties"}
    assert results[JUDGE][2].metrics == {}


def test_a_party_may_lack_a_class():
    x, y = data()
    order = np.argsort(y, kind="stable")
    rows = {c: frame(x[order][a:b], y[order][a:b]) for c, (a, b) in CUTS[2].items()}
    assert len(np.unique(rows[BANK].label)) == 1
    results, _ = trained(params(), rows)
    np.testing.assert_allclose(flat(results[BANK]), twin(params(), x, y)[0], atol=1e-9)


def test_labels_of_other_number_types_are_one_label():
    rows = split()
    rows[BANK] = frame(rows[BANK].x, rows[BANK].label.astype(float))
    results, _ = trained(params(), rows)
    np.testing.assert_allclose(flat(results[G]), twin(params(), *data())[0], atol=1e-9)


def test_the_threshold_is_used_at_every_client():
    p = params(predict_param={"threshold": 0.6}, max_iter=30, decay=0)
    results, _ = trained(p, split())
    for c in TWO:
        said = results[c][1]
        np.testing.assert_array_equal(said.result, (said.score > 0.6).astype(int))
        assert 0 < said.result.sum() < (said.score > 0.5).sum()


def test_rows_without_labels_are_predicted():
    results, _ = trained(params(), split())
    rows = frame(data()[0])
    said = HomoLR(params()).predict_host(Ctx(BANK, [BANK], None), results[BANK][0], rows)
    assert said.label is None
    assert len(said.score) == N


# What leaves a party.


@pytest.fixture(scope="module")
def two_hosts():
    return trained(params(max_iter=2), split(THREE))


def test_parties_exchange_exactly_the_declared_messages(two_hosts, golden):
    _, transcript = two_hosts
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("homo_lr_two_hosts", sorted(map(list, lines)))


def test_no_clients_weights_loss_or_count_leaves_it_in_the_clear(two_hosts):
    _, transcript = two_hosts
    for line in transcript:
        if line.src != JUDGE and line.dst == JUDGE and line.envelope.kind == "plain":
            plain = {Wire.keys.name, Wire.heard.name, Wire.outline.name, Wire.begun.name}
            assert line.message in plain
        if isinstance(line.value, np.ndarray) and line.value.dtype == np.float64:
            assert line.message == Wire.mean.name


def test_clients_learn_the_number_of_rows_only_to_a_power_of_two(two_hosts):
    _, transcript = two_hosts
    told = {s.value for s in transcript if s.message == Wire.magnitude.name}
    assert told == {6}


def test_a_lost_host_does_not_end_training():
    """Its task is over after two epochs; the guest and the other host finish."""
    rows, short = split(THREE), params(max_iter=2)
    long = params(max_iter=4)
    equal = HomoLR(long)._equal

    def client(ctx):
        lr = HomoLR(short if ctx.me == SHOP else long)
        if ctx.me == SHOP:
            lr._check_equal = lambda *_: None
        return lr.stage("fit", ctx.role)(ctx, rows[ctx.me], None, None)

    def judge(ctx):
        HomoLR(long).fit_arbiter(ctx, None, None, None)
        return ctx.report

    results, _ = run({**dict.fromkeys(THREE, client), JUDGE: judge}, Ctx)
    assert equal.max_iter == 4
    assert results[JUDGE].told["lost_parties"] == [str(SHOP)]
    assert results[G].param.iters == results[BANK].param.iters == 4
    assert results[G].param.weight == results[BANK].param.weight
    x, y = data()
    start = twin(short, x, y)[0]
    assert not np.allclose(list(results[G].param.weight.values()), start[:-1], atol=1e-3)


def test_with_one_host_a_lost_host_ends_training():
    rows = split()

    def client(ctx):
        lr = HomoLR(params(max_iter=1 if ctx.me == BANK else 3))
        if ctx.me == BANK:
            lr._check_equal = lambda *_: None
        return lr.stage("fit", ctx.role)(ctx, rows[ctx.me], None, None)

    def judge(ctx):
        HomoLR(params(max_iter=3)).fit_arbiter(ctx, None, None, None)

    with pytest.raises(PartiesLost, match=r"component_0: 1 of 2 .* host 10000"):
        run({**dict.fromkeys(TWO, client), JUDGE: judge}, Ctx)


# Sums under the clients' key: the arbiter learns none.

SEALED = {"secure_aggregation_param": {"method": "ckks"}}


@pytest.fixture(scope="module")
def sealed():
    pytest.importorskip("tenseal")
    return trained(params(max_iter=3, **SEALED), split(THREE))


def test_sums_under_ckks_train_the_same_model(sealed):
    results, _ = sealed
    w, _ = twin(params(max_iter=3), *data())
    for c in THREE:
        np.testing.assert_allclose(flat(results[c]), w, atol=1e-7)
    assert "CKKS" in results[JUDGE][2].told["security"]
    assert results[JUDGE][2].told["loss_history"] == []


def test_under_ckks_the_arbiter_learns_no_weights_and_no_loss(sealed):
    _, transcript = sealed
    plain = {
        s.message for s in transcript if JUDGE in (s.src, s.dst) and s.envelope.kind == "plain"
    }
    assert plain == {
        Wire.outline.name, Wire.begun.name, Wire.verdict.name, Wire.public.name, Wire.came.name,
    }  # fmt: skip


def test_under_ckks_training_stops_by_the_same_rule():
    pytest.importorskip("tenseal")
    given = {"early_stop": "diff", "tol": 0.003, "max_iter": 40}
    done = trained(params(**given), split())[0][G][0].param
    same = trained(params(**given, **SEALED), split())[0]
    for c in TWO:
        assert same[c][0].param.iters == done.iters
        assert same[c][0].param.is_converged
    assert same[JUDGE][2].told["is_converged"]


def test_under_ckks_a_label_that_is_a_number_is_refused():
    pytest.importorskip("tenseal")
    with pytest.raises(BadData, match="60 classes in 60 rows"):
        trained(params(**SEALED), split(label=np.arange(N)))


# The model and its neighbours.


def test_the_model_has_the_shape_that_fate_shows(two_hosts):
    results, _ = two_hosts
    for c in THREE:
        shown = msgspec.to_builtins(results[c][0])
        assert set(shown["param"]) == {
            "bestIteration", "encryptedWeight", "header", "intercept", "isConverged", "iters",
            "lossHistory", "needOneVsRest", "weight",
        }  # fmt: skip
        assert shown["param"]["bestIteration"] == 1
        assert shown["meta"] == {
            "alpha": 0.05, "batchSize": "-1", "earlyStop": "diff", "fitIntercept": True,
            "learningRate": 0.3, "maxIter": "2", "module": "HomoLR", "needOneVsRest": False,
            "optimizer": "sgd", "partyWeight": 0.0, "penalty": "L2", "reEncryptBatches": "0",
            "revealStrategy": "", "tol": 0.0,
        }  # fmt: skip
    assert results[JUDGE][0] is None


def test_a_model_survives_its_json(two_hosts):
    model = two_hosts[0][BANK][0]
    text = json.dumps(msgspec.to_builtins(model))
    assert msgspec.convert(json.loads(text), HomoLRModel) == model


def test_losses_and_summaries_are_shown_under_their_own_names(two_hosts):
    results, _ = two_hosts
    _, points, meta = results[BANK][2].metrics["train", "loss"]
    assert [t for t, _ in points] == [0, 1]
    assert meta == {"unit_name": "epochs", "curve_name": "loss"}
    kind, points, meta = results[JUDGE][2].metrics["train", "loss"]
    assert kind == "LOSS"
    assert points[0] == (0, pytest.approx(np.log(2)))
    assert meta == {"unit_name": "aggregate_round", "curve_name": "loss"}
    told = results[G][2].told
    assert told["is_converged"] is False
    assert told["best_iteration"] == 1
    assert told["local_loss_history"] == results[G][0].param.loss_history
    assert set(told["coef"]) == {f"x{i}" for i in range(K)}
    assert "shares 2 of 3" in told["security"]
    assert told["validation_metrics"] == {}


def test_performance_is_evaluated_and_checkpoints_are_kept_at_every_client():
    p = params(
        callback_param={
            "callbacks": ["PerformanceEvaluate", "ModelCheckpoint"],
            "validation_freqs": 2,
            "metrics": ["auc"],
        }
    )
    x, y = data()
    results, _ = trained(p, split(), validate=frame(x, y))
    for c in TWO:
        report = results[c][2]
        assert ("validate", "iteration_3") in report.metrics
        assert len(report.told["validation_metrics"]["train"]["auc"]) == 2
        assert [step for step, _, _ in report.checkpoints] == [0, 1, 2, 3, 4]
    assert results[JUDGE][2].checkpoints == []


def validated(x, y):
    """Outputs and reports of a cross-validation in three folds."""
    p = params(cv_param={"need_cv": True, "n_splits": 3}, max_iter=2)

    def play(ctx):
        ctx.name = "homo_lr_0"
        given = {}
        if ctx.me != JUDGE:
            a, b = CUTS[2][ctx.me]
            given = {"train_data": [NamedData("d", "data", frame(x[a:b], y[a:b]))]}
        outputs = runner.run(HomoLR(p), ctx, Inputs(given or {"train_data": []}))
        return outputs, ctx.report

    return run({**dict.fromkeys(TWO, play), JUDGE: play}, Ctx)[0]


def test_a_label_that_a_fold_cannot_learn_is_said():
    x, y = data()
    y[3] = 2
    with pytest.raises(BadData, match="not every fold has all labels among its train rows"):
        validated(x, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_cross_validation_scores_every_fold_at_every_client(n_classes):
    results = validated(*data(n_classes))
    for c in TWO:
        outputs, report = results[c]
        assert report.told["fold_num"] == 3
        assert ("validate", "validate_fold_2") in report.metrics
        assert outputs.data[0].n_rows == 3 * (CUTS[2][c][1] - CUTS[2][c][0])


# Bad input.


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch_size": 5}, "batch_size"),
        ({"optimizer": "sqn"}, "optimizer.*allowed: sgd"),
        ({"early_stopping_rounds": 2, "validation_freqs": 1}, "early_stop and tol"),
        (
            {"callback_param": {"early_stopping_rounds": 2, "validation_freqs": 1}},
            "early_stop and tol",
        ),
        ({"aggregate_iters": 0}, "aggregate_iters"),
        ({"validation_freqs": 1, "callback_param": {"callbacks": ["EarlyStopping"]}}, "exclude"),
        ({"aggregate_iter": 1}, "did you mean `aggregate_iters`"),
        ({"penalty": "L3"}, "penalty"),
        ({"learning_rate": 0}, "learning_rate"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


def test_parameters_of_fates_examples_are_taken():
    p = params(
        encrypt_param={"method": None},
        cv_param={"n_splits": 4, "shuffle": True, "random_seed": 33, "need_cv": False},
        callback_param={"callbacks": ["ModelCheckpoint", "EarlyStopping"]},
    )
    assert p.callback_param.callbacks == ["ModelCheckpoint", "EarlyStopping"]


def names_of_host(names):
    rows = split()
    x = rows[BANK].x
    rows[BANK] = frame(x[:, : len(names)], rows[BANK].label, names=names)
    return rows


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        (lambda: names_of_host(["x0", "x1", "x2", "z"]), BadData, "not those of the guest"),
        (lambda: names_of_host(["x0", "x1", "x2"]), BadData, "not those of the guest"),
        (lambda: names_of_host(["x1", "x0", "x2", "x3"]), BadData, "another order"),
        (lambda: {**split(), BANK: frame(data()[0])}, BadData, "no label"),
        (lambda: {**split(), G: frame(data()[0])}, BadData, "no label"),
        (lambda: {**split(), BANK: frame(np.ones((0, K)), np.ones(0))}, BadData, "has no rows"),
        (lambda: {**split(), BANK: frame(np.ones((9, 0)), np.ones(9))}, BadData, "no features"),
        (lambda: split(label=np.ones(N, dtype=int)), BadData, "the same label"),
        (lambda: split(label=np.arange(N)), BadData, "60 classes in 60 rows"),
        (
            lambda: {**split(), BANK: frame(data()[0], pa.array(["a", "b"] * 30))},
            BadData,
            "text at some parties",
        ),
        (
            lambda: {**split(), G: frame(np.full((N, K), np.nan), data()[1])},
            BadData,
            r"columns with missing values: 4 \(x0, x1, x2, x3\)",
        ),
        (
            lambda: {**split(), G: frame(data()[0], np.where(np.arange(N) > 3, 1.0, np.nan))},
            BadData,
            "some rows have no label",
        ),
        (
            lambda: split(weight=-np.ones(N)),
            BadData,
            "weights must be finite",
        ),
    ],
)  # fmt: skip
def test_data_that_cannot_be_learnt_from_is_refused(rows, error, said):
    with pytest.raises(error, match=said):
        trained(params(), rows())


def test_training_that_diverges_says_so():
    rows = {c: frame(f.x * 1e7, f.label) for c, f in split().items()}
    with pytest.raises(BadData, match="training diverges"):
        trained(params(learning_rate=1e200, max_iter=30, decay=0), rows)
    with pytest.raises(BadData, match="too large to be added up"):
        trained(params(learning_rate=1e5, max_iter=30, decay=0), rows)


def test_parameters_that_steer_the_conversation_must_be_the_same():
    p = params()
    for other in (params(max_iter=3), params(aggregate_iters=2), params(**SEALED)):
        for party in (BANK, JUDGE):
            with pytest.raises(BadParameters, match="must be the same at all parties"):
                trained({G: p, BANK: p, JUDGE: p, party: other}, split())


def test_a_start_from_models_of_other_jobs_is_refused():
    one, _ = trained(params(max_iter=1), split())
    two, _ = trained(params(max_iter=2), split())
    with pytest.raises(BadModel, match="other epochs than the guest's"):
        trained(params(), split(), starts={G: one[G][0], BANK: two[BANK][0]})


def test_another_number_of_mean_weights_is_refused(monkeypatch):
    means = homo_side.Means.of
    monkeypatch.setattr(homo_side.Means, "of", lambda *given: (means(*given)[0][:-1], False))
    with pytest.raises(ProtocolViolation, match=r"arbiter 10000 .*\(4,\) weights, not 5"):
        trained(params(), split())


def test_a_model_of_other_columns_does_not_predict():
    model = trained(params(), split())[0][G][0]
    other = frame(data()[0], names=["a", "b", "x2", "x3"])
    with pytest.raises(BadModel, match="lacks 2 of the model's 4 columns"):
        HomoLR(params()).predict_guest(Ctx(G, [G], None), model, other)
