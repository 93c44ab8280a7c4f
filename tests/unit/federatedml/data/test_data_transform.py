"""DataTransform of every format equals a plain-Python twin, at fit and at transform."""

import math

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml import archive, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.data_transform import DataTransform
from federatedml.data import parsing
from federatedml.data.frame import Frame, RawSchema, RawTable
from federatedml.errors import BadData, BadParameters
from federatedml.params import parse
from federation import GUEST, HOST, Party
from federation.transport.inproc import Hub

G, H = Party(GUEST, "9999"), Party(HOST, "10000")


def dense(header, rows, *, sid="id", meta=None):
    """A raw table of these rows (id first), all texts."""
    columns = [pa.array([row[i + 1] for row in rows], pa.string()) for i in range(len(header))]
    table = pa.Table.from_arrays(columns, names=list(header))
    schema = RawSchema(header=",".join(header), sid=sid, meta=meta or {})
    return RawTable(pa.array([row[0] for row in rows], pa.string()), table, schema)


def wide(lines, *, delimiter=",", meta=None):
    keys = pa.array([f"id{i}" for i in range(len(lines))], pa.string())
    schema = RawSchema(wide=True, delimiter=delimiter, meta=meta or {})
    return RawTable(keys, pa.table({"value": pa.array(lines, pa.string())}), schema)


def run(raw, *, model=None, me=G, **parameters):
    ctx = Ctx(me, [me], Hub())
    ctx.name = "data_transform_0"
    component = DataTransform(parse(DataTransform.Params, parameters, "DataTransform#dt_0"))
    inputs = Inputs(data={"data": [NamedData("reader_0", "data", raw)]}, model=model)
    outputs = runner.run(component, ctx, inputs)
    (frame,) = outputs.data
    assert isinstance(frame, Frame)
    return frame, outputs.model, ctx.report


def matrix(x):
    return x.toarray() if sparse.issparse(x) else x


ROWS = [("a", "1", "0.5", "7"), ("b", "0", "-2", "1e3"), ("c", "1", "3.25", "0")]


def test_dense_columns_become_numbers_and_the_label_is_taken_out():
    frame, model, _ = run(dense(["y", "x0", "x1"], ROWS), with_label=True)
    assert frame.ids.to_pylist() == ["a", "b", "c"]
    np.testing.assert_array_equal(frame.x, [[0.5, 7], [-2, 1000], [3.25, 0]])
    assert frame.x.flags.c_contiguous
    assert frame.label.tolist() == [1, 0, 1]
    assert frame.label.dtype == np.int64
    assert frame.schema.header == ["x0", "x1"]
    assert frame.schema.anonymous_header == ["guest_9999_x0", "guest_9999_x1"]
    assert (frame.schema.label_name, frame.schema.anonymous_label) == ("y", "guest_9999_y")
    assert model.param.header == ["x0", "x1"]


def test_the_model_is_fates_json():
    _, model, report = run(dense(["x0"], [("a", "1")]), me=H)
    assert msgspec.to_builtins(model) == {
        "meta": {
            "dataType": "float64",
            "delimitor": ",",
            "exclusiveDataType": {},
            "imputerMeta": {"isImputer": False, "missingValue": [], "strategy": ""},
            "inputFormat": "dense",
            "labelName": "",
            "labelType": "",
            "needRun": False,
            "outlierMeta": {"isOutlier": False, "outlierValue": [], "strategy": ""},
            "outputFormat": "dense",
            "tagValueDelimitor": ":",
            "tagWithValue": False,
            "withLabel": False,
            "withMatchId": False,
        },
        "param": {
            "anonymousHeader": ["host_10000_x0"],
            "header": ["x0"],
            "imputerParam": {"missingReplaceValue": {}, "missingValueRatio": {}},
            "labelName": "",
            "outlierParam": {"outlierReplaceValue": {}, "outlierValueRatio": {}},
            "sidName": "",
        },
    }
    assert report.told == {}


