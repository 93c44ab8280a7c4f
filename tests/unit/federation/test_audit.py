"""The audit log: every line counts, and any change of the past shows."""

import json

import pytest
from federation_sites import envelope

from federation.audit import AuditLog, entries, verify
from federation.audit_report import report


@pytest.fixture
def home(tmp_path):
    log = AuditLog(tmp_path)
    for number in range(3):
        log.message("out", envelope(number), 100, bytes(32), hop="1.2.3.4:9370", result="sent")
    log.write(what="refusal", job="another", result="wrong token")
    log.close()
    return tmp_path


def log_file(home):
    [path] = (home / "gateway/audit").iterdir()
    return path


def edit(home, change):
    lines = log_file(home).read_text().splitlines()
    log_file(home).write_text("".join(f"{line}\n" for line in change(lines)))


def test_an_untouched_log_holds(home):
    verdict = verify(home)
    assert (verdict.records, verdict.problem) == (4, "")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda x: [x[0].replace("100", "101"), *x[1:]], "line 2: does not hold the digest"),
        (lambda x: [x[0], x[2], x[3]], "line 2: does not hold the digest"),
        (lambda x: [x[0], x[2], x[1], x[3]], "line 2: does not hold the digest"),
        (lambda x: [x[0], x[0], *x[1:]], "line 2: does not hold the digest"),
        (lambda x: [x[0], "{}", *x[1:]], "line 2: not an audit record"),
        (lambda x: [x[0].replace('"previous":"0', '"previous":"1'), *x[1:]], "line 1: the first"),
    ],
)
def test_a_changed_removed_swapped_or_added_line_is_named(home, change, where):
    edit(home, change)
    assert where in verify(home).problem


def test_the_chain_goes_on_over_restarts_and_days(home):
    path = log_file(home)
    path.rename(path.with_name("audit-2020-01-01.jsonl"))
    log = AuditLog(home)
    log.write(what="log", result="the next day")
    log.close()
    verdict = verify(home)
    assert (verdict.records, verdict.files, verdict.problem) == (5, 2, "")
    path.with_name("audit-2020-01-01.jsonl").unlink()
    assert verify(home).problem == ""  # archived: the chain is followed from what is left


def test_a_line_torn_by_a_crash_is_removed_and_said(home):
    with log_file(home).open("a") as file:
        file.write('{"sequence": 4, "prev')
    AuditLog(home).close()
    assert verify(home).problem == ""
    assert "unfinished line" in list(entries(home))[-1].result


def test_the_report_sums_a_job_by_message_and_pair(home):
    [line] = report(home, envelope().job_id).lines
    assert (line.message, line.direction, line.src, line.dst) == (
        "lr.x",
        "out",
        "guest 9999",
        "host 10000",
    )
    assert (line.count, line.size, line.kind, line.reveals) == (3, 300, "plain", "a sum")


def test_lines_are_json_with_sizes_and_digests_and_no_values(home):
    first = json.loads(log_file(home).read_text().splitlines()[0])
    assert first["bytes"] == 100
    assert first["sha256"] == "0" * 64
    assert first["shape"] == "float64[3]"
    assert log_file(home).stat().st_mode & 0o777 == 0o600
