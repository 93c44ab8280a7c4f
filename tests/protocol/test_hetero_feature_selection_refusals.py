"""HeteroFeatureSelection: what it refuses and how it says so; what stays where nothing passes."""

import logging

import numpy as np
import pytest

from federatedml import agreement
from federatedml.component import Inputs, NamedData
from federatedml.components.hetero_feature_selection import (
    Candidates,
    HeteroFeatureSelection,
    Wire,
)
from federatedml.errors import BadData, BadModel, BadParameters
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests.protocol.selection_parties import (
    BANK,
    SHOP,
    Ctx,
    G,
    anonymous,
    binning,
    boosting,
    frames,
    left,
    params,
    pearson,
    played,
    psi,
    statistics,
)

BY_IV = {"filter_methods": ["iv_filter"], "iv_param": {"threshold": 0.5}}


@pytest.mark.parametrize(
    ("method", "maker"),
    [
        ("iv_filter", "HeteroFeatureBinning"),
        ("iv_top_k", "HeteroFeatureBinning"),
        ("statistic_filter", "DataStatistics"),
        ("unique_value", "DataStatistics"),
        ("psi_filter", "PSI"),
        ("vif_filter", "HeteroPearson"),
        ("hetero_sbt_filter", "HeteroSecureBoost"),
        ("homo_sbt_filter", "HomoSecureBoost"),
        ("hetero_fast_sbt_filter", "HeteroFastSecureBoost"),
    ],
)
def test_a_filter_without_its_model_says_which_component_makes_one(method, maker):
    with pytest.raises(BadModel, match=f"{method} goes by a model of {maker}"):
        played(params(filter_methods=[method]), frames({G: 2}))


def test_correlation_needs_two_models_at_the_guest():
    data = frames({G: 2, BANK: 2})
    p = params(filter_methods=["correlation_filter"])
    own = {me: {"p_0": pearson(me, frame.schema.header, np.eye(2))} for me, frame in data.items()}
    with pytest.raises(BadModel, match="correlation_filter goes by a model of HeteroFeatureB"):
        played(p, data, own)
    b_0 = binning({"a0": 1.0, "a1": 1.0}, {BANK: dict.fromkeys(anonymous(BANK, 2), 1.0)})
    with pytest.raises(BadModel, match="correlation_filter goes by a model of HeteroPearson"):
        played(p, data, {G: {"b_0": b_0}, BANK: own[BANK]})
    with pytest.raises(BadModel, match="p_0 has no correlations with a host's columns"):
        played(p, data, own | {G: own[G] | {"b_0": b_0}})


def test_correlation_is_refused_with_two_hosts():
    data = frames({G: 2, BANK: 2, SHOP: 2})
    models = {me: {"p_0": pearson(me, ["a"], [[1.0]]), "b_0": binning({})} for me in data}
    with pytest.raises(BadParameters, match="here are 2 hosts: give correlation_param"):
        played(params(filter_methods=["correlation_filter"]), data, models)


def test_two_models_of_a_kind_are_refused():
    models = {G: {"s_0": statistics(mean={}), "s_1": statistics(mean={})}}
    with pytest.raises(BadModel, match="two models of DataStatistics, of s_0 and s_1"):
        played(params(), frames({G: 2}), models)
    models = {G: {f"t_{k}": boosting([], [], f"hetero_fast_sbt_{k}") for k in ("mix", "layered")}}
    with pytest.raises(BadModel, match="of t_mix and t_layered"):
        played(params(), frames({G: 2}), models)


@pytest.mark.parametrize(
    ("method", "model", "metric"),
    [
        ("iv_filter", binning({"a0": 1.0}), "iv"),
        ("statistic_filter", statistics(mean={"a0": 1.0}), "mean"),
        ("psi_filter", psi({"a0": 1.0}), "psi"),
        ("vif_filter", pearson(G, ["a0"], [[1.0]], vif=[1.0]), "vif"),
        ("hetero_sbt_filter", boosting(["a0"], []), "feature_importance"),
    ],
)
def test_a_column_that_a_model_does_not_have_is_named_as_others_know_it(
    method, model, metric, caplog
):
    """FATE: a KeyError, where binning skipped a column."""
    with pytest.raises(BadModel) as refusal:
        played(params(filter_methods=[method]), frames({G: 2}), {G: {"m_0": model}})
    assert f"m_0 has no {metric} of guest_9999_x1;" in str(refusal.value)
    assert "a1" not in str(refusal.value)
    assert "guest_9999_x1 is 'a1'" in caplog.text
    given = params(filter_methods=[method], select_col_indexes=[0])
    played(given, frames({G: 2}), {G: {"m_0": model}})


