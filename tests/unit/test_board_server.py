"""What the board's server answers: pages and jobs."""

import gzip
import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fateboard import disclosure, messages
from fateboard.api.pages import STATIC
from fateboard.downloads import conf_for
from fateboard.errors import Refused
from fateboard.job_detail import dag_of, failure_of, tasks_of
from fateboard.jobs import shown
from fateboard.names import is_name
from fateboard.shapes import JobKey
from fateboard.testing.fake_flow import Clock, FakeFlow
from fateboard.testing.scripted_jobs import (
    BIG,
    LIVE,
)
from tests.board_asked import LIVE_ONE, ONE, code
from tests.board_site import client

FOREST = f"{ONE}/components/heterosecureboost_0"


# Pages


def test_both_addresses_of_the_page_and_its_headers(browser):
    first, second = browser.get("/"), browser.get("/index.html")
    assert first.data == second.data
    assert first.content_type == "text/html; charset=utf-8"
    policy = first.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert first.headers["X-Frame-Options"] == "DENY"
    assert b"<script>" not in first.data
    assert not re.search(rb"\son\w+=", first.data)


def test_every_file_of_the_page_is_served_with_its_type(browser):
    wanted = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
    files = [path for path in STATIC.rglob("*") if path.suffix in wanted]
    assert len(files) > 20
    for path in files:
        answer = browser.get(f"/{path.relative_to(STATIC).as_posix()}")
        assert answer.status_code == 200
        assert answer.content_type.startswith(wanted[path.suffix])
        assert answer.data == path.read_bytes()


def test_compressed_and_fresh(browser):
    packed = browser.get("/vendor/echarts.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == (STATIC / "vendor" / "echarts.js").read_bytes()
    tag = {"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "gzip"}
    assert browser.get("/vendor/echarts.js", headers=tag).status_code == 304
    plain = browser.get("/vendor/echarts.js")
    assert plain.headers["ETag"] != packed.headers["ETag"]


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/js/../../app.py", "/js/..%5c..%5capp.py",
        "/.hidden.js", "/static/index.html", "/js/types.d.ts", "/vendor/", "/nix",
    ],
)  # fmt: skip
def test_no_other_file_is_served(browser, path):
    assert code(browser.get(path)) == (404, "no_page")


# Names in addresses


BAD_NAMES = ["..", ".", "a b", "a%00b", "%2e%2e", "a;b", "$(id)", "`id`", "a'b", "a%0ab", "x" * 201]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_reach_no_fateflow(browser, failed_flow, name):
    before = failed_flow.total()
    for path in (
        f"/api/v1/jobs/{name}/guest/9999",
        f"/api/v1/jobs/{BIG}/{name}/9999/logs/partyInfo",
        f"/api/v1/jobs/{BIG}/guest/{name}/components/reader_0/view",
        f"{ONE}/components/{name}/view",
        f"{ONE}/logs/{name}",
    ):
        assert browser.get(path).status_code == 404
    assert browser.get(f"{ONE}/logs/componentInfo?component={name}").status_code == 400
    assert failed_flow.total() == before


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_a_name_cannot_leave_a_folder(name):
    if is_name(name):
        assert "/" not in name
        assert not name.startswith(".")
        assert set(name) <= set(string.ascii_letters + string.digits + "_.-")


# Jobs


def test_the_list_of_a_thousand_jobs(browser):
    page = browser.get("/api/v1/jobs?size=1000").get_json()
    assert page["total"] == 1005
    assert len(page["jobs"]) == 1000
    assert page["facets"]["status"]["failed"] > 100


def test_filters_and_order_are_fateflows(browser, failed_flow):
    browser.get(
        "/api/v1/jobs?q=a&status=failed,success&role=host&party_id=9,10&partner=7&note=lr"
        "&module=HeteroLR&from=1&to=2&sort=elapsed&order=asc&page=2&size=5&metric=auc"
    )
    path, body = failed_flow.bodies[-1]
    assert path == "job/list/job"
    assert body == {
        "q": "a",
        "status": ["failed", "success"],
        "role": ["host"],
        "party_id": ["9", "10"],
        "partner": "7",
        "description": "lr",
        "module": ["HeteroLR"],
        "from": 1,
        "to": 2,
        "order_by": "elapsed",
        "order": "asc",
        "page": 2,
        "limit": 5,
        "metric": "auc",
        "facets": True,
        "detail": False,
    }


