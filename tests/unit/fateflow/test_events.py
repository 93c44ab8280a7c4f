"""Events of workers: read once, whole lines only, into the right tables."""

from __future__ import annotations

import farm
import pytest
from farm import GUEST, folders, job, submit, turns
from sqlalchemy import select

from fateflow.scheduler import events, joblog, places
from fateflow.store.orm import MetricRow, OutputRow, SummaryRow, TableRow, TableUseRow, TaskRow
from fateflow.worker import spec


@pytest.fixture
def site(tmp_path):
    return farm.site(tmp_path)


@pytest.fixture
def folder(site):
    submit(site, farm.chain("a"), (GUEST,))
    turns(site)
    return folders(site)[0]


def rows(site, row_type):
    with site.database.read() as session:
        return list(session.scalars(select(row_type)))


def task(site):
    return rows(site, TaskRow)[0]


def test_every_kind_of_event_is_recorded(site, folder):
    farm.tell(
        site,
        folder,
        spec.Started(77, 1),
        spec.Progress(40),
        spec.Metric("train", "loss", "LOSS", [[0, 0.5]], {"name": "train"}),
        spec.Metric("train", "loss", "LOSS", [[1, 0.4]]),
        spec.Summary({"best": 1}),
        spec.Summary({"last": 2}),
        spec.OutputData("data", 0, "ns", "t", 9, 2, {"header": []}, {"header": ["id"], "rows": []}),
        spec.TableStored("user", "mine", 5, 1, {}, {}, {"id_delimiter": ";", "odd": 1}),
        spec.TableRead("user", "theirs"),
        spec.OutputModel("model", "/m/model.json"),
        spec.OutputCache("cache", "/c", "k"),
        spec.Checkpoint(1, "round", "/m/1"),
    )
    assert (task(site).run_pid, task(site).progress, task(site).party_status) == (77, 40, "running")
    assert [m.points for m in rows(site, MetricRow)] == [[[0, 0.5]], [[1, 0.4]]]
    assert rows(site, SummaryRow)[0].values == {"best": 1, "last": 2}
    by_kind = {o.kind: o for o in rows(site, OutputRow)}
    assert by_kind["data"].info == {"header": ["id"], "rows": [], "total": 9}
    assert by_kind["model"].path == "/m/model.json"
    assert by_kind["cache"].cache_key == "k"
    tables = {t.name: t for t in rows(site, TableRow)}
    assert tables["mine"].id_delimiter == ";"
    assert (tables["t"].origin, tables["t"].count) == ("output", 9)
    assert {u.name for u in rows(site, TableUseRow)} == {"mine", "theirs"}


def test_half_a_line_waits_for_its_other_half(site, folder):
    path = farm.Path(folder) / "events.jsonl"
    line = farm.msgspec.json.encode(spec.Progress(10)) + b"\n"
    key = places.key_of_folder(site.settings, folder)
    path.write_bytes(line[:8])
    events.intake(site, key)
    assert task(site).progress == 0
    path.write_bytes(line)
    events.intake(site, key)
    assert (task(site).progress, task(site).events_read) == (10, len(line))


def test_reading_again_records_nothing_twice(site, folder):
    farm.tell(site, folder, spec.Metric("train", "loss", "LOSS", [[0, 1]]))
    key = places.key_of_folder(site.settings, folder)
    for _ in range(3):
        events.intake(site, key)
    assert len(rows(site, MetricRow)) == 1


def test_readers_at_the_same_moment_record_each_event_once(site, folder):
    path = farm.Path(folder) / "events.jsonl"
    line = farm.msgspec.json.encode(spec.Metric("train", "loss", "LOSS", [[0, 1]])) + b"\n"
    path.write_bytes(line * 20)
    key = places.key_of_folder(site.settings, folder)
    threads = [farm.in_thread(lambda: events.intake(site, key)) for _ in range(6)]
    for thread in threads:
        thread.join()
    assert len(rows(site, MetricRow)) == 20
    assert not events._READING


def test_a_line_that_cannot_be_read_does_not_hide_the_next(site, folder):
    path = farm.Path(folder) / "events.jsonl"
    path.write_bytes(b'{"type":"unknown"}\n' + farm.msgspec.json.encode(spec.Progress(5)) + b"\n")
    events.intake(site, places.key_of_folder(site.settings, folder))
    assert task(site).progress == 5


def test_what_a_worker_used_is_kept(site, folder):
    farm.finish(site, folder)
    events.exited(site, spec.Exited(folder, 1, 0, 2.5, 4096))
    assert (task(site).cpu_seconds, task(site).peak_memory) == (2.5, 4096)
    assert task(site).party_status == "success"


def test_the_exit_of_a_stopped_worker_changes_nothing(site, folder):
    farm.control.stop(site, job(site).job_id)
    turns(site)
    events.exited(site, spec.Exited(folder, 1, -9))
    assert task(site).party_status == "canceled"


def test_an_exit_without_a_word_tells_the_code(site, folder):
    events.exited(site, spec.Exited(folder, 1, 3))
    turns(site)
    assert task(site).error_report == "worker ended with exit code 3 and no word"


def test_a_foreign_folder_is_ignored(site):
    events.exited(site, spec.Exited("/elsewhere/x", 1, 1))


def test_the_detail_of_a_failure_stays_at_its_party(site, folder):
    ended = spec.Ended("failed", 2, "short", "Traceback ...\n  long")
    farm.tell(site, folder, ended)
    turns(site)
    assert task(site).error_report == "short\nTraceback ...\n  long"
    assert job(site).reason == "guest 9999, a: short"


def test_log_lines_have_fates_form(site, folder):
    lines = (site.settings.logs / job(site).job_id / joblog.SCHEDULE).read_text().splitlines()
    form = r"\[INFO\] \[[-\d]+ [\d:]+,\d{3}\] \[\d+\] \[\d+:\d+\] - \[\w+\.\w+\] \[line:\d+\]: .+"
    assert all(farm.re.fullmatch(form, line) for line in lines)
    assert not (site.settings.logs / job(site).job_id / joblog.ERRORS).exists()
