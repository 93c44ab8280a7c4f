"""Pages of the web that know this port: their orders are refused, those of clients are not."""

from __future__ import annotations

import pytest

from fateflow.api import serving
from fateflow.errors import FlowError

PATHS = ["job/stop", "job/list/job", "serving/bind", "log/cat", "audit/report", "data/upload"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost"},  # a name of the web's own that leads to this machine
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_gives_no_orders(call, path, headers):
    answer = call(path, {}, headers=headers, content_type="text/plain")
    assert answer["retcode"] == 100
    assert "from a page in a browser" in answer["retmsg"]


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}])
def test_clients_and_the_address_bar_are_answered(call, headers):
    answer = call("version/get", {"module": "FATEFlow"}, headers=headers, content_type="text/plain")
    assert answer["retcode"] == 0


@pytest.mark.parametrize("status", [200, 500])
def test_a_serving_that_answers_something_else_is_told(site, monkeypatch, status):
    class Reply:
        def __init__(self):
            self.status = status

        def read(self):
            return b"[]"

    class Connection:
        def __init__(self, *_, **__):
            pass

        def request(self, *_):
            pass

        def getresponse(self):
            return Reply()

        def close(self):
            pass

    monkeypatch.setattr(serving.http.client, "HTTPConnection", Connection)
    with pytest.raises(FlowError, match="does not answer"):
        serving._asked(site.settings, "GET", "/v1/serving/status", None)
