"""The unchanged fate-client 1.11.3 on our server: its commands, its SDK, its own tests.

The order and the items are those of the acceptance list of the compatibility contract.
"""

import copy
import json

import pytest

from tests.e2e import fate_client
from tests.e2e.conftest import vertical_job, write_parties
from tests.e2e.servings import Serving, post, request

pytestmark = [pytest.mark.fate_client, pytest.mark.timeout(600)]

NAMESPACE = "experiment"
GUEST = ("-r", "guest", "-p", "9999")
KEPT = ["data_transform_0", "intersection_0", "hetero_lr_0"]
SESSION = fate_client.Path(__file__).with_name("fate_pipeline_session.py")


@pytest.fixture(scope="session")
def client(node, tmp_path_factory):
    """The client, set up for the session's server by its own commands."""
    try:
        environment = fate_client.installed()
    except fate_client.NotInstallable as error:
        pytest.skip(str(error))
    found = fate_client.fresh(environment, tmp_path_factory.mktemp("fate-client"))
    server = ("--ip", "127.0.0.1", "--port", node.port)
    assert '"retcode": 0' in found.run("flow", "init", *server)
    assert "succeeded" in found.run("pipeline", "init", *server)
    write_parties(found.folder, noise=0.0)
    yield found
    found.close()


def uploading(client, role):
    return client.json_file(
        f"upload_{role}.json",
        {
            "file": str(client.folder / f"{role}.csv"),
            "head": 1,
            "partition": 2,
            "id_delimiter": ",",
            "namespace": NAMESPACE,
            "table_name": f"breast_hetero_{role}",
        },
    )


@pytest.fixture(scope="session")
def tables(node, client):
    """breast_hetero_guest and breast_hetero_host, uploaded by the client."""
    for role in ("guest", "host"):
        found = client.flow("data", "upload", "-c", uploading(client, role), "--drop")
        assert found["retmsg"] == "success"
        assert node.wait(found["jobId"]) == "success"


def job(client, name="job", **lr):
    """-c and -d of a vertical job on the tables."""
    dsl, conf = vertical_job(max_iter=2)
    conf["component_parameters"]["common"]["hetero_lr_0"].update(lr)
    for role, own in conf["component_parameters"]["role"].items():
        own["0"]["reader_0"]["table"] = {"name": f"breast_hetero_{role}", "namespace": NAMESPACE}
    files = (client.json_file(f"{name}.conf", conf), client.json_file(f"{name}.dsl", dsl))
    return "-c", files[0], "-d", files[1]


@pytest.fixture(scope="session")
def trained(node, client, tables):
    found = client.flow("job", "submit", *job(client))
    assert (found["retcode"], found["retmsg"]) == (0, "success")
    assert node.wait(found["jobId"]) == "success"
    return found


def of(client, trained, command, component, *more):
    at = ("-j", trained["jobId"], *GUEST, "-cpn", component)
    return client.flow("component", command, *at, *more)


def versions(client, job_id):
    """Version and state of each component at the guest."""
    rows = client.flow("task", "query", "-j", job_id, *GUEST)["data"]
    return {r["f_component_name"]: (r["f_task_version"], r["f_party_status"]) for r in rows}


def test_1_versions_and_the_check_of_the_configuration(client):
    told = client.flow("server", "versions")["data"]
    assert (told["API"], told["FATEFlow"]) == ("v1", "1.11.2")
    assert "status normal, Flow version: 1.11.2" in client.run("pipeline", "config", "check")


def test_2_a_second_upload_needs_drop(node, client, tables):
    again = client.flow("data", "upload", "-c", uploading(client, "guest"))
    assert again["retcode"] == 100
    assert again["retmsg"].startswith("The data table already exists.")
    replaced = client.flow("data", "upload", "-c", uploading(client, "guest"), "--drop")
    assert node.wait(replaced["jobId"]) == "success"
    assert replaced["data"]["board_url"].endswith("&role=local&party_id=0")


