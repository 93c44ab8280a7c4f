"""Each kind of data comes back from storage as it went in, and is shown as FATE shows it."""

import csv
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from eggroll.errors import TableExists, TableNotFound
from eggroll.storage import Storage
from federatedml.data import layout, stored
from federatedml.data.frame import Frame, FrameSchema, Predictions, RawSchema, RawTable, Values


@pytest.fixture
def tables(tmp_path):
    return Storage(tmp_path / "tables")


def a_frame(n=4, k=3, *, csr=False, label=None, **more):
    x = np.arange(n * k, dtype=np.float64).reshape(n, k) / 8
    header = [f"x{i}" for i in range(k)]
    schema = FrameSchema(header=header, label_name="y" if label is not None else None)
    ids = pa.array([f"id{i}" for i in range(n)])
    matrix = sparse.csr_matrix(x) if csr else x
    return Frame(ids=ids, x=matrix, schema=schema, label=label, **more)


def raw(header, key, **columns):
    table = pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()})
    return RawTable(pa.array(key), table, RawSchema(header=header, sid="id"))


PREDICTED = Predictions(
    ids=pa.array(["0", "1"]),
    result=np.array([0, 1]),
    score=np.array([0.221579359804683, 1.0]),
    detail=np.array([[0.778420640195317, 0.221579359804683], [0.0, 1.0]]),
    classes=[0, 1],
    stage=pa.array(["train", "train"]),
    label=np.array([0, 1]),
)


def test_a_raw_table_comes_back_and_its_cells_are_texts(tables):
    table = raw("y,x0", ["133", "273"], y=["1", "0"], x0=["0.254879", ""])
    kept = stored.save(tables, "experiment", "guest", table)
    back = stored.load(tables, "experiment", "guest")
    assert isinstance(back, RawTable)
    assert back.schema == table.schema
    assert back.key.to_pylist() == ["133", "273"]
    assert back.columns.column("x0").to_pylist() == ["0.254879", ""]
    assert kept.meta.kind == "raw"
    assert kept.meta.schema == {"header": "y,x0", "meta": {}, "sid": "id"}
    assert stored.preview(kept) == {
        "header": ["id", "y", "x0"],
        "rows": [["133", "1", "0.254879"], ["273", "0", ""]],
    }


def test_a_wide_raw_table_shows_its_line_split(tables):
    table = RawTable(
        pa.array(["1", "2"]),
        pa.table({"value": ["1,0:0.5,3:2", "0"]}),
        RawSchema(wide=True),
    )
    kept = stored.save(tables, "n", "svm", table)
    assert stored.load(tables, "n", "svm").schema.wide
    assert stored.preview(kept)["rows"] == [["1", "1", "0:0.5", "3:2"], ["2", "0"]]


def test_a_dense_frame_is_mapped_and_not_copied(tables):
    stored.save(tables, "n", "f", a_frame(label=np.array([0, 1, 1, 0])))
    back = stored.load(tables, "n", "f")
    assert isinstance(back, Frame)
    assert not back.x.flags.owndata
    assert not back.x.flags.writeable
    assert back.x.flags.c_contiguous
    np.testing.assert_array_equal(back.x, a_frame().x)
    assert back.label.dtype == np.int64


@pytest.mark.parametrize("csr", [False, True])
def test_every_part_of_a_frame_comes_back(tables, csr):
    frame = a_frame(
        csr=csr,
        label=pa.array(["a", "b", "a", "c"]),
        weight=np.array([1.0, 2.0, 0.5, 0.25]),
        match_ids=pa.array(["m", "m", "n", "o"]),
        texts=pa.table({"x1": ["p", "q", None, "r"]}),
    )
    stored.save(tables, "n", "f", frame)
    back = stored.load(tables, "n", "f")
    assert back.schema == frame.schema
    assert back.ids.equals(frame.ids)
    assert back.match_ids.equals(frame.match_ids)
    assert back.label.to_pylist() == ["a", "b", "a", "c"]
    np.testing.assert_array_equal(back.weight, frame.weight)
    assert back.texts.to_pydict() == frame.texts.to_pydict()
    assert sparse.issparse(back.x) == csr
    assert (back.x != frame.x).sum() == 0


def test_a_frame_of_no_features_or_no_rows_comes_back(tables):
    for name, frame in {
        "k0": a_frame(k=0),
        "n0": a_frame(n=0),
        "c0": a_frame(n=0, csr=True),
    }.items():
        kept = stored.save(tables, "n", name, frame)
        back = stored.load(tables, "n", name)
        assert back.x.shape == frame.x.shape
        assert len(stored.preview(kept)["rows"]) == frame.n_rows


def test_a_frame_is_shown_in_fates_order_with_missing_as_null(tables):
    frame = a_frame(n=2, k=2, label=np.array([1, 0]), match_ids=pa.array(["a", "b"]))
    frame.x[1, 1] = np.nan
    kept = stored.save(tables, "n", "f", frame)
    assert stored.preview(kept) == {
        "header": ["id", "match_id", "y", "x0", "x1"],
        "rows": [["id0", "a", 1, 0.0, 0.125], ["id1", "b", 0, 0.25, None]],
    }
    assert stored.preview(kept, 1)["rows"] == [["id0", "a", 1, 0.0, 0.125]]


