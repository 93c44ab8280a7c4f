"""The state machine: what may become what, and what is to be done next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fateflow.domain.lifecycle import (
    DONE,
    ENDS,
    JOB_MOVES,
    TASK_MOVES,
    ApplyResources,
    EndJob,
    InvalidTransition,
    RetryTask,
    Snapshot,
    StartTask,
    Status,
    Task,
    Wait,
    check_job,
    check_task,
    decide,
    federated,
    federated_at_end,
    job_status,
    progress,
)

GUEST, HOST = ("guest", "9999"), ("host", "10000")
W, R, S, F, P, C, T = (
    Status.WAITING,
    Status.RUNNING,
    Status.SUCCESS,
    Status.FAILED,
    Status.PASS,
    Status.CANCELED,
    Status.TIMEOUT,
)


def task(name="a", guest=W, host=None, **more):
    parties = {GUEST: guest, HOST: guest if host is None else host}
    return Task(name, parties=parties, **more)


def running(*tasks, upstream=None, **more):
    given = {t.component: frozenset() for t in tasks}
    given.update({k: frozenset(v) for k, v in (upstream or {}).items()})
    return Snapshot("j", R, tasks, given, **{"free_cores": 4, "now_ms": 1000, **more})


@pytest.mark.parametrize(
    ("now", "target"),
    [(W, R), (R, S), (R, F), (R, T), (W, C), (F, W), (S, W), (C, W), (T, W), (T, F), (T, S)],
)
def test_a_job_may_move_so(now, target):
    assert check_job("j", now, target) is target


@pytest.mark.parametrize(("now", "target"), [(S, R), (F, S), (R, W), (C, R), (P, W), (W, P)])
def test_a_job_may_not_move_so(now, target):
    with pytest.raises(InvalidTransition, match=f"job j: {now} cannot become {target}"):
        check_job("j", now, target)


@pytest.mark.parametrize(("now", "target"), [(S, R), (F, W), (W, F), (P, S), (R, W), (C, R)])
def test_a_task_may_not_move_so(now, target):
    with pytest.raises(InvalidTransition, match=f"task t: {now} cannot become {target}"):
        check_task("t", now, target)


def test_every_state_has_its_moves_and_nothing_runs_after_it_ended():
    assert set(JOB_MOVES) == set(TASK_MOVES) == set(Status)
    assert all(R not in TASK_MOVES[end] for end in ENDS)
    assert all(R not in JOB_MOVES[end] for end in ENDS)


@pytest.mark.parametrize(
    ("parties", "whole"),
    [
        ([W, W], W),
        ([R, W], R),
        ([S, W], R),
        ([S, R], R),
        ([S, S], S),
        ([P, P], P),
        ([P, S], S),
        ([S, F], F),
        ([R, F], F),
        ([C, F, T], F),
        ([C, T], T),
        ([C, W], C),
        ([], W),
    ],
)
def test_the_state_of_a_task_over_its_parties(parties, whole):
    assert federated(parties) is whole


@pytest.mark.parametrize(
    ("parties", "job", "whole"),
    [
        ("success waiting", "canceled", "canceled"),
        ("success running", "failed", "failed"),
        ("canceled failed", "canceled", "canceled"),
        ("timeout failed", "timeout", "timeout"),
        ("canceled failed", "failed", "failed"),
        ("waiting waiting", "canceled", "waiting"),
        ("success pass", "canceled", "success"),
        ("running success", "running", "running"),
    ],
)
def test_no_task_runs_once_its_job_has_ended(parties, job, whole):
    given = [Status(word) for word in parties.split()]
    assert federated_at_end(given, Status(job)) is Status(whole)


@pytest.mark.parametrize(
    ("tasks", "more", "whole"),
    [
        ([S, P], False, S),
        ([S, R], False, R),
        ([S, W], True, R),
        ([S, W], False, C),
        ([S, F, W], False, F),
        ([C, W], False, C),
        ([W, W], True, W),
        ([P, P], False, S),
    ],
)
def test_the_state_of_a_job_over_its_tasks(tasks, more, whole):
    assert job_status(tasks, more=more) is whole


def test_progress_counts_what_ended():
    assert progress([S, P, W, R]) == 50
    assert progress([]) == 100


def test_a_waiting_job_asks_for_its_cores():
    assert decide(Snapshot("j", W)) == [ApplyResources()]


def test_an_ended_job_is_left_alone():
    assert all(decide(Snapshot("j", end, (task(),))) == [] for end in ENDS - {P})


def test_what_is_free_starts_in_topological_order():
    a, b, c = task("a", position=0), task("b", position=1), task("c", position=2)
    found = decide(running(c, b, a, upstream={"c": ["a", "b"]}))
    assert found[:-1] == [StartTask("a", 0, (GUEST, HOST)), StartTask("b", 0, (GUEST, HOST))]


def test_no_more_starts_than_cores_are_free():
    tasks = [task(name, position=i) for i, name in enumerate("abc")]
    found = decide(running(*tasks, free_cores=2))
    assert [c.component for c in found[:-1]] == ["a", "b"]


def test_no_more_runs_than_the_configured_parallelism():
    tasks = [task("a", R), task("b", position=1), task("c", position=2)]
    found = decide(running(*tasks, parallelism=2))
    assert [c.component for c in found[:-1]] == ["b"]


def test_a_job_with_nothing_running_starts_one_component_without_a_free_core():
    assert decide(running(task("a"), task("b", position=1), free_cores=0))[0].component == "a"


def test_a_start_that_missed_a_party_is_tried_there_again():
    found = decide(running(task("a", guest=R, host=W), free_cores=0))
    assert found[0] == StartTask("a", 0, (HOST,))


def test_a_failure_at_one_party_ends_the_job_with_its_cause():
    broken = task("a", guest=R, host=F, cause="host 10000, a: boom")
    assert decide(running(broken, task("b", R))) == [EndJob(F, "host 10000, a: boom")]


def test_a_failed_task_with_retries_left_runs_again_after_its_delay():
    broken = task("a", guest=F, host=R, retries_left=1, retry_delay_s=3)
    found = decide(running(broken))
    assert found[0] == RetryTask("a", 0, 1, 4000)


def test_a_retry_waits_for_its_moment():
    again = task("a", version=1, retry_at_ms=4000)
    assert decide(running(again)) == [Wait("waiting for the delay before a retry", 4000)]
    assert decide(running(again, now_ms=4000))[0] == StartTask("a", 1, (GUEST, HOST))


def test_an_interrupted_task_runs_again_at_no_cost():
    broken = task("a", guest=F, host=R, interrupted=True)
    assert decide(running(broken))[0] == RetryTask("a", 0, 0, 1000)


def test_one_task_to_be_retried_does_not_hold_up_another_branch():
    broken, other = task("a", F, retries_left=1), task("b", position=1)
    found = decide(running(broken, other))
    assert [type(c) for c in found] == [RetryTask, StartTask, Wait]


def test_a_real_failure_wins_over_a_retry_of_another():
    found = decide(running(task("a", F, retries_left=1), task("b", F, cause="b broke")))
    assert found == [EndJob(F, "b broke")]


def test_a_job_ends_when_all_its_tasks_have():
    assert decide(running(task("a", S), task("b", P))) == [EndJob(S)]


def test_a_stop_is_obeyed_whatever_the_state():
    stop = (C, "stopped by guest 9999")
    assert decide(running(task("a", R), stop=stop)) == [EndJob(*stop)]
    assert decide(Snapshot("j", W, stop=stop)) == [EndJob(*stop)]


def test_a_job_times_out_at_its_deadline_and_not_before():
    seen = running(task("a", R), deadline_ms=2000)
    assert decide(seen) == [Wait(until_ms=2000)]
    assert decide(replace(seen, now_ms=2000))[0].status is T


def test_a_job_whose_rest_can_never_start_is_ended():
    stuck = running(task("a", S), task("b"), upstream={"b": ["gone"]})
    assert decide(stuck) == [EndJob(C, "nothing can start any more: b wait")]


@st.composite
def graphs(draw):
    names = [f"c{i}" for i in range(draw(st.integers(1, 8)))]
    return {
        name: frozenset(draw(st.sets(st.sampled_from(names[:i]), max_size=3)) if i else ())
        for i, name in enumerate(names)
    }


@given(graphs(), st.integers(0, 3), st.integers(0, 4), st.randoms(use_true_random=False))
def test_any_graph_finishes_and_runs_each_component_once(graph, parallelism, cores, random):
    states = dict.fromkeys(graph, W)
    started = []
    for _ in range(3 * len(graph) + 1):
        busy = [n for n, s in states.items() if s is R]
        seen = running(
            *(task(n, s, position=i) for i, (n, s) in enumerate(states.items())),
            upstream=graph,
            parallelism=parallelism,
            free_cores=max(0, cores - len(busy)),
        )
        commands = decide(seen)
        if commands == [EndJob(S)]:
            break
        for command in commands:
            if isinstance(command, StartTask):
                assert all(states[p] in DONE for p in graph[command.component])
                started.append(command.component)
                states[command.component] = R
        busy = [n for n, s in states.items() if s is R]
        assert len(busy) <= max(cores, 1)
        assert not parallelism or len(busy) <= parallelism
        states[random.choice(busy)] = random.choice([S, P])
    else:
        pytest.fail(f"the job never ended: {states}")
    assert sorted(started) == sorted(graph)
