"""Parties of a training are configured alike and hold the same rows, or nothing starts."""

import numpy as np
import pyarrow as pa
import pytest

from federatedml import agreement, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.hetero_kmeans import HeteroKmeans
from federatedml.components.hetero_linr import HeteroLinRModel
from federatedml.components.hetero_lr import HeteroLR
from federatedml.components.hetero_sshe_lr import HeteroSSHELR
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.glm_models import LinRMeta
from federatedml.lr_model import SingleModel
from federatedml.params import parse
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run

G, H, A = Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "10000")
N = 40
SHORT = {"max_iter": 1, "optimizer": "sgd", "init_param": {"init_method": "zeros"}}


def frame(party, order=None, n=N):
    rng = np.random.default_rng(3 if party == G else 4)
    rows = np.arange(n) if order is None else order
    ids = pa.array([f"id{i}" for i in rows])
    label = rng.integers(0, 2, n) if party == G else None
    return Frame(ids, rng.normal(size=(n, 2)), FrameSchema(header=["a", "b"]), label=label)


def trained(component, given, frames=None, model=None, parties=(G, H, A), base=SHORT):
    """Everyone's run of one job. given: parameters by party."""

    def of(party):
        def play(ctx):
            params = parse(component.Params, base | given.get(party, {}), component.module)
            data = (frames or {}).get(party, None if party == A else frame(party))
            named = [] if data is None else [NamedData("intersection_0", "data", data)]
            return runner.run(component(params), ctx, Inputs({"train_data": named}, model=model))

        return play

    return run({party: of(party) for party in parties}, Ctx)


@pytest.mark.parametrize(
    ("component", "party", "given"),
    [
        (HeteroLR, H, {"early_stop": "weight_diff"}),
        (HeteroLR, A, {"early_stop": "weight_diff"}),
        (HeteroLR, A, {"max_iter": 3}),
        (HeteroLR, H, {"learning_rate": 0.5}),
        (HeteroLR, H, {"optimizer": "sqn"}),
        (HeteroLR, G, {"callback_param": {"callbacks": ["ModelCheckpoint"]}}),
        (HeteroLR, G, {"cv_param": {"need_cv": True}}),
        (HeteroSSHELR, H, {"reveal_every_iter": True}),
        (HeteroSSHELR, H, {"max_iter": 2}),
    ],
)
def test_a_party_configured_otherwise_is_told_which_parameter_differs(component, party, given):
    parties = (G, H) if component is HeteroSSHELR else (G, H, A)
    name = next(iter(given))
    with pytest.raises(BadParameters, match=rf"{name} is .* at the guest.*component_parameters"):
        trained(component, {party: given}, parties=parties)


def test_clusters_are_agreed_on_too():
    few = {"k": 2, "max_iter": 2, "random_stat": 1}
    with pytest.raises(BadParameters, match="k is 3 here and 2 at the guest"):
        trained(HeteroKmeans, {H: {"k": 3}}, base=few)
    with pytest.raises(BadData, match="output of Intersection"):
        trained(HeteroKmeans, {}, {H: frame(H, np.arange(N)[::-1])}, base=few)


def test_what_is_a_partys_own_affair_may_differ():
    cv = {"cv_param": {"role": "host", "mode": "hetero"}}
    results, _ = trained(HeteroLR, {H: cv | {"predict_param": {"threshold": 0.9}}})
    assert results[G].model is not None


@pytest.mark.parametrize("order", [np.arange(N)[::-1], np.arange(1, N + 1)], ids=["order", "other"])
def test_rows_in_another_order_or_other_rows_are_refused(order):
    with pytest.raises(BadData, match="output of Intersection"):
        trained(HeteroLR, {}, {H: frame(H, order)})


def test_no_rows_at_all_are_told_as_such():
    empty = {party: frame(party, np.arange(0), 0) for party in (G, H)}
    with pytest.raises(BadData, match="no id in common"):
        trained(HeteroLR, {}, empty)


def test_a_missing_arbiter_is_named():
    with pytest.raises(BadParameters, match="HeteroLR needs an arbiter"):
        trained(HeteroLR, {}, parties=(G, H))


def test_a_model_of_another_component_starts_nothing():
    other = HeteroLinRModel(meta=LinRMeta(), param=SingleModel())
    with pytest.raises(BadModel, match="HeteroLR goes on from a HeteroLRModel"):
        trained(HeteroLR, {}, model=other)


def test_only_settings_and_a_digest_of_ids_are_told_before_training():
    _, sent = trained(HeteroLR, {})
    first = [line.message for line in sent if line.message.startswith("agreement.")]
    assert sorted(first) == ["agreement.rows", "agreement.settings", "agreement.settings"]


def test_lists_of_ids_have_one_digest_whatever_memory_they_lie_in():
    ids = pa.array(["a", "bc", "", "d"])
    salt = b"s"
    assert agreement.digest(ids, salt) == agreement.digest(
        pa.array(["x", *ids.to_pylist()])[1:], salt
    )
    assert agreement.digest(ids, salt) == agreement.digest(ids.cast(pa.large_string()), salt)
    for other in (["ab", "c", "", "d"], ["a", "bc", "d", ""], ["a", "bc", "d"], []):
        assert agreement.digest(ids, salt) != agreement.digest(pa.array(other, pa.string()), salt)
    assert agreement.digest(ids, salt) != agreement.digest(ids, b"t")
