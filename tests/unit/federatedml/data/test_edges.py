"""Upload, Reader, Download and Writer: rows in at one edge come out at another."""

import pytest

from eggroll.errors import BadInput, TableExists, TableNotFound
from eggroll.storage import Storage
from federatedml import runner
from federatedml.component import Ctx, Inputs
from federatedml.components.download import Download
from federatedml.components.reader import Reader
from federatedml.components.upload import Upload
from federatedml.components.writer import Writer
from federatedml.data import stored
from federatedml.errors import BadParameters
from federatedml.params import parse
from federation import GUEST, LOCAL, Party
from federation.transport.inproc import Hub

LOCALLY = Party(LOCAL, "0")
CSV = "id,y,x0\n133,1,0.25\n273,0,-1\n175,1,0.25\n"


@pytest.fixture
def ctx(tmp_path):
    def made(party=LOCALLY):
        found = Ctx(party, [party], Hub())
        found.tables, found.folder = Storage(tmp_path / "tables"), tmp_path
        return found

    return made


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(CSV)
    return path


def ran(ctx, component, **parameters):
    params = parse(component.Params, parameters, component.module)
    return runner.run(component(params), ctx, Inputs())


def upload(ctx, file, **more):
    given = {"file": str(file), "namespace": "experiment", "name": "guest", "partition": 4}
    return ran(ctx, Upload, **{**given, **more})


def test_an_upload_is_stored_with_the_schema_that_fate_shows(ctx, file):
    here = ctx()
    (table,) = upload(here, file).data
    assert table.meta.schema == {"header": "y,x0", "meta": {}, "sid": "id"}
    assert (table.count, table.meta.partitions, table.meta.kind) == (3, 4, "raw")
    assert here.report.metrics["upload", "data_access"][:2] == ("UPLOAD", [("count", 3)])
    assert here.report.done == 1.0
    ((told, options),) = here.report.tables_stored
    assert told.meta.name == "guest"
    assert (options["origin"], options["id_delimiter"]) == ("upload", ",")


def test_the_reader_hands_the_stored_table_on_and_tells_of_its_columns(ctx, file):
    upload(ctx(), file)
    here = ctx(Party(GUEST, "9999"))
    (table,) = ran(here, Reader, table={"name": "guest", "namespace": "experiment"}).data
    assert stored.opened(table).key.to_pylist() == ["133", "273", "175"]
    kind, points, meta = here.report.metrics["reader_namespace", "reader_name"]
    assert (kind, points) == ("data_info", [])
    assert meta == {
        "name": "reader",
        "table_name": "guest",
        "namespace": "experiment",
        "table_info": {"y": "1,0", "x0": "0.25,-1"},
        "anonymous_info": {},
        "attribute_info": {},
        "partitions": 4,
        "storage_engine": "STANDALONE",
        "count": 3,
    }
    assert here.report.tables_read == [("experiment", "guest")]


def test_what_was_uploaded_is_downloaded_byte_for_byte(ctx, file, tmp_path):
    upload(ctx(), file)
    path = tmp_path / "new" / "out.csv"
    ran(ctx(), Download, namespace="experiment", name="guest", output_path=str(path))
    assert path.read_text() == CSV


def test_a_writer_gives_a_table_a_second_name(ctx, file):
    upload(ctx(), file)
    here = ctx()
    names = {"output_namespace": "copies", "output_name": "again"}
    ran(here, Writer, namespace="experiment", name="guest", **names)
    here.tables.delete("experiment", "guest")
    assert stored.load(here.tables, "copies", "again").n_rows == 3
    with pytest.raises(TableExists):
        ran(here, Writer, namespace="copies", name="again", **names)


def test_a_name_is_taken_twice_only_with_destroy(ctx, file):
    upload(ctx(), file)
    with pytest.raises(TableExists):
        upload(ctx(), file)
    file.write_text("id,z\n1,2\n")
    assert upload(ctx(), file, destroy=True).data[0].meta.schema["header"] == "z"


def test_a_refused_upload_leaves_the_older_table(ctx, file):
    upload(ctx(), file)
    file.write_text("id,z\n1,2\n3\n")
    with pytest.raises(BadInput, match="line 3"):
        upload(ctx(), file, destroy=True)
    assert stored.load(ctx().tables, "experiment", "guest").n_rows == 3


def test_a_table_that_is_not_there_is_named(ctx):
    with pytest.raises(TableNotFound, match=r"experiment\.nowhere"):
        ran(ctx(), Reader, table={"name": "nowhere", "namespace": "experiment"})


def test_an_upload_with_meta_shows_the_anonymous_names(ctx, file):
    meta = {"with_label": True, "label_name": "y"}
    (table,) = upload(ctx(), file, with_meta=True, meta=meta).data
    assert table.meta.schema["meta"]["label_name"] == "y"
    assert table.meta.schema["meta"]["delimiter"] == ","
    assert table.meta.schema["anonymous_header"] == ["local_0_x0"]
    assert table.meta.schema["anonymous_label"] == "local_0_y"


def test_a_meta_of_sparse_rows_makes_the_table_wide(ctx, file):
    file.write_text("id,value\n1,0:2,1:3\n2,0:1\n")
    (table,) = upload(ctx(), file, with_meta=True, meta={"input_format": "sparse"}).data
    assert stored.opened(table).schema.wide
    assert stored.preview(table)["rows"] == [["1", "0:2", "1:3"], ["2", "0:1"]]


def test_a_meta_of_dense_rows_is_not_second_guessed(ctx, file):
    file.write_text("id,a:b,c:d\n1,2,3\n")
    (table,) = upload(ctx(), file, with_meta=True, meta={"input_format": "dense"}).data
    assert stored.preview(table) == {"header": ["id", "a:b", "c:d"], "rows": [["1", "2", "3"]]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"partition": 0},
        {"partition": 1024},
        {"head": 2},
        {"id_delimiter": "ab"},
        {"name": ""},
        {"with_meta": True, "meta": {"label_nam": "y"}},
        {"fil": "x"},
    ],
)
def test_wrong_parameters_of_an_upload_are_refused(ctx, file, wrong):
    with pytest.raises(BadParameters):
        upload(ctx(), file, **wrong)
    assert not ctx().tables.exists("experiment", "guest")


@pytest.mark.parametrize("table", [{}, {"name": "a"}, {"name": "a", "namespace": "b", "x": 1}])
def test_a_reader_needs_a_table(ctx, table):
    with pytest.raises(BadParameters):
        ran(ctx(), Reader, table=table)