def test_3_tables_are_told_of_bound_and_deleted_once(client, tables):
    own = ("-n", NAMESPACE, "-t", "breast_hetero_guest")
    found = client.flow("table", "info", *own)["data"]
    assert (found["exist"], found["count"], found["partition"]) == (1, 290, 2)
    assert found["schema"] == {"header": "y,x0,x1,x2", "meta": {}, "sid": "id"}
    address = {"path": str(client.folder / "guest.csv")}
    conf = {"engine": "LOCALFS", "namespace": NAMESPACE, "name": "bound", "address": address,
            "head": 1, "id_delimiter": ","}  # fmt: skip
    bind = ("table", "bind", "-c", client.json_file("bind.json", conf), "--drop")
    assert [client.flow(*bind)["retmsg"] for _ in range(2)] == ["success"] * 2
    bound = ("-n", NAMESPACE, "-t", "bound")
    assert client.flow("table", "info", *bound)["data"]["count"] == 290
    deleted = [client.flow("table", "delete", *bound) for _ in range(2)]
    assert [(d["retcode"], d["retmsg"]) for d in deleted] == [
        (0, "success"),
        (101, "no find table"),
    ]
    assert client.flow("table", "info", *bound)["data"]["exist"] == 0
    assert (client.folder / "guest.csv").exists()


@pytest.mark.parametrize("host", [9999, 10000])
def test_4_the_toy_tells_its_sum(client, host):
    told = client.forked("flow", "test", "toy", "-gid", 9999, "-hid", host)
    assert " is success" in told
    assert "[secure_add_guest.run]" in told
    assert "success to calculate secure_sum, it is 2000.0" in told


def test_5_jobs_and_tasks_are_listed(client, trained):
    job_id = trained["jobId"]
    rows = client.flow("job", "query", "-j", job_id)["data"]
    assert {r["f_status"] for r in rows} == {"success"}
    assert not {"f_dsl", "f_runtime_conf"} & rows[0].keys()
    tasks = client.flow("task", "query", "-j", job_id, "-cpn", "hetero_lr_0")["data"]
    assert [t["f_role"] for t in tasks] == ["guest", "host", "arbiter"]
    listed = client.flow("job", "list", "-l", 2)["data"]
    assert len(listed["jobs"]) == 2
    assert len(client.flow("task", "list", "-l", 2)["data"]["tasks"]) == 2
    viewed = client.flow("job", "view", "-j", job_id, *GUEST)["data"]
    assert [v["f_component_name"] for v in viewed] == ["reader_0", *KEPT]


def test_5_configuration_and_logs_come_as_files(client, trained):
    job_id = trained["jobId"]
    told = client.flow("job", "config", "-j", job_id, *GUEST, "-o", "out")
    assert told["data"]["model_info"] == trained["data"]["model_info"]
    names = {p.name for p in (client.folder / "out" / f"job_{job_id}_config").iterdir()}
    assert {"dsl.json", "runtime_conf.json"} <= names
    client.flow("job", "log", "-j", job_id, "-o", "out")
    logs = client.folder / "out" / f"job_{job_id}_log"
    assert (logs / "fate_flow_schedule.log").stat().st_size
    assert (logs / "guest" / "9999" / "hetero_lr_0" / "INFO.log").stat().st_size
    assert (logs / "host" / "10000" / "ERROR.log").read_text() == ""


def test_5_components_tell_metrics_parameters_and_models(client, trained):
    listed = client.flow("component", "list", "-j", trained["jobId"])["data"]["components"]
    assert listed == ["reader_0", *KEPT, "evaluation_0"]
    names = of(client, trained, "metrics", "evaluation_0")["data"]["train"]
    assert {"hetero_lr_0", "hetero_lr_0_roc", "hetero_lr_0_ks_tpr"} <= set(names)
    metrics = of(client, trained, "metric-all", "evaluation_0")["data"]["train"]
    assert [key for key, _ in metrics["hetero_lr_0"]["data"]] == ["auc", "ks"]
    parameters = of(client, trained, "parameters", "hetero_lr_0")["data"]
    assert (parameters["module"], parameters["ComponentParam"]["max_iter"]) == ("HeteroLR", 2)
    model = of(client, trained, "output-model", "hetero_lr_0")
    assert model["data"]["weight"].keys() == {"x0", "x1", "x2"}
    assert model["meta"]["meta_data"]["maxIter"] == "2"