def test_a_column_of_a_host_that_was_not_binned_is_named_by_its_anonymous_name():
    data = frames({G: 1, BANK: 2})
    models = {G: {"b_0": binning({"a0": 1.0}, {BANK: {"host_10000_x0": 1.0}})}}
    with pytest.raises(BadModel, match="b_0 has no iv of host_10000_x1 of host 10000"):
        played(params(**BY_IV), data, models)


def test_models_that_lack_what_a_filter_needs_say_how_to_get_it():
    data, p = frames({G: 1, BANK: 1}), params(**BY_IV)
    local = binning({"a0": 1.0})
    with pytest.raises(BadModel, match="b_0 has no iv of host 10000; run it without local_only"):
        played(p, data, {G: {"b_0": local}})
    local.param.multi_class_result.labels = []
    with pytest.raises(BadModel, match="it counted no labels; run it without skip_static"):
        played(p, data, {G: {"b_0": local}})
    own = {me: {"p_0": pearson(me, ["a0"], [[1.0]])} for me in data}
    with pytest.raises(BadModel, match="run it with calc_local_vif"):
        played(params(filter_methods=["vif_filter"]), data, own)
    with pytest.raises(BadModel, match=r"s_0 has no 95%; it has: mean, stddev\. Add it to"):
        played(
            params(filter_methods=["outlier_cols"], outlier_param={"percentile": 0.95}),
            frames({G: 1}),
            {G: {"s_0": statistics(mean={"a0": 1.0}, stddev={"a0": 1.0})}},
        )


@pytest.mark.parametrize(
    "given",
    [
        {"select_names": ["b9"]},
        {"select_col_indexes": [7]},
        {"manually_param": {"filter_out_names": ["b9"]}},
        {"manually_param": {"left_col_indexes": [2]}},
        {"use_anonymous": True, "select_names": ["b0"]},
        {"use_anonymous": True, "manually_param": {"filter_out_names": ["guest_9999_x0"]}},
    ],
)
def test_columns_that_are_not_there_are_refused(given):
    with pytest.raises(BadParameters, match="there is no column"):
        played({G: params(), BANK: params(**given)}, frames({G: 2, BANK: 2}))


def test_taking_out_every_column_by_hand_is_refused():
    p = params(manually_param={"filter_out_indexes": [0, 1]})
    with pytest.raises(BadParameters, match="leaves no column of guest 9999"):
        played(p, frames({G: 2}))
    p = params(manually_param={"filter_out_indexes": [0]}, select_col_indexes=[0])
    assert left(played(p, frames({G: 2}))[0]) == {G: ["a1"]}


def test_columns_with_the_same_name_are_refused():
    data = frames({G: 2})
    data[G].schema.header[1] = "a0"
    with pytest.raises(BadData, match="guest_9999_x0, guest_9999_x1 have the same name"):
        played(params(), data)


def test_thresholds_for_other_numbers_of_hosts_are_refused():
    data = frames({G: 1, BANK: 1})
    p = params(filter_methods=["iv_filter"], iv_param={"host_thresholds": [0.1, 0.2]})
    with pytest.raises(BadParameters, match="for 2 hosts; the job has 1"):
        played(p, data, {G: {"b_0": binning({"a0": 1.0})}})


def test_parties_that_would_run_other_filters_together_are_told():
    data = frames({G: 1, BANK: 1})
    p = {G: params(**BY_IV), BANK: params()}
    with pytest.raises(BadParameters, match="federated_filters is"):
        played(p, data, {G: {"b_0": binning({"a0": 1.0})}})


def test_later_data_without_a_column_that_stays_is_refused():
    data = frames({G: 3})
    results, _ = played(params(manually_param={"filter_out_indexes": [0]}), data)
    later = {G: results[G][0].data[0]}
    later[G].schema.header[0] = "other"
    with pytest.raises(BadData, match="the table lacks guest_9999_x1, which the selection left"):
        played(params(), later, models={G: results[G][0].model})


# Where nothing passes, the best column of each party stays.


