"""The border: what comes in whatever its content type, what goes out whatever happened."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("data", [b"", b"{}", b"null"])
def test_no_body_counts_as_an_empty_object(http, data):
    reply = http.post("/v1/server/version/get", data=data, content_type="text/plain")
    assert reply.get_json()["data"]["FATE"] == "1.11.4"


def test_malformed_json_is_said_in_one_sentence(http):
    reply = http.post("/v1/job/query", data=b"{bad")
    assert reply.status_code == 200
    assert reply.get_json()["retcode"] == 101
    assert reply.get_json()["retmsg"].startswith("the request body is not JSON")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_named(http, number):
    message = http.post("/v1/job/query", data=f'{{"a": {number}}}').get_json()["retmsg"]
    assert "not JSON" in message
    assert "NaN and Infinity are not JSON numbers" in message


def test_a_text_that_says_nan_is_not_what_is_wrong(http):
    message = http.post("/v1/job/query", data=b'{"a": "NaN", b}').get_json()["retmsg"]
    assert "not JSON numbers" not in message


def test_a_list_is_no_body(http):
    assert http.post("/v1/job/config", data=b"[1]").get_json()["retcode"] == 101


def test_missing_arguments_are_all_named(call):
    found = call("tracking/component/metrics", {"role": "guest"})
    assert found["retcode"] == 101
    assert found["retmsg"] == "required argument are missing: job_id,component_name;"


def test_an_unknown_url_is_http_200_and_retcode_100(http):
    reply = http.post("/v1/nothere", json={})
    assert reply.status_code == 200
    assert reply.get_json() == {"retcode": 100, "retmsg": "<NotFound '404: Not Found'>"}


def test_a_slash_at_the_end_changes_nothing(call):
    assert call("server/version/get/") == call("server/version/get")


def test_envelope_keys_are_sorted_and_nulls_inside_data_stay(http, call):
    raw = http.post("/v1/table/table_info", json={"namespace": "n", "table_name": "t"}).data
    assert raw.startswith(b'{"data":{"address":null,')
    assert "meta" not in call("table/table_info", {"namespace": "n", "table_name": "t"})


def test_an_unexpected_fault_tells_no_traceback(http, site, monkeypatch):
    monkeypatch.setattr(site, "database", None)
    found = http.post("/v1/job/query", json={"job_id": "1"}).get_json()
    assert found["retcode"] == 100
    assert "Traceback" not in found["retmsg"]


@pytest.mark.parametrize(
    "data",
    [b'{"job_id":' * 100_000 + b"1" + b"}" * 100_000, b'{"job_id": "\xff\xfe"}'],
    ids=["nested", "not UTF-8"],
)
def test_json_that_cannot_be_read_is_the_request_s_fault(http, data):
    found = http.post("/v1/job/query", data=data).get_json()
    assert found["retcode"] == 101
    assert "JSON" in found["retmsg"]


def test_a_body_too_long_for_memory_is_not_read(http, monkeypatch):
    monkeypatch.setattr("fateflow.api.envelope.LONGEST_JSON", 10)
    found = http.post("/v1/job/query", json={"job_id": "20240101"}).get_json()
    assert found["retcode"] == 101
    assert "at most 10" in found["retmsg"]


@pytest.mark.parametrize("limit", [10**30, -1, "x", 1e308])
def test_a_number_no_database_holds_is_refused(call, limit):
    found = call("job/list/job", {"limit": limit})
    assert found["retcode"] == 101
    assert "limit" in found["retmsg"]