@pytest.mark.parametrize("asked", ["Target", "target", "TARGET"])
def test_the_label_is_found_whatever_its_case(asked):
    frame, model, _ = run(
        dense(["Target", "x"], [("a", "1", "2")]), with_label=True, label_name=asked
    )
    assert frame.schema.label_name == "Target"
    assert model.param.label_name == "Target"


def test_the_case_decides_between_two_labels():
    table = dense(["y", "Y"], [("a", "1", "2")])
    assert run(table, with_label=True, label_name="Y")[0].label.tolist() == [2]


@pytest.mark.parametrize(
    ("kind", "text", "label"),
    [("int", "3", 3), ("int", "3.0", 3), ("float", "0.5", 0.5), ("str", "good", "good")],
)
def test_labels_are_of_the_type_asked_for(kind, text, label):
    frame, _, _ = run(dense(["y"], [("a", text)]), with_label=True, label_type=kind)
    found = frame.label.to_pylist() if kind == "str" else frame.label.tolist()
    assert found == [label]


def test_match_ids_leave_the_features():
    rows = [("0", "m1", "n1", "5"), ("1", "m2", "n2", "6")]
    frame, _, _ = run(
        dense(["phone", "x0"], [(r[0], r[1], r[3]) for r in rows]), with_match_id=True
    )
    assert frame.match_ids.to_pylist() == ["m1", "m2"]
    assert (frame.schema.match_id_name, frame.schema.header) == ("phone", ["x0"])
    meta = {"with_match_id": True, "id_list": ["phone", "mail"]}
    frame, _, _ = run(dense(["phone", "mail", "x0"], rows, meta=meta), match_id_name="mail")
    assert frame.match_ids.to_pylist() == ["n1", "n2"]
    assert frame.schema.match_id_name == "mail"
    assert frame.schema.header == ["x0"]


def test_the_upload_meta_wins_over_the_parameters():
    meta = {"with_label": True, "label_name": "t", "label_type": "float"}
    table = dense(["y", "t"], [("a", "1", "2")], meta=meta)
    frame, model, _ = run(table, with_label=True, label_name="y")
    assert frame.schema.header == ["y"]
    assert frame.label.tolist() == [2.0]
    assert model.meta.label_type == "float"


def test_columns_of_a_type_of_their_own():
    table = dense(["Town", "n"], [("a", "Gent", "1"), ("b", "Brugge", "2")])
    frame, _, _ = run(table, exclusive_data_type={"town": "str"})
    assert frame.texts.to_pydict() == {"Town": ["Gent", "Brugge"]}
    np.testing.assert_array_equal(frame.x, [[math.nan, 1], [math.nan, 2]])


def test_empty_cells_and_words_are_missing_without_being_told():
    words = ["", "NULL", "null", "NA", "none", "nan", " 7 ", "+8"]
    frame, _, _ = run(dense(["x"], [(str(i), w) for i, w in enumerate(words)]))
    np.testing.assert_array_equal(frame.x[:, 0], [math.nan] * 6 + [7, 8])


FILLS = {
    "zero": (None, lambda seen: 0.0),
    "min": ("min", min),
    "max": ("max", max),
    "mean": ("mean", lambda seen: sum(seen) / len(seen)),
    "designated": ("designated", lambda seen: 42.0),
}


@pytest.mark.parametrize("case", FILLS)
def test_missing_values_are_filled_as_the_twin_fills_them(case):
    method, twin = FILLS[case]
    cells = [("a", "1", "-9"), ("b", "", "4"), ("c", "NA", "6"), ("d", "5", "?")]
    given = {"missing_fill": True, "missing_fill_method": method, "default_value": 42}
    given["missing_impute"] = [-9, "?"]
    frame, model, report = run(dense(["p", "q"], cells), **given)
    p, q = twin([1.0, 5.0]), twin([4.0, 6.0])
    np.testing.assert_allclose(frame.x, [[1, q], [p, 4], [p, 6], [5, q]])
    kept = model.param.imputer_param
    assert {k: float(v) for k, v in kept.missing_replace_value.items()} == {"p": p, "q": q}
    assert kept.missing_value_ratio == {"p": 0.5, "q": 0.5}
    assert model.meta.imputer_meta.strategy == (method or "")
    assert model.meta.imputer_meta.missing_value == ["-9", "?"]
    assert set(report.told["missing_fill_info"]) == {
        "missing_value", "missing_impute_value", "missing_impute_rate",
    }  # fmt: skip
    again, _, _ = run(dense(["p", "q"], [("z", "?", "1")]), model=model)
    np.testing.assert_allclose(again.x, [[p, 1]])


