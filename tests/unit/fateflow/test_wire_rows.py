"""FATE's spelling, without a server."""

from __future__ import annotations

from types import SimpleNamespace

from fateflow.wire import metrics, progress, rows


def test_ids_are_integers_only_if_they_look_so():
    assert rows.shown_roles({"guest": ["9999"], "host": ["bank-b"]}) == {
        "guest": [9999],
        "host": ["bank-b"],
    }


def test_a_time_that_has_not_come_has_no_date():
    row = SimpleNamespace(start_time=None)
    assert rows.stamps(row, "start") == {"start_time": None, "start_date": None}
    assert len(rows.date(1_700_000_000_000)) == len("2024-01-01 12:00:00")


def test_only_the_initial_state_is_renamed():
    assert [rows.shown_status(s) for s in ("ready", "running")] == ["waiting", "running"]


def point_row(points, **more):
    about = {"namespace": "train", "name": "m", "metric_type": "LOSS", "meta": {}, **more}
    return SimpleNamespace(points=points, **about)


def test_reports_of_one_metric_become_one_sorted_list():
    logged = [point_row([[10, 0.1], [2, 0.2]]), point_row([["b", 1], ["a", 2], [1, 3]])]
    found = metrics.merged(logged)["train"]["m"]
    assert [key for key, _ in found["data"]] == [1, 2, 10, "a", "b"]


def test_a_meta_may_name_itself():
    assert metrics.merged([point_row([], meta={"name": "own"})])["train"]["m"]["meta"] == {
        "name": "own",
        "metric_type": "LOSS",
    }


def test_models_are_measured_in_whole_kilobytes_and_cut_to_what_is_asked():
    columns = dict.fromkeys(rows._MODEL_COLUMNS) | {"parent_info": {"parent_model_id": "m"}}
    times = {"create_time": 0, "update_time": 0}
    row = SimpleNamespace(size=1025, roles={}, parent=None, **columns, **times)
    assert rows.model(row, ["size", "parent", "description"]) == {"size": 2, "parent": False}


def task(role, party, status, percent=0, error=""):
    return SimpleNamespace(component_name="lr_0", component_module="HeteroLR", task_version=0,
                           position=0, role=role, party_id=party, status=status,
                           party_status=status, progress=percent, elapsed=None,
                           error_report=error)  # fmt: skip


def test_progress_is_the_initiators_view_with_the_first_error_of_any_party():
    job = SimpleNamespace(job_id="1", role="guest", party_id="1", status="running", progress=0,
                          reason="", start_time=0, elapsed=None)  # fmt: skip
    tasks = [task("host", "2", "failed", 30, "OSError: full\nTraceback\n"),
             task("guest", "1", "running", 40)]  # fmt: skip
    before = progress.of(job, tasks)
    (part,) = before["components"]
    assert (part["status"], part["percent"], part["error"]) == (
        "running", 40, "host 2: OSError: full",
    )  # fmt: skip
    tasks[1].progress = 50
    assert progress.of(job, tasks)["stamp"] != before["stamp"]