def test_at_least_one_column_of_each_party_stays(caplog):
    data = frames({G: 3, BANK: 3, SHOP: 1})
    mine = {"a0": 0.1, "a1": 0.3, "a2": 0.2}
    bank = dict(zip(anonymous(BANK, 3), [0.2, 0.1, 0.4], strict=True))
    models = {G: {"b_0": binning(mine, {BANK: bank, SHOP: {"host_10001_x0": 0.0}})}}
    with caplog.at_level(logging.WARNING):
        results, _ = played(params(**BY_IV), data, models)
    assert left(results) == {G: ["a1"], BANK: ["b2"], SHOP: ["c0"]}
    assert "no column passes iv_threshold; the one nearest to it stays: 'a1'" in caplog.text


def test_a_party_with_columns_that_are_not_selected_needs_no_other():
    data = frames({G: 2, BANK: 2})
    bank = dict(zip(anonymous(BANK, 2), [0.2, 0.1], strict=True))
    models = {G: {"b_0": binning({"a0": 0.1, "a1": 0.1}, {BANK: bank})}}
    results, _ = played(params(select_col_indexes=[1], **BY_IV), data, models)
    assert left(results) == {G: ["a0"], BANK: ["b0"]}


def test_of_columns_without_a_value_the_first_stays():
    models = {G: {"s_0": statistics(mean={"a0": "NaN", "a1": "NaN"})}}
    results, _ = played(params(filter_methods=["statistic_filter"]), frames({G: 2}), models)
    assert left(results) == {G: ["a0"]}


# Peers that do not keep to the protocol.


def against(host_says=None, guest_says=None, p=None):
    """One side as it is, the other sends what is given."""
    data = frames({G: 2, BANK: 2})
    own = dict(zip(["a0", "a1"], [0.9, 0.1], strict=True))
    bank = dict(zip(anonymous(BANK, 2), [0.9, 0.1], strict=True))
    models = {
        G: {
            "b_0": binning(own, {BANK: bank}),
            "p_0": pearson(G, list(own), np.eye(2), list(bank), np.zeros((2, 2))),
        },
        BANK: {"p_0": pearson(BANK, ["b0", "b1"], np.eye(2))},
    }
    return data, models, p or params(**BY_IV), host_says, guest_says


def met(data, models, p, host_says, guest_says):
    def honest(me):
        def play(ctx):
            inputs = Inputs({"data": [NamedData("i", "data", data[me])]}, isometric=models[me])
            component = HeteroFeatureSelection(p)
            agreement.check(component, ctx, [], trains=True)
            return component.stage("fit", ctx.role)(ctx, inputs)

        return play

    def false_host(ctx):
        ctx.get(agreement.Wire.settings)
        for message, value in host_says:
            ctx.remote(message, value)
        ctx.get(Wire.kept)

    def false_guest(ctx):
        agreement.check(HeteroFeatureSelection(p), ctx, [], trains=True)
        ctx.get(Wire.candidates, source=BANK)
        ctx.remote(Wire.kept, guest_says)

    sides = {
        G: honest(G) if guest_says is None else false_guest,
        BANK: honest(BANK) if host_says is None else false_host,
    }
    return run(sides, Ctx)


@pytest.mark.parametrize("kept", [np.ones(3, dtype=bool), np.zeros(2, dtype=bool)])
def test_a_host_refuses_what_cannot_be_about_its_columns(kept):
    with pytest.raises(ProtocolViolation):
        met(*against(guest_says=kept))


@pytest.mark.parametrize(
    "host_says",
    [
        [(Wire.candidates, Candidates(["host_10000_x0", "host_10000_x0"], needs_one=True))],
        [
            (Wire.candidates, Candidates(["host_10000_x0"], needs_one=True)),
            (Wire.links, np.zeros((2, 2), dtype=bool)),
        ],
    ],
)
def test_the_guest_refuses_columns_that_cannot_be(host_says):
    p = params(filter_methods=["correlation_filter"]) if len(host_says) == 2 else None
    with pytest.raises(ProtocolViolation):
        met(*against(host_says=host_says, p=p))


def test_a_host_learns_nothing_of_columns_that_are_not_its_own():
    said = [(Wire.candidates, Candidates(["guest_9999_x0"], needs_one=False))]
    with pytest.raises(BadModel, match="no iv of guest_9999_x0 of host 10000"):
        met(*against(host_says=said))
