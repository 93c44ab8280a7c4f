"""Reports of one job from a log that others grow: fast, appended to, and honest about its chain."""

import pytest
from federation_sites import envelope

from federation import audit_report
from federation.audit import AuditLog
from federation.audit_report import Reports, report, seen_by


def of(job):
    return envelope(1, job=job)


@pytest.fixture
def log(tmp_path):
    made = AuditLog(tmp_path)
    yield made
    made.close()


def send(log, *jobs):
    for job in jobs:
        log.message("out", of(job), 100, bytes(32), hop="1.2.3.4:9370", result="sent")


def counts(found):
    return [line.count for line in found.lines], found.unbroken


def file_of(log):
    [path] = log.folder.iterdir()
    return path


def rewrite(path, old, new, line):
    lines = path.read_bytes().splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    path.write_bytes(b"".join(lines))


def test_a_kept_report_goes_on_with_what_was_appended(log, tmp_path):
    reports = Reports()
    send(log, "1", "2", "1")
    assert counts(reports.of(tmp_path, "1")) == ([2], True)
    send(log, "2", "2")
    assert counts(reports.of(tmp_path, "1")) == ([2], True)
    send(log, "1")
    assert counts(reports.of(tmp_path, "1")) == ([3], True)
    assert counts(reports.of(tmp_path, "2")) == ([3], True)
    assert counts(reports.of(tmp_path, "3")) == ([], True)


def test_only_what_was_appended_is_read_again(log, tmp_path, monkeypatch):
    reports = Reports()
    send(log, *["1"] * 50)
    reports.of(tmp_path, "1")
    read = []
    original = audit_report._Reading._follow
    monkeypatch.setattr(
        audit_report._Reading, "_follow", lambda self, line: (read.append(1), original(self, line))
    )
    send(log, "1", "2")
    assert counts(reports.of(tmp_path, "1")) == ([51], True)
    assert len(read) == 2


@pytest.mark.parametrize(
    ("line", "unbroken"),
    [(0, True), (1, False), (2, False), (3, False), (4, False), (5, True)],
)
def test_a_change_shows_from_the_line_before_the_job_to_its_last(log, tmp_path, line, unbroken):
    send(log, "2", "2", "1", "2", "1", "2")
    rewrite(file_of(log), b'"bytes":100', b'"bytes":101', line)
    assert counts(report(tmp_path, "1"))[1] is unbroken


def test_the_last_line_of_all_is_checked_once_another_follows(log, tmp_path):
    reports = Reports()
    send(log, "2", "1")
    assert reports.of(tmp_path, "1").unbroken
    rewrite(file_of(log), b'"bytes":100', b'"bytes":900', 1)
    send(log, "2")
    assert not report(tmp_path, "1").unbroken


def test_a_removed_line_breaks_the_chain(log, tmp_path):
    send(log, "1", "2", "1", "1")
    path = file_of(log)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))
    assert counts(report(tmp_path, "1")) == ([3], False)


def test_a_job_goes_over_midnight_and_days_that_cannot_hold_it_are_not_opened(log, tmp_path):
    send(log, "2", "1", "2")
    path = file_of(log)
    path.rename(path.with_name("audit-2020-01-01.jsonl"))
    log.close()
    send(log, "2", "1", "2")
    (log.folder / "audit-2019-12-31.jsonl").mkdir()  # opening it would fail
    (log.folder / "audit-2999-01-01.jsonl").mkdir()
    found = report(tmp_path, "1", "2020-01-01", "2998-12-31")
    assert counts(found) == ([2], True)


def test_a_log_cut_short_is_read_anew(log, tmp_path):
    reports = Reports()
    send(log, "1", "1", "1")
    assert counts(reports.of(tmp_path, "1")) == ([3], True)
    path = file_of(log)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert counts(reports.of(tmp_path, "1")) == ([1], True)


def test_an_unfinished_line_waits_for_its_end(log, tmp_path):
    reports = Reports()
    send(log, "1", "1")
    path = file_of(log)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert counts(reports.of(tmp_path, "1")) == ([1], True)
    path.write_bytes(whole)
    assert counts(reports.of(tmp_path, "1")) == ([2], True)


def test_what_was_changed_after_a_report_shows_when_it_is_no_longer_fresh(log, tmp_path):
    reports = Reports(fresh_s=0.0)
    send(log, "1", "1", "1")
    assert reports.of(tmp_path, "1").unbroken
    rewrite(file_of(log), b'"bytes":100', b'"bytes":101', 1)
    assert not reports.of(tmp_path, "1").unbroken


def test_a_party_sees_a_message_within_its_site_once(log, tmp_path):
    there = of("1")
    for direction, result in (("out", "delivered"), ("in", "received")):
        log.message(direction, there, 7, bytes(32), hop="local", result=result)
    lines = report(tmp_path, "1").lines
    assert len(lines) == 2
    for party, direction in ((str(there.src), "out"), (str(there.dst), "in")):
        [line] = seen_by(lines, party)
        assert (line.direction, line.count, line.size) == (direction, 1, 7)
    assert seen_by(lines, "guest 1") == []


def test_reasons_without_end_are_summed_up(log, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_report, "MOST_SUMS", 3)
    for number in range(9):
        log.write(what="refusal", job="1", direction="in", dst="guest 9", result=f"no {number}")
    found = report(tmp_path, "1")
    assert len(found.lines) == 4
    assert found.lines[-1].count == 6
