"""HeteroFeatureSelection behind the components whose models it goes by, against pandas."""

import numpy as np
import pandas as pd
import pytest

from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.data_statistics import DataStatistics
from federatedml.components.hetero_feature_binning import HeteroFeatureBinning
from federatedml.components.hetero_feature_selection import HeteroFeatureSelection
from federatedml.components.hetero_pearson import HeteroPearson
from federatedml.components.psi import PSI
from federatedml.params import parse
from federatedml.runner import run as run_component
from federation.transport.inproc import run
from tests.protocol import binning_parties
from tests.protocol.selection_parties import BANK, G, frame, left, params

N, K = 240, 5


def pooled(seed=0):
    """Columns of both parties: some correlate with others, constant, skewed, categorical."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, N)
    a = rng.normal(size=(N, K)) + label[:, None] * np.linspace(0, 2, K)
    b = rng.normal(size=(N, K)) + label[:, None] * np.linspace(1.5, 0, K)
    a[:, 1] = a[:, 4] + 0.1 * rng.normal(size=N)
    b[:, 1] = b[:, 0] + 0.1 * rng.normal(size=N)
    b[:, 2] = a[:, 3] + 0.1 * rng.normal(size=N)
    a[:, 2] = rng.integers(0, 3, N)
    b[:, 3] = np.exp(2 * b[:, 3])
    b[:, 4] = 1.0
    return label, a, b


def played(p):
    """(outputs, report) of both parties, after everything that selection may go by."""
    label, a, b = pooled()
    data = {
        G: frame(a, [f"a{i}" for i in range(K)], G, label),
        BANK: frame(b, [f"b{i}" for i in range(K)], BANK),
    }
    before = {
        "binning_0": (HeteroFeatureBinning, {"bin_num": 4}),
        "statistics_0": (DataStatistics, {"statistics": ["95%"]}),
        "pearson_0": (HeteroPearson, {"column_indexes": -1}),
    }

    def party(me):
        def play(ctx):
            kinds = {"data": [NamedData("i_0", "data", data[me])]}
            later = data[me].take(np.arange(N // 2))
            both = {"train_data": kinds["data"], "validate_data": [NamedData("i_1", "data", later)]}
            made = {}
            for name, (component, given) in before.items():
                ctx.name = name
                one = component(parse(component.Params, given, name))
                made[name] = run_component(one, ctx, Inputs(kinds)).model
            ctx.name = "psi_0"
            made["psi_0"] = run_component(
                PSI(parse(PSI.Params, {}, "psi_0")), ctx, Inputs(both)
            ).model
            ctx.name = "selection_0"
            one = HeteroFeatureSelection(p)
            return run_component(one, ctx, Inputs(kinds, isometric=made)), ctx.report

        return play

    return run({me: party(me) for me in data}, Ctx)[0]


def ivs(values, label, bins=4):
    """(k,) by pandas."""
    found = []
    for column in values.T:
        points = np.unique(
            np.quantile(column, np.arange(1, bins + 1) / bins, method="inverted_cdf")
        )
        found.append(binning_parties.twin(column, points.tolist(), label == 1)["iv"].sum())
    return found


def test_iv_statistics_and_correlation_leave_what_pandas_leaves():
    label, a, b = pooled()
    p = params(
        filter_methods=["unique_value", "iv_filter", "correlation_filter", "outlier_cols"],
        iv_param={"metrics": ["iv", "iv"], "filter_type": ["threshold", "top_k"],
                  "threshold": [0.05, 6]},
        correlation_param={"threshold": 0.9},
        outlier_param={"percentile": 0.95, "upper_threshold": 10},
    )  # fmt: skip
    results = played(p)
    table = pd.DataFrame(np.hstack([a, b]), columns=[f"{c}{i}" for c in "ab" for i in range(K)])
    kept = table.loc[:, table.std(ddof=0) >= 1e-5]
    iv = pd.Series(ivs(kept.to_numpy(), label), kept.columns)
    shown = results[G][0].model.param.results[1]
    theirs = shown.host_feature_values[0].feature_values
    found = shown.feature_values | {f"b{name[-1]}": v for name, v in theirs.items()}
    assert found == pytest.approx(iv.to_dict())
    iv = iv[iv >= 0.05].sort_values(ascending=False, kind="stable")[:6]
    corr, stays = table.corr(), []
    for name in iv.index:
        if not (corr.loc[name, stays].abs() > 0.9).any():
            stays.append(name)
    stays = [n for n in stays if table[n].quantile(0.95, interpolation="inverted_cdf") <= 10]
    assert 2 <= len(stays) < len(iv) == 6
    assert left(results)[G] + left(results)[BANK] == [n for n in table.columns if n in stays]
    assert left(results)[G]
    assert left(results)[BANK]


def test_psi_and_vif_leave_what_pandas_leaves():
    _, a, b = pooled()
    p = params(filter_methods=["vif_filter", "psi_filter"], psi_param={"threshold": 0.01})
    results = played(p)
    for me, letter, x in ((G, "a", a), (BANK, "b", b[:, :4])):
        vif = np.diag(np.linalg.inv(np.corrcoef(x.T)))
        low = [f"{letter}{i}" for i in np.flatnonzero(vif <= 5)]
        shown = results[me][0].model.param.results
        assert list(shown[0].left_cols.left_cols) == low
        scores = shown[1].feature_values
        assert list(shown[1].feature_values) == low
        passing = [n for n in low if scores[n] <= 0.01]
        assert left(results)[me] == (passing or [min(scores, key=scores.get)])
