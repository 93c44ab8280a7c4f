"""What left a party, as ``/v1/audit/report`` tells it, and matches in logs."""

from __future__ import annotations

import pytest

from fateflow.store.orm import SummaryRow
from federation.audit import AuditLog
from federation.envelope import Envelope
from federation.party import Party, Role

GUEST, HOST = Party(Role.GUEST, "9999"), Party(Role.HOST, "10000")
WARNING = "[WARNING] [2026-11-22 06:38:48,376] [1] [1:2] - [{}] [line:90]: {}\n"


@pytest.fixture
def audited(site, job):
    """One message of the guest within this site, one refused, and one of another job."""
    log = AuditLog(site.settings.root)
    there = Envelope(job, "intersection_0", 0, "psi.set", 0, GUEST, HOST, "masked", "ids", "bytes")
    log.message("out", there, 24, bytes(32), hop="local", result="delivered")
    log.message("in", there, 24, bytes(32), hop="local", result="received")
    log.message("out", Envelope("2", "x_0", 0, "m", 0, GUEST, HOST), 9, bytes(32), result="sent")
    log.close()
    [path] = log.folder.iterdir()
    path.rename(path.with_name("audit-2023-11-14.jsonl"))  # when the job ran
    return job


@pytest.mark.parametrize(
    ("role", "party_id", "direction"), [("guest", 9999, "out"), ("host", "10000", "in")]
)
def test_each_party_sees_its_own_side(call, audited, role, party_id, direction):
    found = call("audit/report", {"job_id": audited, "role": role, "party_id": party_id})["data"]
    [line] = found["lines"]
    assert (line["direction"], line["count"], line["bytes"]) == (direction, 1, 24)
    assert (line["src"], line["dst"], line["kind"]) == ("guest 9999", "host 10000", "masked")
    assert found["verified"] is True


def test_without_a_party_the_site_tells_all_it_logged(call, audited):
    lines = call("audit/report", {"job_id": audited})["data"]["lines"]
    assert [line["direction"] for line in lines] == ["out", "in"]
    asked = {"job_id": audited, "component_name": "reader_0"}
    assert call("audit/report", asked)["data"]["lines"] == []


def test_a_job_or_party_that_is_not_here_is_refused(call, audited):
    assert call("audit/report", {"job_id": "1"})["retcode"] == 102
    asked = {"job_id": audited, "role": "host", "party_id": "1"}
    assert call("audit/report", asked)["retcode"] == 102


def test_schemes_and_warnings_of_a_party(site, call, audited):
    with site.database.write() as session:
        for role, party_id in (("guest", "9999"), ("host", "10000")):
            session.add(
                SummaryRow(
                    job_id=audited,
                    component_name="reader_0",
                    task_version=1,
                    role=role,
                    party_id=party_id,
                    values={"security": "ECDH, 128 bits", "other": 1},
                )
            )
    folder = site.settings.logs / audited / "guest" / "9999" / "intersection_0"
    folder.mkdir(parents=True)
    said = "weak key at 10.0.0.1"
    with (folder / "WARNING.log").open("w") as file:
        for _ in range(2):
            file.write(WARNING.format("federatedml.crypto.strength.warn_if_weak", said))
        file.write(WARNING.format("federatedml.params_shared.merged", "deprecated"))
        residuals = "5 rows: from its weights a party could work out residuals"
        file.write(WARNING.format("federatedml.sshe._warn", residuals))
    found = call("audit/report", {"job_id": audited})["data"]
    assert found["schemes"] == [{"component": "reader_0", "text": "ECDH, 128 bits"}]
    warned = {"component": "intersection_0", "text": "weak key at xxx.xxx.xxx.xxx"}
    assert found["warnings"] == [warned, {**warned, "text": residuals}]
    host = call("audit/report", {"job_id": audited, "role": "host", "party_id": "10000"})["data"]
    assert (host["schemes"], host["warnings"]) == (found["schemes"], [])


def test_a_site_without_an_audit_log_has_no_lines(call, job):
    assert call("audit/report", {"job_id": job})["data"]["lines"] == []


def test_logs_are_searched_by_text_and_level(site, call, job):
    folder = site.settings.logs / job
    folder.mkdir(parents=True)
    (folder / "fate_flow_schedule.log").write_text("[INFO] a\n[ERROR] b\n[INFO] B\n")
    asked = {"job_id": job, "log_type": "jobSchedule", "text": "b"}
    assert call("log/find", asked)["data"] == {"number": 2, "ordinal": 1, "count": 2}
    assert call("log/find", {**asked, "from": "2"})["data"]["number"] == 3
    assert call("log/find", {**asked, "level": "ERROR", "direction": "previous"})["data"] == {
        "number": 2,
        "ordinal": 1,
        "count": 1,
    }
    assert call("log/find", {**asked, "direction": "up"})["retcode"] == 101
    assert "RE2" in call("log/find", {**asked, "text": "(", "regex": True})["retmsg"]
    last = call("log/cat", {"job_id": job, "begin": -1})["data"]
    assert last == [{"line_num": 3, "content": "[INFO] B"}]
