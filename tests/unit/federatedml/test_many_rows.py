"""Components that choose and label rows do it without a loop over rows."""

import numpy as np
import pyarrow as pa
import pytest
from counted_steps import FEW, steps

from federatedml import runner
from federatedml.catalog import find
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.data.frame import Frame, FrameSchema
from federatedml.data.predicting import predictions
from federatedml.params import parse
from federation import GUEST, Party

COMPONENTS = [
    ("HomoDataSplit", {"test_size": 0.2, "stratified": True}),
    ("FederatedSample", {"task_type": "homo", "fractions": 0.5}),
    ("SampleWeight", {"sample_weight_name": "x3"}),
    ("LabelTransform", {"label_encoder": {"0": 1, "1": 0}}),
    ("Union", {}),
    ("PositiveUnlabeled", {"strategy": "quantity", "threshold": 1000}),
]


def rows(n, k):
    rng = np.random.default_rng(0)
    ids = pa.array(np.char.zfill(np.arange(n).astype(str), 7))
    schema = FrameSchema(header=[f"x{i}" for i in range(k)], label_name="y")
    return Frame(ids, rng.random((n, k)), schema, label=(rng.random(n) < 0.2).astype(np.int64))


def job(module, given, table):
    """A function that runs the component once."""
    n, tables = table.n_rows, [table]
    if module == "Union":
        tables = [table.take(np.arange(n * 6 // 10)), table.take(np.arange(n * 4 // 10, n))]
    elif module == "PositiveUnlabeled":
        tables.append(predictions(table, table.x[:, 0], [0, 1]))
    me = Party(GUEST, "9999")
    component = find(module)(parse(find(module).Params, given, module))
    named = [NamedData(f"t_{i}", "data", one) for i, one in enumerate(tables)]
    return lambda: runner.run(component, Ctx(me, [me], None), Inputs({"data": named}))


@pytest.mark.parametrize(("module", "given"), COMPONENTS)
def test_more_rows_take_no_more_steps(module, given):
    few, many = (job(module, given, rows(n, 5)) for n in (1500, 12_000))
    assert steps(many) < steps(few) + FEW


@pytest.fixture(scope="module")
def million():
    return rows(1_000_000, 100)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "given"), COMPONENTS)
def test_a_million_rows(million, module, given):
    outputs = job(module, given, million)()
    assert sum(data.n_rows for data in outputs.data) == (
        million.n_rows // (2 if module == "FederatedSample" else 1)
    )
