"""What linear models say of features that they cannot learn."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from federatedml import lr_model
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData

NAMES = [f"secret{i}" for i in range(8)]


def features():
    x = np.arange(1.0, 33.0).reshape(4, 8)
    x[1, [0, 2]], x[2, 2], x[:, 1], x[0, 3:] = np.nan, -np.inf, 0.0, 3e8
    return x


def frame(x, anonymous=()):
    ids = pa.array([f"id{i}" for i in range(x.shape[0])])
    return Frame(ids, x, FrameSchema(header=NAMES, anonymous_header=list(anonymous)))


@pytest.mark.parametrize("pack", [np.asarray, sparse.csr_matrix])
def test_missing_and_too_large_features_are_told_apart_without_names_or_values(pack):
    with pytest.raises(BadData) as raised:
        lr_model.features(frame(pack(features())), "lr_0")
    assert str(raised.value) == (
        "lr_0: columns with missing values: 2 (x0, x2); fill them (missing_fill of DataTransform, "
        "FeatureImputation); columns beyond 1e8 in size: 6 (x2, x3, x4, x5, x6, ...); "
        "scale them (FeatureScale)"
    )


def test_columns_keep_their_anonymous_names_in_the_order_of_a_model():
    given = frame(features()[:2, [7, 2, 0, 3, 4, 5, 6, 1]], [f"host_9_x{i}" for i in range(8)])
    with pytest.raises(BadData, match=r"missing values: 1 \(host_9_x1\); fill [^;]*$"):
        lr_model.features(given, "lr_0", ["secret7", "secret1"])