def test_5_components_give_data_and_summaries(client, trained):
    told = of(client, trained, "output-data", "hetero_lr_0", "-o", "out")
    rows = (client.folder / told["directory"] / "data.csv").read_text().splitlines()
    assert rows[0] == "id,label,predict_result,predict_score,predict_detail,type"
    assert len(rows) == 281
    (table,) = of(client, trained, "output-data-table", "hetero_lr_0")["data"]
    assert table.keys() == {"data_name", "table_name", "table_namespace"}
    assert of(client, trained, "get-summary", "hetero_lr_0")["data"]["coef"].keys() == {
        "x0", "x1", "x2",
    }  # fmt: skip
    of(client, trained, "get-summary", "evaluation_0", "-o", "out")
    (file,) = (client.folder / "out").glob("summary_evaluation_0_*.json")
    assert json.loads(file.read_text())["hetero_lr_0"]["train"]["auc"] > 0.9


def test_6_a_job_is_stopped_and_goes_on_where_it_was(node, client, tables):
    endless = job(client, "endless", max_iter=100_000, tol=1e-300)
    job_id = client.flow("job", "submit", *endless)["jobId"]
    fate_client.until(node, job_id, "hetero_lr_0", "running")
    stopped = client.flow("job", "stop", "-j", job_id)
    assert stopped["retmsg"] == "stop job on this party success; stop job on all party success"
    assert node.wait(job_id) == "canceled"
    fewer = {"component_parameters": {"common": {"hetero_lr_0": {"max_iter": 1}}}}
    update = client.json_file("fewer.json", fewer)
    assert client.flow("job", "parameter-update", "-j", job_id, "-c", update)["retcode"] == 0
    assert client.flow("job", "rerun", "-j", job_id)["retmsg"] == "rerun job success"
    assert node.wait(job_id) == "success"
    found = versions(client, job_id)
    assert found["reader_0"] == (0, "success")
    assert found["hetero_lr_0"] == (1, "success")


def test_6_rerun_takes_what_is_forced_and_what_follows(node, client, trained):
    job_id = trained["jobId"]
    rerun = ("job", "rerun", "-j", job_id)
    assert client.flow(*rerun)["retmsg"] == "rerun job success"
    assert set(versions(client, job_id).values()) == {(0, "success")}
    client.flow(*rerun, "-cpn", "hetero_lr_0", "--force")
    assert node.wait(job_id) == "success"
    found = versions(client, job_id)
    assert {n for n, (version, _) in found.items() if version == 1} == {
        "hetero_lr_0", "evaluation_0",
    }  # fmt: skip


def test_6_a_failed_job_tells_why_everywhere(node, client, tables):
    failing = job(client, "failing")
    conf = json.loads((client.folder / "failing.conf").read_text())
    conf["component_parameters"]["role"]["host"]["0"]["reader_0"]["table"]["name"] = "nothere"
    client.json_file("failing.conf", conf)
    job_id = client.flow("job", "submit", *failing)["jobId"]
    assert node.wait(job_id) == "failed"
    rows = client.flow("job", "query", "-j", job_id)["data"]
    assert {r["f_status"] for r in rows} == {"failed"}
    assert all("no table experiment.nothere" in r["f_reason"] for r in rows)
    at_host = ("-r", "host", "-p", "10000", "-cpn", "reader_0")
    (task,) = client.flow("task", "query", "-j", job_id, *at_host)["data"]
    assert task["f_error_report"].startswith("no table experiment.nothere")
    client.flow("job", "log", "-j", job_id, "-o", "out")
    logs = client.folder / "out" / f"job_{job_id}_log" / "host" / "10000"
    assert "no table experiment.nothere" in (logs / "ERROR.log").read_text()


