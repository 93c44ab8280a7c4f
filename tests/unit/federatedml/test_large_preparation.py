"""Preparation of many rows, fitted and applied again, without a loop over rows. What a million of
a hundred columns cost: benchmarks/preparation.py."""

import numpy as np
import pytest
from counted_steps import FEW, steps
from plain_parties import frame, ran

from federatedml.components.feature_imputation import FeatureImputation
from federatedml.components.feature_scale import FeatureScale
from federatedml.components.onehot_encoder import OneHotEncoder

CASES = {
    "standard": (FeatureScale, {}),
    "cap": (FeatureScale, {"mode": "cap", "feat_upper": 0.99, "feat_lower": 0.01}),
    "median": (FeatureImputation, {"missing_fill_method": "median"}),
    "one-hot": (OneHotEncoder, {}),
}


def table(n):
    x = np.random.default_rng(0).integers(0, 10, size=(n, 4)).astype(float)
    x[::7, ::3] = np.nan
    return frame(x)


@pytest.mark.parametrize("case", sorted(CASES))
def test_more_rows_take_no_more_steps(case):
    component, params = CASES[case]

    def work(of):
        _, model, _ = ran(component, of, **params)
        ran(component, of, model)

    few, many = table(500), table(4000)
    assert steps(lambda: work(many)) < steps(lambda: work(few)) + FEW


def test_a_loop_over_rows_would_be_seen():
    assert (
        steps(lambda: [x + 1 for x in range(900)]) > steps(lambda: [x + 1 for x in range(9)]) + 800
    )
