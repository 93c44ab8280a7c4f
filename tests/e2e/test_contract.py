"""Every kind of call of FATE's recorded session, held against our answers: same keys, types and
nesting. ``tests/golden/rest_shapes.json`` has the facts; each difference has a reason here and in
``docs/compat/rest.md``."""

from __future__ import annotations

import csv
import http.client
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
SHAPES = json.loads((GOLDEN / "rest_shapes.json").read_text())
_spec = importlib.util.spec_from_file_location("shapes", GOLDEN / "make_rest_shapes.py")
shapes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shapes)

EXTRA = {
    "f_reason": "why a job waits or failed: FATE shows no cause anywhere",
    "reason": "the same in lists",
    "DISTAFF": "our own version beside those of the contract",
}
"""Keys that FATE does not have, and why we do."""

LACKING = {
    "conf_path": "the recorded client put its file names into the configuration; ours does not",
    "dsl_path": "the same",
}
"""Keys of the recordings that depend on the client or its configuration."""

OTHER_TYPE = {
    ("job/query", "$.data[].f_elapsed"): "null or number, as the job runs or has ended",
}

GUEST, HOST, ARBITER = 9999, 10000, 10000
NAMESPACE = "contract"


def typed_wrong(call, path, ours, theirs):
    if (call, path) in OTHER_TYPE:
        return False
    nullable = {"null", *theirs}
    return not set(ours) <= (nullable if "null" in theirs or len(theirs) > 1 else set(theirs))


def differences(call, response, kind):
    """Paths that are ours only, missing or of another type, each with what it is."""
    theirs = SHAPES[call][kind]["paths"]
    ours = shapes.shape(call, response)
    wrong = []
    for path, types in ours.items():
        key = path.rpartition(".")[2]
        if path not in theirs:
            if key not in EXTRA:
                wrong.append(f"{path}: FATE has no such key")
        elif typed_wrong(call, path, types, theirs[path]["types"]):
            wrong.append(f"{path}: {types}, FATE has {theirs[path]['types']}")
    samples = SHAPES[call][kind]["samples"]
    for path, about in theirs.items():
        parent, _, key = path.rpartition(".")
        inside = path.endswith("[]") or parent not in ours
        if path not in ours and not inside and key not in LACKING and about["seen"] == samples:
            wrong.append(f"{path}: missing")
    return wrong


def held(node, call, kind="ok", **body):
    """POST, and assert that the answer has FATE's shape; its JSON."""
    response = node.post(call, **body)
    assert shapes.kind(response) == kind, response
    assert not differences(call, response, kind)
    return response