def test_a_designated_value_for_each_column():
    given = {"missing_fill": True, "missing_fill_method": "designated", "default_value": [1, 2]}
    frame, _, _ = run(dense(["p", "q"], [("a", "", "")]), **given)
    assert frame.x.tolist() == [[1, 2]]
    with pytest.raises(BadData, match="1 designated values for 2 columns"):
        run(dense(["p", "q"], [("a", "", "")]), **{**given, "default_value": [1]})


def test_outliers_are_replaced_and_do_not_enter_the_statistics():
    cells = [("a", "1"), ("b", "999"), ("c", "bad"), ("d", "3"), ("e", "")]
    given = {"outlier_replace": True, "outlier_replace_method": "max"}
    given["outlier_impute"] = [999, "bad"]
    frame, model, report = run(dense(["p"], cells), **given)
    np.testing.assert_array_equal(frame.x[:, 0], [1, 3, 3, 3, math.nan])
    assert model.param.outlier_param.outlier_replace_value == {"p": "3"}
    assert report.told == {"outlier_replace_rate": {"p": 0.4}}
    again, _, _ = run(dense(["p"], [("z", "bad"), ("y", "999"), ("x", "7")]), model=model)
    assert again.x[:, 0].tolist() == [3, 3, 7]


def test_a_column_with_no_value_at_all_is_filled_with_zero():
    given = {"missing_fill": True, "missing_fill_method": "mean"}
    assert run(dense(["p"], [("a", ""), ("b", "")]), **given)[0].x.tolist() == [[0], [0]]


def test_sparse_output_drops_what_is_nothing():
    table = dense(["p", "q"], [("a", "0", "1"), ("b", "1e-9", "")])
    frame, _, _ = run(table, output_format="sparse")
    assert sparse.issparse(frame.x)
    assert frame.x.nnz == 2
    np.testing.assert_array_equal(frame.x.toarray(), [[0, 1], [0, math.nan]])


def test_transform_aligns_to_the_header_of_the_fit(tmp_path):
    _, model, _ = run(dense(["y", "x0", "x1"], ROWS), with_label=True)
    archive_path = tmp_path / "model.json"
    archive.save(archive_path, "DataTransform", model)
    kept = msgspec.convert(msgspec.to_builtins(model), DataTransform.Model)
    table = dense(["x1", "new", "x0"], [("z", "1", "text is fine here", "2")])
    frame, same, _ = run(table, model=kept, with_label=True)
    assert frame.schema.header == ["x0", "x1"]
    assert frame.x.tolist() == [[2, 1]]
    assert frame.label is None
    assert frame.schema.label_name is None
    assert same is kept


def test_transform_names_how_many_columns_are_missing():
    _, model, _ = run(dense(["x0", "x1"], [("a", "1", "2")]))
    with pytest.raises(BadData, match="lacks 1 columns that the model was fitted on; this"):
        run(dense(["x0"], [("a", "1")]), model=model)


