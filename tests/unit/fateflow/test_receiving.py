"""A body for which there is no room is read to its end, and answered."""

import json
import tempfile
from pathlib import Path

import pytest
import waitress.adjustments
import waitress.buffers

from fateflow import receiving


@pytest.fixture
def parser(monkeypatch):
    def full(_self, _more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(waitress.buffers.OverflowableBuffer, "append", full)
    return receiving.Parser(waitress.adjustments.Adjustments(max_request_body_size=1 << 44))


def told(parser):
    status, _, body = parser.error.to_response()
    assert status == "200 OK"
    found = json.loads(body)
    assert found["retcode"] == 100
    return found["retmsg"]


def test_a_body_without_room_is_read_to_its_end_and_then_refused(parser):
    parser.received(b"POST /v1/data/upload HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
    assert parser.received(b"12345") == 5
    assert not parser.completed
    assert parser.received(b"67890GET") == 5
    assert parser.completed
    assert "No space left on device" in told(parser)
    parser.close()


def test_a_chunked_body_without_room_is_refused_at_once(parser):
    parser.received(b"POST /v1/data/upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    parser.received(b"5\r\n12345\r\n")
    assert parser.completed
    assert "nothing was stored" in told(parser)


def test_bodies_lie_where_they_are_told_to(tmp_path):
    before = tempfile.tempdir
    with receiving.bodies_kept_in(tmp_path), tempfile.NamedTemporaryFile() as file:
        assert Path(file.name).parent == tmp_path
    assert tempfile.tempdir == before
