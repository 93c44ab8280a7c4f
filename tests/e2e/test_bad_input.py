"""Wrong input on a live site: one line that names the place, and nothing left behind."""

import json
import urllib.error
import urllib.request

import pytest

from tests.e2e.conftest import vertical_job


def jobs(node):
    return node.post("job/list/job", limit=0)["data"]["count"]


def refused(node, change):
    """The message of a submit that must be refused, after ``change(dsl, conf)``."""
    dsl, conf = vertical_job()
    change(dsl["components"], conf)
    before = jobs(node)
    reply = node.submit(dsl, conf)
    assert reply["retcode"] != 0, reply
    assert jobs(node) == before
    assert "Traceback" not in reply["retmsg"]
    return reply["retmsg"]


def lr(conf):
    return conf["component_parameters"]["common"]["hetero_lr_0"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d, c: d["hetero_lr_0"].update(module="HeteroLRR"), ["HeteroLRR", "HeteroLR"]),
        (
            lambda d, c: d["reader_0"].update(input={"data": {"data": ["evaluation_0.data"]}}),
            ["reader_0", "evaluation_0"],
        ),
        (lambda d, c: d.clear(), ["component"]),
        (
            lambda d, c: d["evaluation_0"]["input"]["data"].update(data=["nothere_0.data"]),
            ["nothere_0"],
        ),
        (lambda d, c: lr(c).update(lerning_rate=1), ["lerning_rate", "learning_rate"]),
        (lambda d, c: lr(c).update(max_iter="many"), ["max_iter", "int"]),
        (lambda d, c: lr(c).update(max_iter=-1), ["max_iter", ">= 1"]),
        (lambda d, c: lr(c)["encrypt_param"].update(key_length=0), ["encrypt_param.key_length"]),
        (lambda d, c: c.pop("role"), ["role"]),
        (lambda d, c: c.update(initiator={"role": "guest", "party_id": 1}), ["initiator"]),
        (lambda d, c: c.update(dsl_version=1), ["v2"]),
    ],
    ids=[
        "unknown module", "cycle", "no components", "missing input", "misspelt", "wrong type",
        "out of range", "nested", "no role", "foreign initiator", "version 1",
    ],
)  # fmt: skip
def test_a_wrong_job_is_refused_with_the_place(node, change, named):
    message = refused(node, change)
    assert all(word in message for word in named), message


def test_all_faults_are_told_at_once(node):
    def spoil(components, conf):
        lr(conf).update(lerning_rate=1)
        conf["component_parameters"]["common"]["intersection_0"].update(intersect_method="rsaa")

    message = refused(node, spoil)
    assert "lerning_rate" in message
    assert "intersect_method" in message


def test_malformed_json_is_named_as_such(node):
    request = urllib.request.Request(
        f"http://127.0.0.1:{node.port}/v1/job/submit", b'{"job_dsl": ', method="POST"
    )
    with urllib.request.urlopen(request) as reply:
        answer = json.loads(reply.read())
    assert answer["retcode"] != 0
    assert "JSON" in answer["retmsg"]


def test_a_table_that_does_not_exist_fails_the_job_with_its_name(node):
    dsl, conf = vertical_job()
    for role in ("guest", "host"):
        conf["component_parameters"]["role"][role]["0"]["reader_0"]["table"]["name"] = "nowhere"
    reply = node.submit(dsl, conf)
    assert node.wait(reply["jobId"]) == "failed"
    for row in node.post("job/query", job_id=reply["jobId"])["data"]:
        assert "e2e.nowhere" in row["f_reason"], row["f_reason"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("id,x0\na,1\nb,2,3\n", "line 3"),
        ("", "empty"),
        ("id,x0\n", "only a header"),
        ("id,x0\na,1\nb,2\na,3\n", "line"),
        ("id,x0\na,1\0\n", "line"),
    ],
    ids=["ragged", "empty", "only a header", "duplicate ids", "NUL"],
)
def test_a_file_that_is_no_table_is_refused_and_nothing_is_stored(node, tmp_path, content, named):
    file = tmp_path / "bad.csv"
    file.write_text(content)
    conf = tmp_path / "conf.json"
    conf.write_text(
        json.dumps(
            {
                "file": str(file),
                "head": 1,
                "partition": 1,
                "namespace": "bad",
                "table_name": "bad",
                "id_delimiter": ",",
            }
        )
    )
    done = node.flow("--output", "json", "data", "upload", "-c", str(conf), "--drop", check=False)
    reply = json.loads(done.stdout or "{}")
    told = done.stderr + str(reply.get("retmsg", ""))
    if reply.get("jobId"):
        assert node.wait(reply["jobId"]) == "failed"
        rows = node.post("job/query", job_id=reply["jobId"], role="local", party_id="0")
        told += rows["data"][0]["f_reason"]
    assert named in told, told
    assert node.post("table/table_info", namespace="bad", table_name="bad")["data"]["exist"] == 0


def test_an_unknown_url_is_an_envelope_with_status_200(node):
    answer = node.post("nothere")
    assert answer["retcode"] == 100
    assert "404" in answer["retmsg"]


def test_a_download_of_nothing_is_not_http_200(node):
    with pytest.raises(urllib.error.HTTPError) as error:
        node.post("job/log/download", job_id="0")
    assert error.value.code != 200


def test_the_command_line_fails_in_one_line(node):
    done = node.flow("job", "stop", "-j", "0", check=False)
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
