"""Signed requests: what FATE's clients send is accepted, anything else is 109."""

from __future__ import annotations

import json
import time

import pytest

from fateflow.cli import client

KEYS = ("app", "secret")


@pytest.fixture
def locked(site):
    (site.settings.root / "client_keys.json").write_text(
        json.dumps({"app_key": KEYS[0], "secret_key": KEYS[1]})
    )


@pytest.fixture
def send(http, locked):
    """POST with the headers of our client's own signature; changes are made after signing."""

    def post(path="/v1/server/version/get", body=b"{}", *, keys=KEYS, signed_body=None, **headers):
        signed = client.signed(keys, path, body if signed_body is None else signed_body, "")
        reply = http.post(path, data=body, content_type="application/json",
                          headers={**signed, **headers})  # fmt: skip
        return reply.get_json()

    return post


def test_without_keys_nothing_is_checked(call):
    assert call("server/version/get")["retcode"] == 0


def test_an_unsigned_request_is_refused_with_what_is_missing(http, locked):
    found = http.post("/v1/job/query", data=b"{}").get_json()
    assert found["retcode"] == 109
    assert "TIMESTAMP" in found["retmsg"]


@pytest.mark.parametrize("signed_body", [b"{}", b"", b"null"])
def test_an_empty_object_may_be_signed_as_nothing(send, signed_body):
    assert send(signed_body=signed_body)["retcode"] == 0


def test_a_signed_body_is_accepted_and_a_changed_one_is_not(send):
    body = b'{"module": "FATE"}'
    assert send(body=body)["retcode"] == 0
    assert send(body=body, signed_body=b'{"module": "JDK"}')["retcode"] == 109


def test_another_secret_or_key_is_refused(send):
    assert send(keys=("app", "guess"))["retcode"] == 109
    assert send(keys=("other", "secret"))["retcode"] == 109


def test_a_replayed_request_is_refused(send):
    body = b'{"module": "FATE"}'
    signed = client.signed(KEYS, "/v1/server/version/get", body, "")
    assert send(body=body, **signed)["retcode"] == 0
    assert "NONCE" in send(body=body, **signed)["retmsg"]


def test_an_old_request_is_refused(send, monkeypatch):
    monkeypatch.setattr(client.time, "time", lambda t=time.time: t() - 100)
    signed = client.signed(KEYS, "/v1/server/version/get", b"{}", "")
    monkeypatch.undo()
    assert "TIMESTAMP" in send(**signed)["retmsg"]


def test_workers_and_the_nodes_health_check_are_not_signed(http, locked):
    assert http.post("/v1/version/get", data=b"{}").get_json()["retcode"] == 0
    by_worker = http.post("/v1/worker/1/a/0/guest/1", data=b"{}").get_json()
    assert not by_worker["retmsg"].startswith("signature refused")
