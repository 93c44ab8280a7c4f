"""Parameters of feature selection: what is refused, and which filters they mean."""

import pytest

from federatedml import selection_params
from federatedml.errors import BadParameters
from federatedml.maths.filters import Rule
from federatedml.params import parse
from federatedml.selection_params import SelectionParams


def parsed(**given):
    return parse(SelectionParams, given, "HeteroFeatureSelection#selection_0")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"filter_methods": []}, "filter_methods: give at least one"),
        ({"filter_methods": ["iv"]}, "allowed: manually, iv_filter"),
        ({"select_col_indexes": [-2]}, "select_col_indexes"),
        ({"iv_param": {"metrics": "auc"}}, "'auc' is none; there is: iv"),
        ({"iv_param": {"metrics": []}}, "metrics: give at least one"),
        ({"iv_param": {"threshold": [1, 2]}}, "threshold is a list and metrics is not"),
        (
            {"iv_param": {"metrics": ["iv", "iv"], "take_high": [True]}},
            "take_high has 1 entries for 2 metrics",
        ),
        (
            {"iv_param": {"metrics": ["iv"], "mul_class_merge_type": ["min", "max"]}},
            "mul_class_merge_type has 2 entries for 1 metrics",
        ),
        ({"iv_param": {"filter_type": "top_k", "threshold": 0}}, "1, 2, ..."),
        ({"iv_param": {"filter_type": "top_k", "threshold": 1.5}}, "1, 2, ..."),
        ({"iv_param": {"filter_type": "top_percentile", "threshold": 2}}, "0 to 1"),
        (
            {"iv_param": {"filter_type": "top_k", "host_thresholds": 0.1}},
            "host_thresholds are for filter_type threshold",
        ),
        ({"iv_param": {"host_thresholds": [[0.1]]}}, "only beside a list of metrics"),
        (
            {"iv_param": {"metrics": ["iv", "iv"], "host_thresholds": [0.1]}},
            "host_thresholds has 1 entries for 2 metrics",
        ),
        ({"percentage_value_param": {"upper_pct": 0.05}}, ">= 0.1"),
        ({"manually_param": {"filter_out_indexes": [0], "left_col_names": ["a"]}}, "not both"),
        ({"iv_top_k_param": {"k": 0}}, ">= 1"),
        ({"outlier_param": {"percentile": 1.5}}, "<= 1"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(given, said):
    with pytest.raises(BadParameters) as refusal:
        parsed(**given)
    assert said in str(refusal.value)


def test_defaults_are_fates():
    p = parsed(filter_methods=["psi_filter", "vif_filter", "statistic_filter", "hetero_sbt_filter"])
    assert [(s.rule, s.metric) for s in p.steps] == [
        (Rule("threshold", 1, take_high=False), "psi"),
        (Rule("threshold", 5, take_high=False), "vif"),
        (Rule("threshold", 1), "mean"),
        (Rule("threshold", 1), "feature_importance"),
    ]
    old = ["unique_value", "iv_value_thres", "iv_percentile", "iv_top_k", "outlier_cols"]
    p = parsed(filter_methods=[*old, "coefficient_of_variation_value_thres", "percentage_value"])
    assert [(s.rule, s.metric) for s in p.steps] == [
        (Rule("threshold", 1e-5), "stddev"),
        (Rule("threshold", 0), "iv"),
        (Rule("top_percentile", 1), "iv"),
        (Rule("top_k", 10), "iv"),
        (Rule("threshold", 1, take_high=False), "100%"),
        (Rule("threshold", 1), "coefficient_of_variance"),
        (Rule("threshold", 1, take_high=False), ""),
    ]
    assert p.federated_filters == ["iv_value_thres", "iv_percentile", "iv_top_k"]


@pytest.mark.parametrize(
    ("percentile", "metric"), [(0.95, "95%"), (0.29, "29%"), (0.575, "57.5%"), (1, "100%")]
)
def test_a_quantile_is_named_as_datastatistics_names_it(percentile, metric):
    p = parsed(filter_methods=["outlier_cols"], outlier_param={"percentile": percentile})
    assert p.steps[0].metric == metric


def test_thresholds_of_hosts_are_as_many_as_hosts():
    p = parsed(
        filter_methods=["iv_filter"],
        iv_param={"metrics": ["iv"] * 3, "host_thresholds": [[0.1, None], 0.2, None]},
    )
    found = [selection_params.thresholds_of(step, 2, "s_0") for step in p.steps]
    assert found == [[0.1, None], [0.2, 0.2], [None, None]]
    with pytest.raises(BadParameters, match="for 2 hosts; the job has 3"):
        selection_params.thresholds_of(p.steps[0], 3, "s_0")
