from __future__ import annotations

import threading
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from fateflow.domain import ids


def test_a_job_id_is_the_time_to_the_microsecond_and_a_digit():
    made = ids.JobIds(lambda: datetime(2024, 1, 1, 12, 0, 0, 123456)).new()
    assert made == "202401011200001234560"
    assert len(ids.new_job_id()) == 21


@given(st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), min_size=1))
def test_ids_rise_whatever_the_clock_does(times):
    left = iter(times)
    source = ids.JobIds(lambda: next(left))
    made = [source.new() for _ in times]
    assert made == sorted(set(made))


def test_ids_of_many_threads_are_all_different():
    source = ids.JobIds(lambda: datetime(2024, 1, 1))
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend(source.new() for _ in range(200)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1600


def test_a_model_is_called_by_its_parties_in_order():
    roles = {"host": ["10001", "10000", "10000"], "guest": [9999], "arbiter": [10000]}
    assert ids.model_id(roles) == "arbiter-10000#guest-9999#host-10000_10001#model"
    assert ids.model_id({"local": ["0"]}) == "local-0#model"
    assert ids.model_id({"guest": [10], "host": [9, 100]}) == "guest-10#host-9_100#model"


def test_names_of_a_partys_model_and_of_the_boards_page():
    party_model = ids.party_model_id("guest", 9999, "guest-9999#model")
    assert party_model == "guest#9999#guest-9999#model"
    assert ids.from_path(party_model.replace("#", "~")) == party_model
    assert ids.task_id("1", "lr_0") == "1_lr_0"
    assert ids.board_url("h", 8080, "1", "guest", "9999") == (
        "http://h:8080/index.html#/dashboard?job_id=1&role=guest&party_id=9999"
    )