def exchanged(node, method, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    connection.request(method, f"/v1/{path}", json.dumps(body))
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply, content


def write_csv(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture(scope="module")
def tables(node, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(7)
    x = rng.normal(size=(60, 4)).round(4)
    y = (x.sum(axis=1) + rng.normal(size=60) > 0).astype(int)
    ids = range(60)
    guest = [[i, y[i], *x[i, :2]] for i in ids]
    write_csv(folder / "guest.csv", ["id", "y", "x0", "x1"], guest)
    write_csv(folder / "host.csv", ["id", "x0", "x1"], [[i, *x[i, 2:]] for i in ids])
    for role in ("guest", "host"):
        node.upload(folder / f"{role}.csv", NAMESPACE, role)
    return folder


def training():
    one, both = {"data": ["data"]}, {"data": ["data"], "model": ["model"]}
    dsl = {
        "reader_0": {"module": "Reader", "output": one},
        "data_transform_0": {
            "module": "DataTransform", "input": {"data": {"data": ["reader_0.data"]}},
            "output": both,
        },
        "intersection_0": {
            "module": "Intersection", "input": {"data": {"data": ["data_transform_0.data"]}},
            "output": one,
        },
        "hetero_lr_0": {
            "module": "HeteroLR", "input": {"data": {"train_data": ["intersection_0.data"]}},
            "output": both,
        },
        "evaluation_0": {
            "module": "Evaluation", "input": {"data": {"data": ["hetero_lr_0.data"]}},
            "output": one,
        },
    }  # fmt: skip
    own = {
        role: {
            "0": {
                "reader_0": {"table": {"name": role, "namespace": NAMESPACE}},
                "data_transform_0": {"with_label": role == "guest"},
            }
        }
        for role in ("guest", "host")
    }
    common = {
        "data_transform_0": {"output_format": "dense"},
        "hetero_lr_0": {"max_iter": 2, "encrypt_param": {"key_length": 1024}},
        "evaluation_0": {"eval_type": "binary"},
    }
    conf = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": GUEST},
        "role": {"guest": [GUEST], "host": [HOST], "arbiter": [ARBITER]},
        "component_parameters": {"common": common, "role": own},
    }
    return {"components": dsl}, conf


@pytest.fixture(scope="module")
def job(node, tables):
    dsl, conf = training()
    submitted = held(node, "job/submit", job_dsl=dsl, job_runtime_conf=conf)
    held(node, "job/query", job_id=submitted["jobId"])
    held(node, "job/task/query", job_id=submitted["jobId"])
    assert node.wait(submitted["jobId"]) == "success"
    return submitted["data"]


@pytest.fixture(scope="module")
def deployed(node, job):
    model = job["model_info"]
    return held(node, "model/deploy", **model, cpn_list=list(training()[0]["components"])[:4],
                components_checkpoint={})["data"]  # fmt: skip


AT = {"role": "guest", "party_id": str(GUEST)}


@pytest.mark.parametrize(
    ("call", "kind", "body"),
    [
        ("server/version/get", "ok", {}),
        ("server/fateflow/info", "ok", {}),
        ("version/get", "ok", {"module": "FATEBoard"}),
        ("info/fateboard", "ok", {}),
        ("provider/get", "ok", {}),
        ("resource/query", "ok", {}),
        ("job/clean/queue", "empty", {}),
        ("nothere", "error", {}),
        ("job/log/size", "error", {"job_id": "1", "type": "jobSchedule"}),
        ("job/stop", "error", {}),
        ("job/stop", "error", {"job_id": "20200101000000000000"}),
        ("table/delete", "error", {"table_name": "nothere", "namespace": "n"}),
        ("job/submit", "error", {"job_dsl": {}, "job_runtime_conf": {"dsl_version": 2}}),
    ],
)
def test_calls_that_need_no_job_have_fates_shape(node, call, kind, body):
    held(node, call, kind, **body)


@pytest.mark.parametrize(
    ("call", "kind", "body"),
    [
        ("job/query", "ok", {}),
        ("job/query", "ok", AT),
        ("job/task/query", "ok", {"component_name": "hetero_lr_0"}),
        ("job/list/job", "ok", {"limit": 2}),
        ("job/list/job", "ok", {"limit": 2, "page": 1, "status": ["success"],
                                "order_by": "start_time", "order": "desc"}),
        ("job/list/task", "ok", {**AT, "party_id": GUEST}),
        ("job/data/view/query", "ok", AT),
        ("job/config", "ok", AT),
        ("job/config", "ok", {}),
        ("job/log/path", "ok", {}),
        ("job/url/get", "ok", {**AT, "party_id": GUEST}),
        ("job/update", "empty", {**AT, "notes": "hello"}),
        ("job/stop", "empty", {}),
        ("job/rerun", "empty", {"force": False}),
        ("pipeline/dag/dependency", "ok", AT),
        ("tracking/job/data_view", "ok", AT),
        ("tracking/component/list", "ok", {}),
    ],
)  # fmt: skip
def test_calls_about_a_job_have_fates_shape(node, job, call, kind, body):
    held(node, call, kind, job_id=job["job_id"], **body)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("reader_0", {"metrics": "ok", "metric/all": "ok", "output/model": "empty"}),
        ("data_transform_0", {"metrics": "empty", "metric/all": "empty", "output/model": "ok"}),
        ("intersection_0", {"metrics": "ok", "metric/all": "ok", "output/model": "empty"}),
        ("hetero_lr_0", {"metrics": "empty", "metric/all": "empty", "output/model": "ok"}),
        ("evaluation_0", {"metrics": "ok", "metric/all": "ok", "output/data/table": "error"}),
    ],
)
def test_calls_about_a_component_have_fates_shape(node, job, name, kinds):
    at = {"job_id": job["job_id"], **AT, "component_name": name}
    expected = {"parameters": "ok", "output/data/table": "ok", **kinds}
    for call, kind in expected.items():
        held(node, f"tracking/component/{call}", kind, **at)


def test_previews_and_single_metrics_have_fates_shape(node, job):
    at = {"job_id": job["job_id"], **AT}
    for name in ("intersection_0", "hetero_lr_0"):
        held(node, "tracking/component/output/data", **at, component_name=name)
    held(node, "tracking/component/metric_data", **at, component_name="evaluation_0",
         metric_namespace="train", metric_name="hetero_lr_0")  # fmt: skip