def test_7_a_model_is_deployed_in_three_ways_and_predicts(node, client, trained):
    model = trained["data"]["model_info"]
    train = ("--model-id", model["model_id"], "--model-version", model["model_version"])
    first = client.flow("model", "deploy", *train, "--cpn-list", ",".join(["reader_0", *KEPT]))
    assert first["retmsg"] == "success"
    version = first["data"]["model_version"]
    one = ("--model-id", model["model_id"], "--model-version", version)
    for what in ("dsl", "conf"):
        assert client.flow("model", f"get-predict-{what}", *one, "-o", "predict")["retcode"] == 0
    (dsl,) = (client.folder / "predict").glob("predict_dsl_*.json")
    (conf,) = (client.folder / "predict").glob("predict_conf_*.json")
    (client.folder / "kept.txt").write_text(",".join(KEPT))
    others = [
        client.flow("model", "deploy", *train, *way)["data"]["model_version"]
        for way in (("--cpn-path", "kept.txt"), ("--dsl-path", dsl))
    ]
    assert len({version, model["model_version"], *others}) == 4
    (info,) = client.flow("model", "get-model-info", *one, *GUEST)["data"]
    assert info["f_parent_info"]["parent_model_version"] == model["model_version"]
    refused = client.flow("model", "deploy", *train, "--cpn-list", "nothere_0")
    assert "no component 'nothere_0'" in refused["data"]["reason"]
    filled = json.loads(conf.read_text())
    for role, own in filled["component_parameters"]["role"].items():
        own["0"]["reader_0"]["table"] = {"name": f"breast_hetero_{role}", "namespace": NAMESPACE}
    found = client.flow("job", "submit", "-c", client.json_file("filled.json", filled), "-d", dsl)
    assert node.wait(found["jobId"]) == "success"
    assert scores(client, found) == scores(client, trained)


def scores(client, submitted):
    told = of(client, submitted, "output-data", "hetero_lr_0", "-o", "scores")
    lines = (client.folder / told["directory"] / "data.csv").read_text().splitlines()
    return [line.rpartition(",")[0] for line in lines]


def test_7_a_vertical_model_is_merged_and_a_conversion_of_it_refused(client, trained):
    model = trained["data"]["model_info"]
    named = ("--model-id", model["model_id"], "--model-version", model["model_version"])
    parties = ("--guest-party-id", "9999", "--host-party-ids", "10000")
    kind = ("--model-type", "logistic_regression", "--output-format", "pmml", "--target-name", "y")
    where = ("-cpn", "hetero_lr_0", "--output-path", "merged.pmml")
    client.forked("flow", "component", "hetero-model-merge", *named, *parties, *kind, *where)
    assert "RegressionModel" in (client.folder / "merged.pmml").read_text()
    conf = client.json_file("convert.conf", {**model, "role": "guest", "party_id": 9999})
    refused = client.flow("model", "homo-convert", "-c", conf)
    assert refused["retcode"] == 101
    assert "possible: HomoLR to sklearn" in refused["retmsg"]


def test_8_the_pipeline_sdk_fits_deploys_and_predicts(client):
    told = json.loads(client.run("python", SESSION, client.folder).splitlines()[-1])
    assert told["bind"] == {"namespace": "client", "table_name": "sdk_bound"}
    assert told["columns"][:2] == ["id", "label"]
    assert told["matched"] == ["id", "y", "x0", "x1", "x2"]
    assert told["rows"] == [280, 280, 280]
    assert told["twice_the_same"]
    assert told["same_scores"]
    assert told["types"] == ["predict", "train"]
    assert told["coef"] == told["weights"] == ["x0", "x1", "x2"]
    assert told["auc"] > 0.9
    assert told["table"] == ["table_name", "table_namespace"]