@pytest.mark.parametrize("query", ["sort=nonsense", "page=0", "size=x", "from=-1", "size=100000"])
def test_questions_that_make_no_sense(browser, query):
    status, told = code(browser.get(f"/api/v1/jobs?{query}"))
    assert status == 400
    assert told in ("sort", "number")


def test_one_job(browser):
    found = browser.get(LIVE_ONE).get_json()
    assert found["job"]["status"] == "failed"
    assert [node["name"] for node in found["dag"]["nodes"]][:2] == ["reader_0", "datatransform_0"]
    assert found["dag"]["edges"][0]["source_port"] == "data"
    assert {sibling["role"] for sibling in found["siblings"]} == {"host", "arbiter"}
    assert found["datasets"][0]["table"] == "experiment.breast"
    failure = found["failure"]
    assert failure["component"] == "heterolr_0"
    assert failure["mine"] is True
    assert failure["message"] == "ValueError: too few rows"
    assert failure["log_line"] == 1000
    other = browser.get(f"/api/v1/jobs/{LIVE}/host/10000").get_json()
    assert other["failure"]["party"] == "guest 9999"
    assert other["failure"]["mine"] is False


def test_what_failed_at_another_site_is_told_with_its_party():
    key = JobKey(job_id="1", role="guest", party_id="9999")
    mine = {"job_id": "1", "role": "guest", "party_id": "9999", "component_name": "lr_0"}
    reason = "host 10000, lr_0: ValueError: no rows"
    stopped = {**mine, "party_status": "failed", "error_report": reason}
    found = failure_of({"status": "failed", "reason": reason}, [stopped], key)
    assert (found.party, found.component, found.mine) == ("host 10000", "lr_0", False)
    assert found.message == "ValueError: no rows"
    reason = "guest 9999, lr_0: bad"
    own = {**mine, "party_status": "failed", "error_report": "bad\nTraceback"}
    found = failure_of({"status": "failed", "reason": reason}, [own], key)
    assert (found.mine, found.message, found.detail) == (True, "bad", "bad\nTraceback")
    found = failure_of({"status": "failed", "reason": ""}, [own], key)
    assert (found.mine, found.message) == (True, "bad")
    assert failure_of({"status": "failed"}, [], key).component == ""
    assert failure_of({"status": "success", "reason": reason}, [own], key) is None


def test_jobs_that_are_not_here(browser):
    for path in (f"/api/v1/jobs/{BIG}/guest/1", "/api/v1/jobs/2026/guest/9999"):
        assert code(browser.get(path)) == (404, "no_job")
        assert code(browser.get(f"{path}/logs/partyInfo")) == (404, "no_job")
        assert code(browser.get(f"{path}/disclosure")) == (404, "no_job")
        assert code(browser.post(f"{path}/cancel", json={})) == (404, "no_job")


def test_etags(browser):
    for path in (ONE, "/api/v1/jobs", "/api/v1/messages/en", f"{FOREST}/view"):
        first = browser.get(path)
        again = browser.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304
        assert again.data == b""