def test_auc_is_the_first_point_of_the_summary(node, job):
    found = node.post("tracking/component/metric/all", job_id=job["job_id"], **AT,
                      component_name="evaluation_0")["data"]  # fmt: skip
    assert [key for key, _ in found["train"]["hetero_lr_0"]["data"]] == ["auc", "ks"]


@pytest.mark.parametrize(("name", "status"), [("reader_0", 210), ("intersection_0", 200)])
def test_a_summary_is_a_bare_file_or_http_210(node, job, name, status):
    body = {"job_id": job["job_id"], **AT, "component_name": name, "filename": "s.json"}
    reply, content = exchanged(node, "POST", "tracking/component/summary/download", body)
    assert reply.status == status
    if status == 210:
        found = json.loads(content)
        assert not differences("tracking/component/summary/download", found, "error")
    else:
        assert reply.headers["Content-Disposition"] == "attachment; filename=s.json"


@pytest.mark.parametrize(
    ("method", "path", "more", "mimetype"),
    [
        ("POST", "job/log/download", {}, "application/x-tar"),
        ("GET", "tracking/component/output/data/download",
         {**AT, "component_name": "hetero_lr_0", "limit": -1}, "application/x-tar"),
    ],
)  # fmt: skip
def test_archives_come_as_attachments_with_unquoted_names(node, job, method, path, more, mimetype):
    reply, content = exchanged(node, method, path, {"job_id": job["job_id"], **more})
    assert reply.status == 200, content
    assert reply.headers["Content-Type"].partition(";")[0] == mimetype
    assert reply.headers["Content-Disposition"].startswith("attachment; filename=job_")
    assert content[:2] == b"\x1f\x8b"


def test_a_download_of_nothing_is_not_http_200(node, job):
    body = {"job_id": job["job_id"], **AT, "component_name": "nothere", "limit": -1}
    reply, content = exchanged(node, "GET", "tracking/component/output/data/download", body)
    assert reply.status == 210, "FATE says 200, and its client takes the error for the file"
    assert not differences("tracking/component/output/data/download", json.loads(content), "error")


def test_model_calls_have_fates_shape(node, job, deployed):
    model = job["model_info"]
    names = ["create_date", "role", "party_id", "roles", "model_id", "model_version",
             "loaded_times", "size", "description", "parent", "parent_info"]  # fmt: skip
    held(node, "model/query", **model, query_filters=names)
    version = {"model_id": model["model_id"], "model_version": deployed["model_version"]}
    for what in ("dsl", "conf"):
        body = {**version, "filename": f"{what}.json"}
        reply, content = exchanged(node, "POST", f"model/get/predict/{what}", body)
        assert reply.status == 200, content
        assert not differences(f"model/get/predict/{what}", json.loads(content), "file")
    held(node, "checkpoint/list", "empty", **model, **AT, component_name="hetero_lr_0")
    reply, content = exchanged(node, "GET", "model/export", {**version, **AT})
    assert (reply.status, content[:2]) == (200, b"PK")
    name = f"guest#{GUEST}#{model['model_id']}_{deployed['model_version']}.zip"
    assert reply.headers["Content-Disposition"] == f"attachment; filename={name}"


def test_tag_calls_have_fates_shape(node, job):
    held(node, "model/model_tag/create", "empty", job_id=job["job_id"], tag_name="mine")
    held(node, "model/model_tag/retrieve", job_id=job["job_id"])
    held(node, "model/tag/create", "empty", tag_name="t1", tag_desc="first")
    held(node, "model/tag/retrieve", tag_name="t1", with_model=False)
    held(node, "model/tag/list", limit=10)
    held(node, "model/tag/update", "empty", tag_name="t1", new_tag_name="t2")
    held(node, "model/tag/destroy", "empty", tag_name="t2")


def test_table_and_upload_calls_have_fates_shape(node, tables):
    held(node, "data/upload/history", limit=3)
    held(node, "table/table_info", namespace=NAMESPACE, table_name="guest")
    conf = tables / "own.upload.json"
    about = {"file": str(tables / "guest.csv"), "head": 1, "partition": 2,
             "namespace": NAMESPACE, "table_name": "own"}  # fmt: skip
    conf.write_text(json.dumps(about))
    first = json.loads(node.flow("--output", "json", "data", "upload", "-c", str(conf)).stdout)
    assert not differences("data/upload", first, "ok")
    assert node.wait(first["jobId"]) == "success"
    again = node.flow("--output", "json", "data", "upload", "-c", str(conf), check=False)
    assert not differences("data/upload", json.loads(again.stdout), "error")
    held(node, "table/delete", namespace=NAMESPACE, table_name="own")


