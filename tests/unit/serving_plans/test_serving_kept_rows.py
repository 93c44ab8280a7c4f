"""Kept rows: a plan that does not say what training said is found out, alone and with hosts."""

import msgspec
import numpy as np
import pytest

from federatedml import kept_rows
from federatedml.kept_rows import KeptRows
from serving.plans import compile, parts, selftest
from serving.plans.selftest import SelfTestFailed
from tests.unit.serving_plans.small_models import chain, lr, transform

GUEST = {"a0": 1.5, "a1": -0.25, "a2": 0.0625}
HOST = {"b0": 2.0, "b1": -1.0}
N = 300


def plan_of(role, weight, hosts=(10000,), intercept=0.5):
    steps = [
        ("t_0", "DataTransform", transform(list(weight))),
        ("lr_0", "HeteroLR", lr(weight, intercept if role == "guest" else 0.0)),
    ]
    return compile(chain(*steps, role=role, hosts=hosts))


def table(names, seed):
    values = np.random.default_rng(seed).normal(size=(N, len(names)))
    return [[repr(float(v)) for v in row] for row in values], values


def kept_by_both(order=None):
    """What guest and host keep of one training. order: of the host's rows in its own table."""
    ids = [f"id{i}" for i in range(N)]
    a, x = table(GUEST, 1)
    b, z = table(HOST, 2)
    score = x @ list(GUEST.values()) + z @ list(HOST.values()) + 0.5
    p = 1 / (1 + np.exp(-score))
    at = kept_rows.chosen(ids, "v1")
    picked = [ids[i] for i in at]
    guest = kept_rows.kept(
        list(GUEST), picked, [a[i] for i in at], [[float(1 - p[i]), float(p[i])] for i in at],
        [int(p[i] > 0.5) for i in at],
    )  # fmt: skip
    theirs = list(range(N)) if order is None else order
    own = [ids[i] for i in theirs]
    at = [theirs[j] for j in kept_rows.chosen(own, "v1")]
    host = kept_rows.kept(list(HOST), [ids[i] for i in at], [b[i] for i in at])
    return guest, host


def test_all_parties_keep_the_same_rows_whatever_their_order():
    order = np.random.default_rng(5).permutation(N).tolist()
    guest, host = kept_by_both(order)
    assert guest.ids_digest == host.ids_digest
    assert len(guest.values) == len(host.values) == kept_rows.N_KEPT
    other = kept_rows.chosen([f"id{i}" for i in range(N)], "v2")
    assert other != kept_rows.chosen([f"id{i}" for i in range(N)], "v1")


def test_a_plan_that_says_the_same_passes_with_its_host():
    kept, theirs = kept_by_both()
    kept = msgspec.json.decode(msgspec.json.encode(kept), type=KeptRows)
    guest, host = plan_of("guest", GUEST), plan_of("host", HOST)
    assert "200 kept rows" in selftest.selftest(guest, kept)
    assert "200 kept rows" in selftest.selftest(host, theirs)
    answer = msgspec.json.decode(msgspec.json.encode(selftest.part(host, theirs)))
    assert "those of training" in selftest.compare(guest, kept, {"10000": answer})


@pytest.mark.parametrize("wrong", ["weight", "intercept"])
def test_a_plan_that_says_otherwise_is_found_out(wrong):
    kept, theirs = kept_by_both()
    weight = {**HOST, "b1": -1.001} if wrong == "weight" else HOST
    guest = plan_of("guest", GUEST, intercept=0.5 if wrong == "weight" else 0.50001)
    answer = selftest.part(plan_of("host", weight), theirs)
    with pytest.raises(SelfTestFailed, match="of 200 kept rows score otherwise"):
        selftest.compare(guest, kept, {"10000": answer})


def test_answers_for_other_rows_and_no_answers_are_refused():
    kept, theirs = kept_by_both()
    guest, host = plan_of("guest", GUEST), plan_of("host", HOST)
    answer = selftest.part(host, theirs)
    for given, told in (
        ({}, "has not answered"),
        ({"10000": {**answer, "ids": "0"}}, "other rows"),
        ({"10000": {**answer, "columns": {}}}, "nothing of it"),
    ):
        with pytest.raises(SelfTestFailed, match=told):
            selftest.compare(guest, kept, given)


def test_labels_are_compared_too():
    kept, theirs = kept_by_both()
    labels = [1 - kept.labels[0], *kept.labels[1:]]
    answer = selftest.part(plan_of("host", HOST), theirs)
    with pytest.raises(SelfTestFailed, match="1 of 200 kept rows get another label"):
        selftest.compare(
            plan_of("guest", GUEST), msgspec.structs.replace(kept, labels=labels), {"10000": answer}
        )


def test_rows_that_cannot_be_read_fail_at_load():
    kept, _ = kept_by_both()
    values = [["word", *row[1:]] for row in kept.values]
    with pytest.raises(SelfTestFailed, match="cannot be read"):
        selftest.selftest(plan_of("guest", GUEST), msgspec.structs.replace(kept, values=values))


def test_without_kept_rows_made_up_ones_are_run():
    assert "made-up" in selftest.selftest(plan_of("guest", GUEST), None)


def test_a_model_of_one_party_is_compared_at_load():
    kept, _ = kept_by_both()
    alone = plan_of("guest", GUEST, hosts=())
    scores = alone.merge(alone.local(alone.parse(kept.rows())))
    right = msgspec.structs.replace(kept, detail=scores.detail.tolist(), labels=[])
    assert "those of training" in selftest.selftest(alone, right)
    with pytest.raises(SelfTestFailed):
        selftest.selftest(alone, kept)


def test_the_part_of_kept_rows_is_that_of_a_request():
    _, theirs = kept_by_both()
    host = plan_of("host", HOST)
    told = parts.columns(host.part(host.parse(theirs.rows())))
    assert selftest.part(host, theirs)["columns"] == told


def test_rows_of_another_component_are_not_compared():
    kept, _ = kept_by_both()
    other = msgspec.structs.replace(kept, component="local_0")
    alone = plan_of("guest", GUEST, hosts=())
    assert "not compared" in selftest.compare(alone, other, {})
    assert "single = batch" in selftest.selftest(alone, other)