@pytest.mark.parametrize("csr", [False, True])
def test_a_frame_exports_as_naive_csv(tables, tmp_path, csr):
    kept = stored.save(tables, "n", "f", a_frame(n=2, k=3, csr=csr, label=np.array([1, 0])))
    assert stored.export_csv(kept, tmp_path / "out.csv") == 2
    assert (tmp_path / "out.csv").read_text() == (
        "id,y,x0,x1,x2\nid0,1,0.0,0.125,0.25\nid1,0,0.375,0.5,0.625\n"
    )
    assert stored.export_csv(kept, tmp_path / "out.csv", limit=1, delimiter="|", head=False) == 1
    assert (tmp_path / "out.csv").read_text() == "id0|1|0.0|0.125|0.25\n"


def test_predictions_are_shown_with_the_detail_in_its_quotes(tables, tmp_path):
    kept = stored.save(tables, "n", "p", PREDICTED)
    shown = stored.preview(kept)
    assert shown["header"] == [
        "id", "label", "predict_result", "predict_score", "predict_detail", "type",
    ]  # fmt: skip
    detail = "\"{'0': 0.778420640195317, '1': 0.221579359804683}\""
    assert shown["rows"][0] == ["0", 0, 0, 0.221579359804683, detail, "train"]
    stored.export_csv(kept, tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[1] == f"0,0,0,0.221579359804683,{detail},train"
    assert lines[2] == "1,1,1,1.0,\"{'0': 0.0, '1': 1.0}\",train"


def test_the_sdk_can_parse_an_exported_detail(tables, tmp_path):
    stored.export_csv(stored.save(tables, "n", "p", PREDICTED), tmp_path / "p.csv")
    cells = (tmp_path / "p.csv").read_text().splitlines()[1].split(",")
    text = ",".join(cells[4:-1])[1:-1].replace("'", '"')
    assert json.loads(text) == {"0": 0.778420640195317, "1": 0.221579359804683}


def test_predictions_come_back(tables):
    stored.save(tables, "n", "p", PREDICTED)
    back = stored.load(tables, "n", "p")
    assert isinstance(back, Predictions)
    assert back.classes == [0, 1]
    assert back.stage.to_pylist() == ["train", "train"]
    np.testing.assert_array_equal(back.detail, PREDICTED.detail)
    np.testing.assert_array_equal(back.result, PREDICTED.result)


def test_any_other_table_comes_back(tables, tmp_path):
    values = Values(
        pa.array(["a", "b"]),
        pa.table({"fold": [0, 1], "score": [0.5, None]}),
        sid_name="sid",
        content="cluster_result",
    )
    kept = stored.save(tables, "n", "v", values)
    back = stored.load(tables, "n", "v")
    assert isinstance(back, Values)
    assert (back.sid_name, back.content) == ("sid", "cluster_result")
    assert stored.preview(kept) == {
        "header": ["sid", "fold", "score"],
        "rows": [["a", 0, 0.5], ["b", 1, None]],
    }
    stored.export_csv(kept, tmp_path / "v.csv")
    assert (tmp_path / "v.csv").read_text() == "sid,fold,score\na,0,0.5\nb,1,\n"


def test_cells_that_are_lists_are_exported_as_they_are_shown(tables, tmp_path):
    columns = {"inter_cluster_dist": [[1.5, 2.0], []], "type": ["train", "train"]}
    clusters = Values(pa.array([0, 1]), pa.table(columns), sid_name="cluster_index")
    kept = stored.save(tables, "n", "c", clusters)
    stored.export_csv(kept, tmp_path / "c.csv", head=False)
    assert (tmp_path / "c.csv").read_text() == "0,[1.5, 2.0],train\n1,[],train\n"
    assert stored.preview(kept)["rows"] == [[0, [1.5, 2.0], "train"], [1, [], "train"]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=64), max_size=20))
def test_exported_floats_parse_back_to_the_same_bits(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("floats")
    n = len(numbers)
    frame = Frame(
        ids=pa.array([str(i) for i in range(n)], pa.string()),
        x=np.array(numbers, np.float64).reshape(n, 1),
        schema=FrameSchema(header=["x0"]),
    )
    stored.export_csv(stored.save(Storage(folder), "n", "f", frame), folder / "f.csv", head=False)
    with (folder / "f.csv").open() as lines:
        back = [float(row[1]) for row in csv.reader(lines)]
    np.testing.assert_array_equal(back, numbers)


def test_a_name_is_not_taken_twice_unless_asked(tables):
    stored.save(tables, "n", "f", a_frame())
    with pytest.raises(TableExists):
        stored.save(tables, "n", "f", a_frame())
    stored.save(tables, "n", "f", a_frame(n=2), replace=True)
    assert stored.load(tables, "n", "f").n_rows == 2
    with pytest.raises(TableNotFound):
        stored.load(tables, "n", "other")


def test_the_shown_schema_of_instances_has_fates_names():
    schema = FrameSchema(
        header=["a"],
        anonymous_header=["guest_9999_x0"],
        label_name="y",
        anonymous_label="guest_9999_y",
    )
    frame = Frame(pa.array(["1"]), np.zeros((1, 1)), schema, label=np.array([1]))
    assert layout.schema_shown(frame) == {
        "header": ["a"],
        "anonymous_header": ["guest_9999_x0"],
        "sid": "id",
        "label_name": "y",
        "anonymous_label": "guest_9999_y",
    }