def test_generated_predict_dsl_is_a_bare_file(node):
    body = {"cpn_str": "reader_0,data_transform_0", "version": "2", "filename": "p.json",
            "train_dsl": json.dumps(training()[0])}  # fmt: skip
    reply, content = exchanged(node, "POST", "job/dsl/generate", body)
    assert reply.status == 200
    assert not differences("job/dsl/generate", json.loads(content), "file")


def test_every_recorded_kind_of_call_is_held():
    """A new recording must come with a test here."""
    text = Path(__file__).read_text()
    parts = {"parameters", "output/data/table", "metrics", "metric/all", "output/model"}
    missing = [
        call
        for call in SHAPES
        if f'"{call}"' not in text and call.removeprefix("tracking/component/") not in parts
        and not call.startswith("model/get/predict/")
    ]  # fmt: skip
    assert not missing


def test_deploy_takes_the_form_of_each_client(node, job):
    """A list (SDK), JSON text (CLI), an object (SDK's predict): each gives a version of its own."""
    model = job["model_info"]
    kept = ["data_transform_0", "intersection_0", "hetero_lr_0"]
    by_list = node.post("model/deploy", **model, cpn_list=kept)["data"]
    version = {**model, "model_version": by_list["model_version"]}
    dsl = node.post("model/get/predict/dsl", **version)["data"]
    by_text = node.post("model/deploy", **model, dsl=json.dumps(dsl))
    by_object = node.post("model/deploy", **model, predict_dsl=dsl)
    assert (by_text["retmsg"], by_object["retmsg"]) == ("success", "success")
    versions = {found["data"]["model_version"] for found in (by_text, by_object)}
    assert len(versions | {by_list["model_version"]}) == 3


def test_a_predict_job_needs_no_dsl(node, job, deployed):
    conf = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": str(GUEST)},
        "role": {"guest": [str(GUEST)], "host": [str(HOST)], "arbiter": [str(ARBITER)]},
        "job_parameters": {
            "common": {
                "job_type": "predict",
                "model_id": deployed["model_id"],
                "model_version": deployed["model_version"],
            }
        },
        "component_parameters": {
            "role": {
                role: {"0": {"reader_0": {"table": {"name": role, "namespace": NAMESPACE}}}}
                for role in ("guest", "host")
            }
        },
    }
    submitted = held(node, "job/submit", job_dsl={}, job_runtime_conf=conf)
    assert node.wait(submitted["jobId"]) == "success"
    at = {"job_id": submitted["jobId"], **AT, "component_name": "hetero_lr_0"}
    found = held(node, "tracking/component/output/data", **at)
    assert found["meta"]["header"][0][-5:] == [
        "label", "predict_result", "predict_score", "predict_detail", "type",
    ]  # fmt: skip
    detail = found["data"][0][0][-2]
    assert detail.startswith("\"{'0': ")
    assert detail.endswith('}"')


def test_a_toy_whose_host_entry_lacks_its_index_runs(node):
    """FATE's own client sends it so, with party ids as texts."""
    toy = "secure_add_example_0"
    conf = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": str(GUEST)},
        "role": {"guest": [str(GUEST)], "host": [str(HOST)]},
        "job_parameters": {"common": {"task_cores": 2}, "role": {"guest": {"0": {"user": ""}}}},
        "component_parameters": {
            "role": {"guest": {"0": {toy: {"seed": 123}}}, "host": {toy: {"seed": 321}}},
            "common": {toy: {"partition": 4, "data_num": 1000}},
        },
    }
    dsl = {"components": {toy: {"module": "SecureAddExample"}}}
    job_id = node.submit(dsl, conf)["jobId"]
    assert node.wait(job_id) == "success"
    rows = held(node, "job/query", job_id=job_id, role="guest", party_id=GUEST,
                local={"role": "guest", "party_id": GUEST})["data"]  # fmt: skip
    assert rows[0]["f_roles"] == {"guest": [GUEST], "host": [HOST]}
    assert rows[0]["f_runtime_conf"]["initiator"]["party_id"] == GUEST


def test_an_uploaded_file_is_gone_when_its_table_is_there(node, tables):
    assert not list((node.home / "jobs").glob("*/fate_upload_tmp"))
