"""FATE's JSON and the open protocol: what is taken, what is refused and with which code."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import fate_json, open_protocol
from serving.calls import Answer, Call, Row, RowAnswer
from serving.codes import Code, ServingFault, http_status, of_host

SINGLE = {
    "head": {"serviceId": "loan", "applyId": "a-1", "caseId": "c-1"},
    "body": {"featureData": {"x0": 0.1}, "sendToRemoteFeatureData": {"device_id": "8"}},
}


def flat(request):
    return fate_json.flattened(json.dumps(request).encode())


def test_head_and_body_become_one_object_in_which_the_body_wins():
    request = {"head": {"serviceId": "a", "caseId": "h"}, "body": {"serviceId": "b"}}
    call = fate_json.single(flat(request), 1.0)
    assert (call.service_id, call.case_id) == ("b", "h")


def test_a_single_request_keeps_guest_features_and_what_hosts_get_apart():
    call = fate_json.single(flat(SINGLE), 1.0)
    assert call.rows == [Row(index=0, features={"x0": 0.1}, remote={"device_id": "8"})]
    assert call.apply_id == "a-1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"featureData": None}, "no feature data"),
        ({"sendToRemoteFeatureData": None}, "no send to remote feature data"),
        ({"featureData": [1]}, "featureData must be an object"),
        ({"serviceId": None}, "no service id"),
        ({"serviceId": "  "}, "no service id"),
        ({"serviceId": True}, "serviceId must be text"),
        ({"serviceId": "x" * 300}, "longer than 256"),
    ],
)
def test_wrong_fields_are_named(change, message):
    request = {"head": SINGLE["head"], "body": {**SINGLE["body"], **change}}
    with pytest.raises(ServingFault, match=message) as caught:
        fate_json.single(flat(request), 1.0)
    assert caught.value.code == Code.BAD_PARAMETER


def test_absent_feature_maps_mean_empty_ones():
    call = fate_json.single(flat({"head": {"serviceId": "loan"}}), 1.0)
    assert call.rows[0].features == {}
    assert call.rows[0].remote == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff", b'{"head": 3}', b"NaN"])
def test_a_malformed_body_answers_under_both_names(body):
    with pytest.raises(fate_json.Malformed) as caught:
        fate_json.flattened(body)
    told = fate_json.fault_answer(caught.value)
    assert told["retcode"] == 100
    assert told["code"] == 110
    assert told["message"] == "SYSTEM_ERROR"


def batch(*items):
    return {"head": {"serviceId": "loan"}, "body": {"batchDataList": list(items)}}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "at least one"),
        ([{"featureData": {}}], "index must be an integer"),
        ([{"index": "0"}], "index must be an integer"),
        ([{"index": True}], "index must be an integer"),
        ([{"index": 1}, {"index": 1}], "comes twice"),
        ([3], "must be an object"),
        ([{"index": 0, "featureData": []}], "featureData must be an object"),
        ([{"index": 0, "needCheckFeature": 1}], "true or false"),
        ([{"index": i} for i in range(4)], "may have 3"),
    ],
)
def test_wrong_batches_are_refused_whole(items, message):
    with pytest.raises(ServingFault, match=message):
        fate_json.batch(flat(batch(*items)), 1.0, most=3)


def test_batch_answers_hold_the_rows_twice_and_failed_rows_without_data():
    answer = Answer(
        rows=[
            RowAnswer(index=4, data={"score": 0.5}),
            RowAnswer(index=2, code=2113, message="host return code 113 host msg :x"),
        ],
        model_id="guest#9999#m",
        model_version="7",
        loaded_ms=5,
    )
    told = fate_json.batch_answer(answer)
    assert told["data"] == {"modelId": "guest#9999#m", "modelVersion": "7", "timestamp": 5}
    assert told["batchDataList"][0] == {
        "index": 4,
        "retcode": 0,
        "retmsg": "",
        "data": {"score": 0.5},
    }
    assert "data" not in told["batchDataList"][1]
    assert told["singleInferenceResultMap"]["2"]["retcode"] == 2113


def test_a_fallback_is_flagged():
    answer = Answer(rows=[RowAnswer(index=0, data={"score": 0.5})], fallback="guest_only")
    told = fate_json.single_answer(answer)
    assert told["flag"] == 1
    assert told["data"]["fallback"] == "guest_only"


def tensors(*inputs):
    return json.dumps({"inputs": list(inputs)}).encode()


def tensor(name="x0", datatype="FP64", data=(0.5,), shape=None):
    shape = [len(data)] if shape is None else shape
    return {"name": name, "datatype": datatype, "shape": shape, "data": list(data)}


def test_tensors_become_rows_and_remote_ones_go_to_hosts():
    body = tensors(tensor(data=[1.0, 2.0]), tensor("remote.id", "BYTES", ["a", "b"]))
    call = open_protocol.call(body, "loan", "", 1.0, 10)
    assert [row.features for row in call.rows] == [{"x0": 1.0}, {"x0": 2.0}]
    assert [row.remote for row in call.rows] == [{"id": "a"}, {"id": "b"}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", 'list "inputs"'),
        (b"{}", 'list "inputs"'),
        (tensors(3), "must be an object"),
        (tensors(tensor(name="")), "name must be text"),
        (tensors(tensor(datatype="FLOAT")), "datatype must be one of"),
        (tensors(tensor(shape=[2])), "shape must be"),
        (tensors(tensor(shape="no")), "shape must be"),
        (tensors(tensor(), tensor()), "comes twice"),
        (tensors(tensor(), tensor("x1", data=[1.0, 2.0])), "as many rows"),
        (tensors(tensor(data=["a"])), "not all FP64"),
        (tensors(tensor(datatype="INT64", data=[0.5])), "not all INT64"),
        (tensors(tensor(datatype="BOOL", data=[1])), "not all BOOL"),
        (tensors(tensor(data=[1.0] * 11)), "11 rows"),
        (tensors(tensor(data=[])), "0 rows"),
    ],
)
def test_wrong_tensors_are_named(body, message):
    with pytest.raises(ServingFault, match=message):
        open_protocol.call(body, "loan", "", 1.0, 10)


def test_scores_of_classes_are_one_matrix_with_failed_rows_empty():
    call = Call(case_id="c", service_id="loan", rows=[], deadline=0.0)
    answer = Answer(
        rows=[
            RowAnswer(index=0, data={"score": [0.2, 0.8], "label": "b"}),
            RowAnswer(index=1, code=2113, message="no"),
        ]
    )
    told = open_protocol.answer(call, answer)
    by_name = {output["name"]: output for output in told["outputs"]}
    assert by_name["score"]["shape"] == [2, 2]
    assert by_name["score"]["data"] == [0.2, 0.8, None, None]
    assert by_name["retcode"]["data"] == [0, 2113]
    assert by_name["label"]["data"] == ["b", ""]
    assert json.loads(told["parameters"]["messages"]) == {"1": "no"}


def test_codes_have_statuses():
    assert http_status(0) == 200
    assert http_status(Code.OVERLOAD) == 429
    assert http_status(of_host(113)) == 502
    assert http_status(9999) == 500
    assert of_host(605) == 2605


def refusal_or_call(read):
    try:
        return read()
    except ServingFault as fault:
        return fault


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
KEYS = ("serviceId", "featureData", "sendToRemoteFeatureData", "batchDataList", "caseId", "applyId")


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_object_is_a_call_or_a_refusal_with_a_code(request):
    for read in (
        lambda found: fate_json.single(found, 1.0),
        lambda found: fate_json.batch(found, 1.0, 5),
    ):
        found = refusal_or_call(lambda read=read: read(request))
        if isinstance(found, ServingFault):
            assert found.code == Code.BAD_PARAMETER
            assert str(found)
        else:
            assert found.rows
            assert all(math.isfinite(row.index) for row in found.rows)


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({"inputs": st.lists(JSON, max_size=3)}))
def test_any_tensors_are_a_call_or_a_refusal(request):
    body = json.dumps(request).encode()
    found = refusal_or_call(lambda: open_protocol.call(body, "loan", "", 1.0, 5))
    assert isinstance(found, Call) or found.code == Code.BAD_PARAMETER