REFUSED = {
    "text": (dense(["x"], [("a", "1"), ("b", "secret")]), {}, "feature x0, row 2: not a number"),
    "fraction": (
        dense(["x"], [("a", "1"), ("b", "1.5")]), {"data_type": "int"}, "row 2: not a whole",
    ),
    "label": (dense(["y"], [("a", "secret")]), {"with_label": True},
              "label column 'y', row 1: not a number, but label_type is int; for labels that are "
              "text set label_type: str"),
    "no label": (dense(["y"], [("a", "1"), ("b", "")]), {"with_label": True}, "row 2: no label"),
    "label column": (dense(["x"], [("a", "1")]), {"with_label": True}, "no label column 'y'"),
    "match id": (
        dense(["x"], [("a", "1")]), {"with_match_id": True, "match_id_name": "m"},
        "no match id column m",
    ),
    "fid": (wide(["0:1", "secret:1"]), {"input_format": "sparse"}, "row 2: a feature number"),
    "negative": (wide(["0:1", "-1:1"]), {"input_format": "sparse"}, "row 2: a feature number is"),
    "huge": (wide(["9999999:1"]), {"input_format": "sparse"}, "row 1: a feature number above"),
    "pair": (wide(["0:1", "0:1,secret"]), {"input_format": "sparse"}, "row 2: a field is not"),
    "value": (wide(["0:1", "0:secret"]), {"input_format": "sparse"}, "row 2: the value of a field"),
    "sparse label": (
        wide(["1,0:1", ""]), {"input_format": "sparse", "with_label": True}, "row 2: no label",
    ),
    "tag value": (
        wide(["t:1", "t:secret"]), {"input_format": "tag", "tag_with_value": True},
        "row 2: the value",
    ),
    "ragged": (wide(["1,2", "1"]), {}, "row 2 has 1 fields after its id, 2 expected"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_column_and_row_and_without_the_value(case):
    table, given, reason = REFUSED[case]
    with pytest.raises(BadData) as refused:
        run(table, **given)
    assert reason in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("given", [{}, {"data_type": "int"}], ids=["text", "fraction"])
def test_errors_that_all_parties_read_do_not_say_what_a_party_calls_its_columns(given, caplog):
    table = dense(["debt", "income"], [("a", "1", "1"), ("b", "1", "1.5" if given else "secret")])
    with pytest.raises(BadData, match="feature x1, row 2") as refused:
        run(table, **given)
    assert "income" not in str(refused.value)
    assert "feature x1 is column 'income'" in caplog.text
    assert "secret" not in caplog.text
    _, model, _ = run(dense(["debt", "income"], [("a", "1", "2")]))
    with pytest.raises(BadData) as refused:
        run(dense(["debt"], [("a", "1")]), model=model)
    assert "income" not in str(refused.value)
    assert "lacks: income" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_format": "csv"},
        {"delimitor": ""},
        {"missing_fill_method": "mode"},
        {"labelname": "y"},
    ],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(BadParameters):
        run(dense(["x"], [("a", "1")]), **wrong)


def test_a_table_without_header_gets_one():
    frame, _, _ = run(wide(["1,2", "3,4"]))
    assert frame.schema.header == ["x0", "x1"]
    assert frame.x.tolist() == [[1, 2], [3, 4]]
    assert frame.schema.sid_name == "sid"


def test_cells_joined_by_another_delimiter_are_split():
    frame, _, _ = run(dense(["p;q"], [("a", "1;2")]), delimitor=";")
    assert frame.schema.header == ["p", "q"]
    assert frame.x.tolist() == [[1, 2]]


numbers = st.floats(allow_nan=False, allow_infinity=False, width=32).map(float)
svm_rows = st.lists(
    st.dictionaries(st.integers(0, 12), numbers, max_size=6), min_size=1, max_size=12
)


def svm_twin(rows, k):
    return [[row.get(i, 0.0) for i in range(k)] for row in rows]


@settings(deadline=None, max_examples=60)
@given(svm_rows, st.booleans(), st.integers(0, 2))
def test_svmlight_equals_its_twin(rows, labelled, ids):
    lines = []
    for i, row in enumerate(rows):
        lead = [f"m{j}-{i}" for j in range(ids)] + ([str(i % 2)] if labelled else [])
        lines.append(",".join([*lead, *(f"{f}:{v!r}" for f, v in row.items())]))
    meta = {"input_format": "sparse", "with_label": labelled}
    meta |= {"with_match_id": ids > 0, "id_range": ids}
    k = 1 + max((f for row in rows for f in row), default=-1)
    frame, model, _ = run(wide(lines, meta=meta), match_id_index=max(ids - 1, 0))
    assert matrix(frame.x).tolist() == svm_twin(rows, k)
    assert frame.schema.header == [f"x{i}" for i in range(k)]
    if labelled:
        assert frame.label.tolist() == [i % 2 for i in range(len(rows))]
        assert frame.schema.label_name == "label"
    if ids:
        assert frame.match_ids.to_pylist() == [f"m{ids - 1}-{i}" for i in range(len(rows))]
    more, _, _ = run(wide([*lines, lines[0] + ",99:1"], meta=meta), model=model)
    assert matrix(more.x).tolist() == svm_twin([*rows, rows[0]], k)


def test_of_a_repeated_field_the_last_counts():
    assert run(wide(["0:1,1:5,0:3"]), input_format="sparse")[0].x.tolist() == [[3, 5]]


tag = st.text(st.sampled_from("abz09_"), min_size=1, max_size=3)
tag_rows = st.lists(st.dictionaries(tag, numbers, max_size=5), min_size=1, max_size=10)


@settings(deadline=None, max_examples=60)
@given(tag_rows, st.booleans(), st.booleans())
def test_tags_equal_their_twin(rows, valued, as_columns):
    rows = [row or {"a": 1.0} for row in rows]
    header = sorted({name for row in rows for name in row})
    twin = [[(row[h] if valued else 1.0) if h in row else 0.0 for h in header] for row in rows]
    cells = [[f"{t}={v!r}" if valued else t for t, v in row.items()] for row in rows]
    width = max(map(len, cells))
    if as_columns:
        padded = [(f"id{i}", *c, *[""] * (width - len(c))) for i, c in enumerate(cells)]
        table = dense([f"c{i}" for i in range(width)], padded)
    else:
        table = wide([",".join(row) for row in cells])
    given_ = {"input_format": "tag", "tag_with_value": valued, "tag_value_delimitor": "="}
    frame, model, _ = run(table, output_format="sparse", **given_)
    assert frame.schema.header == header
    np.testing.assert_allclose(matrix(frame.x), twin, atol=1e-8)
    other, _, _ = run(wide(["new=1" if valued else "new"]), model=model)
    assert matrix(other.x).tolist() == [[0.0] * len(header)]


def test_tags_with_values_know_what_is_missing():
    given_ = {"input_format": "tag", "tag_with_value": True, "missing_fill": True}
    frame, model, _ = run(wide(["a:1,b:4", "a:3"]), missing_fill_method="max", **given_)
    assert frame.x.tolist() == [[1, 4], [3, 4]]
    assert model.param.imputer_param.missing_value_ratio == {"a": 0.0, "b": 0.5}
    assert run(wide(["b:2"]), model=model)[0].x.tolist() == [[3, 2]]


def test_rows_to_predict_may_come_without_their_label():
    given_ = {"input_format": "sparse", "with_label": True}
    _, model, _ = run(wide(["1,0:1", "0,1:2"]), **given_)
    frame, _, _ = run(wide(["0:5", "1:6"]), model=model)
    assert frame.label is None
    assert frame.x.tolist() == [[5, 0], [0, 6]]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(numbers, st.one_of(st.none(), numbers), st.integers(0, 3)), min_size=1))
def test_dense_equals_its_twin_bit_for_bit(rows):
    cells = [
        (str(i), repr(a), "" if b is None else repr(b), str(y)) for i, (a, b, y) in enumerate(rows)
    ]
    frame, _, _ = run(dense(["a", "b", "y"], cells), with_label=True)
    twin = [[a, math.nan if b is None else b] for a, b, _ in rows]
    np.testing.assert_array_equal(frame.x, twin)
    assert frame.label.tolist() == [y for _, _, y in rows]


@pytest.mark.parametrize("kind", ["int", "int64", "long"])
def test_an_infinite_label_is_no_whole_number(kind):
    with pytest.raises(BadData, match="row 2: not a whole number"):
        parsing.labels(pa.array(["1", "inf", "0"]), "y", kind)
