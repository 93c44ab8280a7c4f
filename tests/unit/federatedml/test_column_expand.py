"""ColumnExpand: columns of one value before DataTransform, at fit and at transform."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from federatedml import archive, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.column_expand import ColumnExpand
from federatedml.components.data_transform import DataTransform
from federatedml.data import layout
from federatedml.data.frame import RawSchema, RawTable
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.params import parse
from federation import GUEST, Party

NAMES, FILLS = ["e0", "e1"], [0, 0.25]


def raw(names=("y", "x0"), n=3, **schema):
    columns = {name: [str(i % 2) for i in range(n)] for name in names}
    made = RawSchema(header=schema.pop("header", ",".join(names)), sid="id", **schema)
    return RawTable(pa.array([f"r{i}" for i in range(n)]), pa.table(columns), made)


def run(kind, data, model=None, **parameters):
    me = Party(GUEST, "9999")
    ctx = Ctx(me, [me], None)
    ctx.name = "column_expand_0"
    component = kind(parse(kind.Params, parameters, "ColumnExpand#column_expand_0"))
    inputs = Inputs({"data": [NamedData("reader_0", "data", data)]}, model=model)
    outputs = runner.run(component, ctx, inputs)
    return outputs.data[0], outputs.model


def expanded(data=None, model=None, **parameters):
    given = {"append_header": NAMES, "fill_value": FILLS} | parameters
    return run(ColumnExpand, raw() if data is None else data, model, **given)


def test_columns_stand_last_and_data_transform_reads_them():
    out, _ = expanded()
    assert out.schema.header == "y,x0,e0,e1"
    assert out.columns["e1"].to_pylist() == ["0.25"] * 3
    stored = layout.from_arrow(layout.to_arrow(out))
    frame, model = run(DataTransform, stored, with_label=True)
    np.testing.assert_array_equal(frame.x, [[0, 0, 0.25], [1, 0, 0.25], [0, 0, 0.25]])
    assert frame.schema.header == ["x0", "e0", "e1"]
    names = ["guest_9999_x0", "guest_9999_exp_0", "guest_9999_exp_1"]
    assert frame.schema.anonymous_header == model.param.anonymous_header == names


def test_the_model_is_fates_with_names_for_letters(tmp_path):
    _, model = expanded()
    assert msgspec.to_builtins(model) == {
        "meta": {
            "appendHeader": ["e0", "e1"],
            "fillValue": ["0", "0.25"],
            "method": "manual",
            "needRun": True,
        },
        "param": {"header": ["y", "x0", "e0", "e1"]},
    }
    archive.save(tmp_path / "model.json", "ColumnExpand", model)
    assert archive.load(tmp_path / "model.json") == model


@pytest.mark.parametrize("fill", [1e-8, "1e-08", [1e-8]])
def test_one_value_fills_all_columns(fill):
    out, _ = expanded(fill_value=fill)
    assert out.columns["e0"].to_pylist() == out.columns["e1"].to_pylist() == ["1e-08"] * 3
    assert expanded(append_header="e9", fill_value=fill)[0].schema.header == "y,x0,e9"


def test_new_rows_get_the_columns_of_the_model_that_they_lack():
    _, model = expanded()
    out, kept = expanded(raw(names=("x0",)), model, append_header=["other"], fill_value=9)
    assert (out.schema.header, kept) == ("x0,e0,e1", model)
    out, _ = expanded(raw(names=("x0", "e1")), model)
    assert out.schema.header == "x0,e1,e0"
    assert out.columns["e1"].to_pylist() == ["0", "1", "0"]


def test_without_columns_the_table_passes_through():
    data = raw()
    assert run(ColumnExpand, data)[0] is data
    assert expanded(raw(n=0))[0].columns["e0"].to_pylist() == []


@pytest.mark.parametrize(
    ("data", "parameters", "said"),
    [
        (raw(names=("y", "e1")), {}, "has 1 of the 2 columns of append_header already"),
        (raw(header="", wide=True), {}, "no named columns"),
        (raw(header=""), {}, "no named columns"),
        (raw(), {"append_header": ["a,b"], "fill_value": 1}, "must not hold the delimiter"),
        (raw(), {"append_header": ["a"], "fill_value": "1,2"}, "must not hold the delimiter"),
    ],
)
def test_tables_that_cannot_be_expanded_are_refused(data, parameters, said):
    with pytest.raises(BadData, match=f"column_expand_0: .*{said}"):
        expanded(data, **parameters)


def test_instances_and_other_models_are_refused():
    frame, _ = run(DataTransform, raw())
    with pytest.raises(BadData, match="between Reader and DataTransform"):
        expanded(frame)
    with pytest.raises(BadModel, match="none of ColumnExpand"):
        expanded(model=object())


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"append_header": ["a", "a"]}, "twice"),
        ({"append_header": [" "]}, "needs a name"),
        ({"append_header": ["a", "b", "c"], "fill_value": [1, 2]}, "2 values for 3 columns"),
        ({"method": "auto"}, "allowed: manual"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(parameters, said):
    with pytest.raises(BadParameters, match=said):
        parse(ColumnExpand.Params, parameters, "ColumnExpand#column_expand_0")