def test_10_load_and_bind_reach_servings_that_then_answer(node, client, trained, tmp_path):
    model = trained["data"]["model_info"]
    train = ("--model-id", model["model_id"], "--model-version", model["model_version"])
    told = client.flow("model", "deploy", *train, "--cpn-list", ",".join(["reader_0", *KEPT]))
    adapter = {"path": str(client.folder / "host.csv"), "id": "id"}
    serving = Serving(tmp_path / "serving", "", adapter="csv", adapter_options=adapter)
    serving.start()
    parties = {"guest": [9999], "host": [10000], "arbiter": [10000]}
    conf = {
        "initiator": {"party_id": "9999", "role": "guest"},
        "role": parties,
        "job_parameters": {
            "model_id": model["model_id"],
            "model_version": told["data"]["model_version"],
        },
        "servings": [f"127.0.0.1:{serving.grpc}"],
    }
    try:
        loaded = client.flow("model", "load", "-c", client.json_file("load.json", conf))
        assert loaded["data"]["guest"] == {"9999": 0}
        assert loaded["data"]["host"] == {"10000": 0}
        named = {**conf, "service_id": "by-client"}
        bound = client.flow("model", "bind", "-c", client.json_file("bind_model.json", named))
        assert bound["retmsg"] == "service id is by-client"
        features = {"x0": 0.1, "x1": -0.2, "x2": 0.3}
        asked = request("by-client", features, "customer-20")
        status, answer = post(f"{serving.url}/federation/v1/inference", asked)
        assert (status, answer["retcode"]) == (200, 0)
        assert 0 < answer["data"]["score"] < 1
        ours = ("-c", str(client.folder / "bind_model.json"))
        assert "by-client is free" in node.flow("model", "unbind", *ours).stdout
        assert post(f"{serving.url}/federation/v1/inference", asked)[1]["retcode"] == 104
        node.flow("model", "unload", *ours)
        assert serving.status()["models"] == []
    finally:
        serving.stop()


def test_9_fates_own_short_test_passes(client, tables):
    parties = ("-gid", 9999, "-hid", 10000, "-aid", 10000)
    told = client.run("flow", "test", "min", "-t", "fast", "--no-sbt", *parties)
    assert "Warning" not in told, "its bar is an AUC of 0.98"


def test_14_bad_jobs_are_refused_with_the_place(client, tables):
    _, conf_file, _, dsl_file = job(client, "bad")
    conf = json.loads((client.folder / conf_file).read_text())
    dsl = json.loads((client.folder / dsl_file).read_text())
    wrong = copy.deepcopy(conf)
    wrong["component_parameters"]["common"]["hetero_lr_0"]["penalty"] = "L7"
    dsl["components"]["evaluation_0"]["module"] = "Nope"
    cases = [
        (client.json_file("wrong.json", wrong), dsl_file, "`$.penalty`: invalid enum value 'L7'"),
        (client.json_file("lone.json", {"dsl_version": 2}), dsl_file, "initiator: expected"),
        (conf_file, client.json_file("nope.json", dsl), "component 'evaluation_0': unknown module"),
    ]
    for conf_path, dsl_path, told in cases:
        found = client.flow("job", "submit", "-c", conf_path, "-d", dsl_path)
        assert found["retcode"] == 103
        assert told in found["retmsg"]


def test_14_what_is_not_there_is_said(node, client):
    absent = "20200101000000000000"
    assert client.flow("job", "query", "-j", absent)["retmsg"] == "no job could be found"
    assert client.flow("job", "stop", "-j", absent)["retcode"] == 102
    at = ("-j", absent, *GUEST, "-cpn", "x")
    download = client.flow("component", "output-data", *at, "-o", "absent")
    assert download == {"retcode": 210, "retmsg": "no data: x of guest 9999"}
    assert client.flow("job", "log", "-j", absent, "-o", "absent")["retcode"] == 404
    assert not (client.folder / "absent").exists()
    assert node.post("nothere")["retmsg"] == "<NotFound '404: Not Found'>"
    missing = node.post("table/table_info")
    assert missing["retcode"] == 101
    assert missing["retmsg"].startswith("required argument are missing: ")
