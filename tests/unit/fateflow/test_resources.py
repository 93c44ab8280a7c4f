"""Who may start, and what the others are told they wait for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fateflow.domain.resources import PATIENCE_MS, Need, Verdict, admit, free_cores, scaled


def test_what_fits_is_granted():
    assert admit([Need("a", 8)], 20, 4, 0) == [Verdict("a", True)]


def test_a_small_job_passes_a_large_one_and_the_large_one_knows_why_it_waits():
    found = admit([Need("large", 16, 0), Need("small", 4, 1)], 20, 10, 0)
    assert found == [
        Verdict("large", False, "waiting for 16 cores (have 10)"),
        Verdict("small", True),
    ]


def test_a_large_job_that_waited_long_is_overtaken_no_more():
    queue = [Need("large", 16, 0), Need("small", 4, 1), Need("arbiter only", 0, 2)]
    found = admit(queue, 20, 10, PATIENCE_MS)
    assert found[1:] == [
        Verdict("small", False, "behind job large"),
        Verdict("arbiter only", True),
    ]


def test_a_job_held_back_by_a_peer_holds_nobody_up():
    queue = [Need("a", 20, 0), Need("b", 4, 1)]
    assert admit(queue, 20, 0, PATIENCE_MS, ["a"]) == [Verdict("b", True)]


def test_a_need_above_the_capacity_runs_alone():
    assert admit([Need("a", 50)], 20, 0, 0)[0].granted
    assert not admit([Need("a", 50)], 20, 1, 0)[0].granted


def test_a_request_is_scaled_down_to_what_there_is_with_a_warning():
    assert scaled(4, 2, 20) == (4, "")
    share, warning = scaled(16, 2, 20)
    assert share == 10
    assert "20 cores (listed_cores)" in warning
    assert scaled(4, 30, 20)[0] == 1


def test_each_running_component_takes_a_core():
    assert [free_cores(2, n) for n in (0, 1, 3)] == [2, 1, 0]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10**6)), max_size=12),
    st.integers(0, 20),
    st.integers(0, 2 * 10**6),
)
def test_no_more_is_granted_than_there_is_and_every_refusal_has_a_reason(needs, used, now):
    queue = [Need(str(i), cores, since) for i, (cores, since) in enumerate(needs)]
    found = admit(queue, 20, used, now)
    by_id = {need.job_id: min(need.cores, 20) for need in queue}
    assert sum(by_id[v.job_id] for v in found if v.granted) <= 20 - used
    assert all(v.granted or v.reason for v in found)
    assert len(found) == len(queue)
