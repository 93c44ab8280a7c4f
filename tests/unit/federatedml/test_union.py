"""Union: equal to pandas' concat and drop_duplicates, for every kind of table; what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml import runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.union import Union
from federatedml.data.frame import Frame, FrameSchema, RawSchema, RawTable, Values
from federatedml.data.predicting import predictions
from federatedml.errors import BadData
from federatedml.params import parse
from federation import GUEST, HOST, Party


def frame(ids, names=("x0", "x1"), shift=0.0, label=True, pack=np.asarray, **schema):
    n, k = len(ids), len(names)
    x = np.arange(n * k, dtype=float).reshape(n, k) + shift
    made = FrameSchema(
        header=list(names),
        anonymous_header=[f"guest_9_x{i}" for i in range(k)],
        label_name="y" if label else None,
        **schema,
    )
    y = np.arange(n) if label else None
    return Frame(pa.array(list(ids), pa.string()), pack(x), made, label=y)


def raw(ids, names=("y", "x0"), value="v", **schema):
    columns = {name: [f"{value}{name}{i}" for i in ids] for name in names}
    header = ",".join(names)
    return RawTable(pa.array(list(ids)), pa.table(columns), RawSchema(header=header, **schema))


def united(*tables, names=None, role=GUEST, **parameters):
    me = Party(role, "9")
    ctx = Ctx(me, [me], None)
    ctx.name = "union_0"
    names = names or [f"t_{i}" for i in range(len(tables))]
    named = [NamedData(n, "data", t) for n, t in zip(names, tables, strict=True)]
    component = Union(parse(Union.Params, parameters, "Union#union_0"))
    outputs = runner.run(component, ctx, Inputs({"data": named}))
    return outputs.data[0], ctx.report


def table_of(frame):
    x = frame.x.toarray() if sparse.issparse(frame.x) else frame.x
    out = pd.DataFrame(x, columns=frame.schema.header, index=frame.ids.to_pylist())
    return out if frame.label is None else out.assign(label=frame.label)


@settings(deadline=None, max_examples=60)
@given(
    ids=st.lists(
        st.lists(st.sampled_from("abcdefgh"), min_size=0, max_size=8, unique=True),
        min_size=2,
        max_size=4,
    ),
    packs=st.lists(st.sampled_from([np.asarray, sparse.csr_matrix]), min_size=4, max_size=4),
    columns=st.lists(
        st.lists(st.sampled_from(["x0", "x1", "x2"]), min_size=1, max_size=3, unique=True),
        min_size=4,
        max_size=4,
    ),
)
def test_rows_and_columns_are_those_of_pandas(ids, packs, columns):
    frames = [
        frame(i, names, shift=10.0 * at + 1, pack=pack)
        for at, (i, names, pack) in enumerate(zip(ids, columns, packs, strict=False))
    ]
    out, report = united(*frames, allow_missing=True)
    twin = pd.concat([table_of(f) for f in frames])
    twin = twin[~twin.index.duplicated()]
    ours = table_of(out)[twin.columns]
    if sparse.issparse(out.x):  # what a sparse table does not name is 0
        twin = twin.fillna(0.0)
        ours = ours.fillna(0.0)
    elif any(sparse.issparse(f.x) for f in frames):
        ours, twin = ours.fillna(0.0), twin.fillna(0.0)
    pd.testing.assert_frame_equal(ours, twin, check_dtype=False)
    assert sparse.issparse(out.x) == sparse.issparse(frames[0].x)
    assert report.told["Total"] == len(twin)
    anonymous = out.schema.anonymous_header
    assert len(set(anonymous)) == len(anonymous) == len(out.schema.header)
    assert anonymous[: len(columns[0])] == frames[0].schema.anonymous_header


@pytest.mark.parametrize("make", [frame, raw])
def test_the_first_row_of_an_id_is_kept_and_the_board_is_told(make):
    out, report = united(make(["a", "b"]), make(["b", "c"]), make(["a", "d"]))
    ids = out.ids if make is frame else out.key
    assert ids.to_pylist() == ["a", "b", "c", "d"]
    assert report.told == {"t_0.data.0": 2, "t_1.data.0": 2, "t_2.data.0": 2, "Total": 4}
    assert report.metrics == {("train", "union"): ("UNION", list(report.told.items()), {})}
    if make is frame:
        assert out.x.tolist() == [[0, 1], [2, 3], [2, 3], [2, 3]]
    else:
        assert out.columns["x0"].to_pylist() == ["vx0a", "vx0b", "vx0c", "vx0d"]


@pytest.mark.parametrize("make", [frame, raw])
def test_duplicates_are_kept_under_the_name_of_their_table(make):
    tables = make(["a", "b"]), make(["b"]), make(["b"])
    out, report = united(*tables, names=["r_0", "r_1", "r_1"], keep_duplicate=True)
    ids = (out.ids if make is frame else out.key).to_pylist()
    assert ids == ["a_r_0.data.0", "b_r_0.data.0", "b_r_1.data.0", "b_r_1.data.1"]
    assert report.told["Total"] == 4


def test_predictions_and_other_tables_are_united_too():
    parts = [
        predictions(frame([f"r{i}", "b"]), np.array([0.1 + i / 10, 0.9]), [0, 1]) for i in (0, 1)
    ]
    out, _ = united(*parts)
    assert out.ids.to_pylist() == ["r0", "b", "r1"]
    np.testing.assert_allclose(out.score, [0.1, 0.9, 0.2])
    assert out.result.tolist() == [0, 1, 0]
    values = [Values(pa.array([i]), pa.table({"c": [i]}), content="z") for i in ("a", "b")]
    out, _ = united(*values)
    assert out.columns["c"].to_pylist() == ["a", "b"]


def test_wide_tables_and_tables_to_fill_are_united():
    wide = [
        RawTable(pa.array([i]), pa.table({"value": [f"{i}:1"]}), RawSchema(wide=True)) for i in "ab"
    ]
    out, _ = united(*wide)
    assert out.columns["value"].to_pylist() == ["a:1", "b:1"]
    assert out.schema == RawSchema(wide=True)
    out, _ = united(raw(["a"]), raw(["b"], names=("y", "z")), allow_missing=True)
    assert out.schema.header == "y,x0,z"
    assert out.columns.to_pylist() == [
        {"y": "vya", "x0": "vx0a", "z": ""},
        {"y": "vyb", "x0": "", "z": "vzb"},
    ]


def test_text_features_come_along():
    def texts(ids, value):
        base = frame(ids)
        return Frame(
            base.ids, base.x, base.schema, label=base.label, texts=pa.table({"x1": [value]})
        )

    out, _ = united(texts(["a"], "one"), texts(["b"], "two"))
    assert out.texts["x1"].to_pylist() == ["one", "two"]
    with pytest.raises(BadData, match="numbers and elsewhere texts"):
        united(texts(["a"], "one"), frame(["b"]))
    out, _ = united(texts(["a"], "one"), frame(["b"], names=("x0",)), allow_missing=True)
    assert out.texts["x1"].to_pylist() == ["one", None]


def test_weights_match_ids_and_label_types_come_along():
    def full(ids, dtype):
        base = frame(ids, weight_name="weight", match_id_name="m")
        return Frame(
            base.ids,
            base.x,
            base.schema,
            label=base.label.astype(dtype),
            weight=np.full(len(ids), 2.0),
            match_ids=base.ids,
        )

    out, _ = united(full(["a"], np.int64), full(["b"], np.float64))
    assert (out.weight.tolist(), out.match_ids.to_pylist()) == ([2.0, 2.0], ["a", "b"])
    assert out.label.dtype == np.float64


def test_a_party_without_tables_has_nothing_to_unite():
    assert united(role=HOST)[0] is None


A = frame(["a"])


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([A], "two tables or more as data, got 1"),
        ([A, raw(["b"])], "t_1.data.0 is another kind of table than t_0.data.0"),
        ([A, frame(["b"], names=("x0",))], "t_1.data.0 lacks 1 of the 2 columns"),
        ([frame(["b"], names=("x0",)), A], "t_0.data.0 lacks 1 of the 2 columns"),
        ([A, frame(["b"], names=("x0", "x0"))], "t_1.data.0 has columns of one name"),
        ([A, frame(["b"], sid_name="uid")], "differ in the name of the id"),
        ([A, frame(["b"], label=False)], "differ in the name of the label"),
        ([A, Frame(pa.array(["b"]), A.x, A.schema)], "whether rows have labels"),
        (
            [A, Frame(pa.array(["b"]), A.x, A.schema, label=pa.array(["z"]))],
            "differ in the type of the label",
        ),
        (
            [A, Frame(pa.array(["b"]), A.x, A.schema, label=A.label, weight=np.ones(1))],
            "whether rows have weights",
        ),
        ([raw(["a"]), raw(["b"], delimiter=";")], "differ in the format of the upload"),
        ([raw(["a"]), raw(["b"], names=("y", "z"))], "lacks 1 of the 3 columns"),
        (
            [
                predictions(A, np.array([0.5]), [0, 1]),
                predictions(A, np.array([0.5]), ["a", "b"]),
            ],
            "the classes of the predictions",
        ),
    ],
)
def test_tables_that_do_not_go_together_are_refused(tables, said):
    with pytest.raises(BadData, match=f"union_0: .*{said}"):
        united(*tables)


def test_columns_in_another_order_are_matched_by_name():
    out, _ = united(frame(["a"], names=("x0", "x1")), frame(["b"], names=("x1", "x0")))
    assert out.x.tolist() == [[0.0, 1.0], [1.0, 0.0]]
