"""Whatever a client or a host sends, a plan answers or refuses in words; nothing else is raised."""

import math
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving.plans import BadPart, compile
from tests.unit.serving_plans.small_models import boosted, chain, lr, node, transform, tree

WEIGHT = {"a0": 1.5, "a1": -0.25}
STRANGE = [
    None, True, False, 0, -1, 10**400, 1e308, -1e308, math.nan, math.inf, "", " ", "nan", "inf",
    "-7", "1e400", "١", "0x10", "1_0", "\x00", "é", [], {}, [1], {"a": 1}, b"1", 1j, object(),
]  # fmt: skip


def plans():
    nodes = [node(0, "host:10000", -1, 1, 2), node(1, weight=1.0), node(2, weight=-1.0)]
    trees = [tree(nodes, {}, {})]
    linear = [("t_0", "DataTransform", transform(list(WEIGHT), fill={"a0": "1"})),
              ("m_0", "HeteroLR", lr(WEIGHT))]  # fmt: skip
    boost = [("t_0", "DataTransform", transform(list(WEIGHT))),
             ("m_0", "HeteroSecureBoost", boosted(trees, list(WEIGHT)))]  # fmt: skip
    return [compile(chain(*linear)), compile(chain(*boost))]


def strange(rng, depth=0):
    kind = rng.randrange(6)
    if kind < 3 or depth > 3:
        return rng.choice(STRANGE)
    if kind == 3:
        return [strange(rng, depth + 1) for _ in range(rng.randrange(3))]
    keys = ["m_0", "score", "mask", "0", "1", "cipher", "distances"]
    return {rng.choice(keys): strange(rng, depth + 1) for _ in range(rng.randrange(4))}


@pytest.mark.parametrize("which", [0, 1])
def test_any_answer_of_a_host_is_read_or_refused(which):
    plan, rng, refused = plans()[which], random.Random(which), 0
    state = plan.local(plan.parse([{"a0": 1, "a1": 2}]))
    for _ in range(1500):
        row = strange(rng)
        row = row if isinstance(row, dict) else {"m_0": row}
        for read in (
            lambda row=row: plan.read_rows("10000", [row]),
            lambda row=row: plan.read_columns("10000", row, 1),
        ):
            try:
                found = plan.merge(state, {"10000": read()})
            except BadPart:
                refused += 1
            else:
                assert found.problems or math.isfinite(found.score[0])
    assert refused > 1000


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("missing", ["offline", "error", "threshold"])
def test_any_row_of_a_client_is_scored_or_has_a_problem(which, missing):
    plan, rng = plans()[which], random.Random(which)
    good = {"a0": 1, "a1": 2}
    given = [good, *({k: rng.choice(STRANGE) for k in WEIGHT if rng.random() < 0.9}
                     for _ in range(400))]  # fmt: skip
    for rows in (given, *([row] for row in given[:60])):
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            state = plan.local(plan.parse(rows, missing, 0.6))
            answer = {"m_0": {"score": 0.0}} if which == 0 else {"m_0": {"0": {"0": True}}}
            found = plan.merge(state, {"10000": plan.read_rows("10000", [answer] * len(rows))})
        for i in range(len(rows)):
            assert (i in found.problems) == math.isnan(found.score[i])
    assert 0 not in plan.parse(given, missing, 0.6).problems  # the good one


def test_a_party_without_features_of_its_own_still_takes_part():
    nodes = [node(0, "host:10000", -1, 1, 2), node(1, weight=1.0), node(2, weight=-1.0)]
    steps = [("t_0", "DataTransform", transform(["a0"])),
             ("m_0", "HeteroSecureBoost", boosted([tree(nodes, {}, {})], []))]  # fmt: skip
    plan = compile(chain(*steps))
    state = plan.local(plan.parse([{}, {}]))
    told = [{"m_0": {"0": {"0": left}}} for left in (True, False)]
    found = plan.merge(state, {"10000": plan.read_rows("10000", told)})
    np.testing.assert_allclose(found.score, 1 / (1 + np.exp([-0.4, 0.2])))


def test_threads_share_a_plan():
    plan = plans()[0]
    rows = [{"a0": float(i), "a1": -float(i)} for i in range(50)]
    answer = {"10000": plan.read_rows("10000", [{"m_0": {"score": 0.5}}] * 50)}

    def run(_):
        return plan.merge(plan.local(plan.parse(rows)), answer).score

    first = run(0)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(first, one) for one in pool.map(run, range(60)))