def test_large_answers_are_compressed_for_who_takes_that(browser):
    path = f"{ONE}/components/reader_0/data"
    plain = browser.get(path)
    packed = browser.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    tag = {"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "gzip"}
    assert browser.get(path, headers=tag).status_code == 304
    small = browser.get("/api/v1/session", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers


def test_notes_keep_every_character(browser, failed_flow):
    notes = "v1.2, lr=0.1 <b>x</b> 备注"
    found = browser.put(f"{ONE}/notes", json={"notes": notes}).get_json()
    assert found["job"]["notes"] == notes
    assert code(browser.put(f"{ONE}/notes", json={"notes": "x" * 2001})) == (400, "notes_length")
    assert code(browser.put(f"{ONE}/notes", json={"notes": 7})) == (400, "bad_request")
    assert code(browser.put(f"{ONE}/notes", data="{", content_type="application/json"))[0] == 400


def test_cancel_and_rerun(tmp_path):
    flow = FakeFlow(clock=Clock(3.5), step_s=1.0).start()
    page = client(tmp_path, flow)
    assert page.get(LIVE_ONE).get_json()["job"]["status"] == "running"
    assert page.post(f"{LIVE_ONE}/cancel", json={}).get_json()["job"]["status"] == "canceled"
    body = {"component": "intersection_0"}
    assert page.post(f"{LIVE_ONE}/rerun", json=body).get_json()["job"]["status"] == "running"
    asked = dict(flow.bodies[::-1])
    assert asked["job/rerun"] == {"job_id": LIVE, "component_name": "intersection_0"}
    page.post(f"{LIVE_ONE}/rerun", json={})
    asked = [body for path, body in flow.bodies if path == "job/rerun"]
    assert asked[-1]["component_name"] == "pipeline"
    flow.stop()


def test_files_of_a_job(browser):
    conf = browser.get(f"/api/v1/jobs/{LIVE}/host/10000/conf")
    assert f'filename="runtime_config_{LIVE}.json"' in conf.headers["Content-Disposition"]
    assert "secret" not in conf.get_data(as_text=True)
    guest = browser.get(f"{LIVE_ONE}/conf").get_json()
    assert guest["component_parameters"]["role"]["guest"]["0"]["reader_0"]["secret"] == 1
    arbiter = browser.get(f"/api/v1/jobs/{LIVE}/arbiter/10000/conf")
    assert code(arbiter) == (403, "conf_of_arbiter")
    dsl = browser.get(f"{LIVE_ONE}/dsl")
    assert "reader_0" in dsl.get_json()["components"]


def test_a_hosts_configuration_hides_the_guests():
    conf = {
        "initiator": {"party_id": 1},
        "role": {"guest": [1], "host": [2], "arbiter": [3]},
        "component_parameters": {"common": {}, "role": {"guest": {"x": 1}, "host": {"y": 1}}},
        "role_parameters": {"guest": {}, "host": {}},
    }
    assert conf_for("host", conf) == {
        "role": {"host": [2]},
        "component_parameters": {"common": {}, "role": {"host": {"y": 1}}},
        "role_parameters": {"host": {}},
    }
    assert conf_for("guest", conf) == conf
    assert conf_for("host", {"role": 7, "component_parameters": []})["role"] == 7
    with pytest.raises(Refused):
        conf_for("arbiter", conf)


# Whatever fateflow says


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["component_list", "dependencies", "components", "a", "module", "output", "input",
             "data", "type", "up_output_info", "component_name", "roles", "status", "progress"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(
    st.sampled_from(
        ["component_list", "component_module", "dependencies", "components", "roles", "modules",
         "status", "party_status", "progress", "end_time", "error_report", "task_version",
         "component_name", "job_id", "dsl", "create_time"]
    ),
    JSON_VALUES,
    max_size=6,
)  # fmt: skip


@given(OBJECTS, OBJECTS)
@settings(max_examples=100, deadline=None)
def test_no_answer_of_fateflow_breaks_a_page(first, second):
    dag_of(first, second)
    shown(first)
    for status in ("running", "failed"):
        tasks_of([first, second], job_status=status)
    key = JobKey(job_id="1", role="guest", party_id="9999")
    failure_of({**first, "status": "failed"}, [first, {**second, "party_status": "failed"}], key)
    disclosure.shown({"lines": [first], "schemes": [second], "warnings": [first]})


# Words


def test_every_code_of_the_server_has_words_in_both_languages():
    package = Path(messages.__file__).parent
    sources = [*package.glob("*.py"), *(package / "api").glob("*.py")]
    text = "\n".join(path.read_text() for path in sources)
    codes = {f"fault.{c}" for c in re.findall(r"Refused\(\s*\d+,\s*\"(\w+)\"", text)}
    codes |= set(re.findall(r"\bmsg\(\s*\"([\w.]+)\"", text))
    found = messages.catalogues()
    assert len(codes) > 40
    for language in messages.LANGUAGES:
        assert sorted(codes - found[language].keys()) == []


def test_translations_have_the_same_places_for_values():
    found = messages.catalogues()
    for code_of, english in found["en"].items():
        chinese = found["zh-CN"][code_of]
        assert set(re.findall(r"\{(\w+)\}", english)) == set(re.findall(r"\{(\w+)\}", chinese))


def test_the_readers_language():
    assert messages.language_of("zh-TW,zh;q=0.9,en;q=0.8") == "zh-CN"
    assert messages.language_of("en-GB,zh") == "en"
    assert messages.language_of("fr") == "en"
    assert messages.language_of("") == "en"
