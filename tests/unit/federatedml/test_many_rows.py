"""Components that choose and label rows: 1,000,000 rows of 100 columns without a loop over rows."""

import time

import numpy as np
import pyarrow as pa
import pytest

from federatedml import runner
from federatedml.catalog import find
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.data.frame import Frame, FrameSchema
from federatedml.data.predicting import predictions
from federatedml.params import parse
from federation import GUEST, Party

N, K, LIMIT_S = 1_000_000, 100, 30


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    ids = pa.array(np.char.zfill(np.arange(N).astype(str), 7))
    schema = FrameSchema(header=[f"x{i}" for i in range(K)], label_name="y")
    return Frame(ids, rng.random((N, K)), schema, label=(rng.random(N) < 0.2).astype(np.int64))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "given"),
    [
        ("HomoDataSplit", {"test_size": 0.2, "stratified": True}),
        ("FederatedSample", {"task_type": "homo", "fractions": 0.5}),
        ("SampleWeight", {"sample_weight_name": "x3"}),
        ("LabelTransform", {"label_encoder": {"0": 1, "1": 0}}),
        ("Union", {}),
        ("PositiveUnlabeled", {"strategy": "quantity", "threshold": 1000}),
    ],
)
def test_a_million_rows_take_seconds(rows, module, given):
    tables = [rows]
    if module == "Union":
        tables = [rows.take(np.arange(N * 6 // 10)), rows.take(np.arange(N * 4 // 10, N))]
    elif module == "PositiveUnlabeled":
        tables.append(predictions(rows, rows.x[:, 0], [0, 1]))
    me = Party(GUEST, "9999")
    ctx = Ctx(me, [me], None)
    component = find(module)(parse(find(module).Params, given, module))
    named = [NamedData(f"t_{i}", "data", table) for i, table in enumerate(tables)]
    begun = time.perf_counter()
    outputs = runner.run(component, ctx, Inputs({"data": named}))
    assert time.perf_counter() - begun < LIMIT_S
    assert sum(data.n_rows for data in outputs.data) == (
        N // 2 if module == "FederatedSample" else N
    )
