"""Plans of models made by hand, against plain arithmetic; what is refused, and how."""

import base64
import decimal
import json
import math
import random

import msgspec
import numpy as np
import pytest

from federatedml.catalog import catalog
from serving.codes import Code
from serving.plans import BadPart, CannotServe, compile, parts
from serving.plans.compiling import MAKERS, NO_OPS
from tests.unit.serving_plans.small_models import (
    HEADER,
    boosted,
    chain,
    lr,
    node,
    party,
    scale,
    transform,
    tree,
    walked,
)

WEIGHT = {"a0": 1.5, "a1": -0.25, "a2": 0.0625}


def linear_plan(hosts=(), conf=None, **meta):
    steps = [("t_0", "DataTransform", transform(**meta)), ("lr_0", "HeteroLR", lr(WEIGHT, 0.5))]
    return compile(chain(*steps, hosts=hosts, conf=conf))


def score(plan, row, **options):
    return plan.merge(plan.local(plan.parse([row], **options)))


def sigmoid(u):
    return 1 / (1 + math.exp(-u))


# Reading rows.


@pytest.mark.parametrize(
    "value", [2, 2.0, "2", " 2 ", "+2", "2e0", decimal.Decimal(2), np.int64(2)]
)
def test_numbers_come_in_many_spellings(value):
    found = score(linear_plan(), {"a0": value, "a1": 1, "a2": "0.5"})
    assert found.score[0] == pytest.approx(sigmoid(0.5 + 3.0 - 0.25 + 0.03125), abs=1e-15)


@pytest.mark.parametrize("value", [True, "two", [1], {}, "1_0", "0x1", b"1", 1j, 10**400, "1e999"])
def test_what_is_no_number_is_a_problem_of_its_row_alone(value):
    plan = linear_plan()
    good = {"a0": 1, "a1": 1, "a2": 1}
    frame = plan.parse([good, {**good, "a1": value}, good])
    found = plan.merge(plan.local(frame))
    assert list(found.problems) == [1]
    assert found.problems[1].code == Code.FEATURE
    assert math.isnan(found.score[1])
    assert found.score[0] == found.score[2] == score(plan, good).score[0]


def test_problems_name_columns_and_never_values():
    found = linear_plan().parse([{"a0": "secret", "a1": "word", "a2": 1}]).problems[0]
    assert "a0" in found.text
    assert "secret" not in found.text


def test_a_lacking_feature_is_missing_is_zero_or_is_refused():
    plan, row = linear_plan(), {"a0": 1, "a1": 1}
    expected = score(plan, {**row, "a2": 0}).score[0]
    assert score(plan, row).score[0] == expected
    assert score(plan, {**row, "a2": None}).score[0] == expected
    assert plan.parse([row]).hits[0] == pytest.approx(2 / 3)
    strict = plan.parse([row], "error")
    assert strict.problems[0].code == Code.FILL_RATE
    assert "a2" in strict.problems[0].text
    assert not plan.parse([row], "threshold", 0.6).problems
    assert plan.parse([row], "threshold", 0.7).problems
    state = plan.local(plan.parse([{**row, "a2": ""}], "error"))
    assert state.problems[0].code == Code.FEATURE


def test_missing_values_are_filled_as_at_training():
    plan = linear_plan(fill={"a0": "4", "a1": "0", "a2": "-1"})
    expected = score(plan, {"a0": 4, "a1": 0, "a2": -1}).score[0]
    for empty in (None, "", "nan", "NA", -7, "-7.0"):
        assert score(plan, {"a0": empty, "a1": empty, "a2": empty}).score[0] == expected
    assert score(plan, {}).score[0] == expected


def test_fractions_are_no_whole_numbers():
    plan = linear_plan(exclusiveDataType={"a0": "int"})
    assert not score(plan, {"a0": "3.0", "a1": 1, "a2": 1}).problems
    assert score(plan, {"a0": 2.5, "a1": 1, "a2": 1}).problems


def test_no_rows_are_no_scores():
    plan = linear_plan()
    assert plan.merge(plan.local(plan.parse([]))).n_rows == 0


# Scores.


def test_scaling_is_limited_where_training_was():
    steps = [
        ("t_0", "DataTransform", transform()),
        ("s_0", "FeatureScale", scale(HEADER, [0.0, 0.0, 0.0], [2.0, 4.0, 0.0])),
        ("lr_0", "HeteroLR", lr(WEIGHT)),
    ]
    plan = compile(chain(*steps, hosts=()))
    found = score(plan, {"a0": 9, "a1": -4, "a2": 3}).score[0]
    # column_upper limits a0; a1 has no lower limit; the range of a2 is nothing and divides by 1.
    assert found == pytest.approx(sigmoid(1.5 * 1.0 - 0.25 * -1.0 + 0.0625 * 0.0), abs=1e-15)


def test_labels_follow_the_threshold_of_the_configuration():
    row = {"a0": 0, "a1": 0, "a2": 0}  # sigmoid(0.5) = 0.62
    assert score(linear_plan(), row).row(0)["label"] == 1
    conf = {"lr_0": {"predict_param": {"threshold": 0.7}}}
    assert score(linear_plan(conf=conf), row).row(0)["label"] == 0


@pytest.mark.parametrize("value", ["inf", -2e8])
def test_values_that_training_refuses_are_problems(value):
    found = score(linear_plan(), {"a0": value, "a1": 1, "a2": 1})
    assert found.problems[0].code == Code.FEATURE


def test_exposures_must_be_above_zero():
    model = lr(WEIGHT)
    model = msgspec.structs.replace(model, meta={"exposureColname": "e"})
    steps = [("t_0", "DataTransform", transform([*HEADER, "e"])), ("p_0", "HeteroPoisson", model)]
    plan, row = compile(chain(*steps, hosts=())), {"a0": 1, "a1": 0, "a2": 0}
    assert score(plan, {**row, "e": 3}).score[0] == pytest.approx(3 * math.exp(1.5))
    for wrong in (0, -1, None):
        assert score(plan, {**row, "e": wrong}).problems


# Trees of two parties, by hand.

NAMES = {"guest:9999": ["a0", "a1", "a2"], "host:10000": ["b0", "b1"]}


def grown(rng, depth, mine):
    """A random tree as one party has it, and as the other does."""
    sites, count = list(NAMES), [0]
    mine_nodes, theirs_nodes = [], []
    split = {site: ({}, {}) for site in sites}

    def add(level):
        at = count[0]
        count[0] += 1
        mine_nodes.append(None)
        theirs_nodes.append(None)
        return at

    queue = [(add(0), 0)]
    while queue:
        at, level = queue.pop(0)
        if level == depth or (level and rng.random() < 0.15):
            mine_nodes[at] = node(at, weight=rng.gauss(0, 1))
            theirs_nodes[at] = node(at)
            continue
        left, right = add(level + 1), add(level + 1)
        site = rng.choice(sites)
        fid, goes = rng.randrange(len(NAMES[site])), rng.choice([-1, 1])
        split[site][0][at] = rng.choice([-1.0, 0.0, 0.5, round(rng.gauss(0, 1), 2)])
        split[site][1][at] = goes
        for nodes, owner in ((mine_nodes, sites[0]), (theirs_nodes, sites[1])):
            own = site == owner
            nodes[at] = node(at, site, fid if own else -1, left, right, missing=goes if own else 1)
        queue += [(left, level + 1), (right, level + 1)]
    return [tree(n, *split[s]) for n, s in ((mine_nodes, sites[0]), (theirs_nodes, sites[1]))]


def forest(depth, n=7, seed=0):
    rng = random.Random(seed)
    pairs = [grown(rng, depth, None) for _ in range(n)]
    plans, trees = [], []
    for which, (site, names) in enumerate(NAMES.items()):
        role = site.partition(":")[0]
        own = [pair[which] for pair in pairs]
        steps = [
            ("t_0", "DataTransform", transform(names)),
            ("boost_0", "HeteroSecureBoost", boosted(own, names)),
        ]
        plans.append(compile(chain(*steps, role=role)))
        trees.append(own)
    return plans, trees


def rows(n, names, seed):
    rng = random.Random(seed)
    values = [None, "nan", -1.0, 0.0, -0.0, 0.5, "0.5", 3]
    return [{name: rng.choice([*values, rng.gauss(0, 1)]) for name in names} for _ in range(n)]


def as_number(value):
    return math.nan if value is None else float(value)


@pytest.mark.parametrize("depth", [0, 1, 3, 6, 8])
def test_trees_lead_where_walking_node_by_node_leads(depth):
    (guest, host), (mine, theirs) = forest(depth)
    a, b = rows(25, NAMES["guest:9999"], 1), rows(25, NAMES["host:10000"], 2)
    expected = []
    for ours, others in zip(a, b, strict=True):
        own = {k: as_number(v) for k, v in ours.items()}
        other = {k: as_number(v) for k, v in others.items()}

        def goes_left(t, at, other=other):
            here = theirs[t]["tree"][at]
            value = other[NAMES["host:10000"][here["fid"]]]
            if math.isnan(value):
                return theirs[t]["missingDirMaskdict"][at] == -1
            return value <= theirs[t]["splitMaskdict"][at]

        weights = walked(mine, own, NAMES["guest:9999"], "guest:9999", goes_left)
        total = 0.0
        for weight in weights:
            total += 0.3 * weight
        expected.append(sigmoid(0.1 + total))
    part = host.part(host.parse(b))
    answers = {}
    if guest.hosts:
        answers["10000"] = guest.read_columns("10000", parts.columns(part), 25)
        assert guest.fingerprints("10000") == host.fingerprints("10000")
    found = guest.merge(guest.local(guest.parse(a)), answers)
    np.testing.assert_allclose(found.score, expected, rtol=0, atol=1e-15)


def test_a_host_that_answers_for_other_trees_is_found_out():
    (guest, _), _ = forest(4)
    (_, other), _ = forest(4, seed=1)
    assert guest.fingerprints("10000") != other.fingerprints("10000")
    state = guest.local(guest.parse(rows(6, NAMES["guest:9999"], 1)))
    part = other.part(other.parse(rows(6, NAMES["host:10000"], 2)))
    with pytest.raises(BadPart, match="host"):
        guest.read_rows("10000", [parts.row(part, i, compact=False) for i in range(6)])
    masks = guest.read_columns("10000", parts.columns(part), 6)
    found = guest.merge(state, {"10000": masks})
    assert {p.code for p in found.problems.values()} == {Code.TREE_DATA}
    assert all(math.isnan(found.score[i]) for i in found.problems)


def test_trees_that_are_none_are_refused():
    for left, right in ((1, 1), (0, 2), (1, 3), (2, 1)):
        nodes = [node(0, "guest:9999", 0, left, right), node(1), node(2)]
        if (left, right) == (2, 1):
            nodes = [node(0, "guest:9999", 0, 1, 2), node(1, "guest:9999", 0, 2, 2), node(2)]
        model = boosted([tree(nodes, {0: 0.5}, {0: 1})], HEADER)
        steps = [("t_0", "DataTransform", transform()), ("b_0", "HeteroSecureBoost", model)]
        with pytest.raises(CannotServe, match="b_0: a tree's nodes"):
            compile(chain(*steps))


# What hosts answer.

BAD_ROWS = [
    None, 5, {}, {"lr_0": 5}, {"lr_0": {}}, {"lr_0": {"score": None}}, {"lr_0": {"score": "1"}},
    {"lr_0": {"score": [1, 2]}}, {"lr_0": {"score": True}}, {"lr_0": {"score": 1e999}},
    {"lr_0": {"score": 10**400}}, {"lr_0": {"score": {"a": 1}}},
]  # fmt: skip


@pytest.mark.parametrize("row", BAD_ROWS[2:])
def test_rows_that_do_not_fit_are_refused(row):
    plan = linear_plan(hosts=(10000,))
    with pytest.raises(BadPart, match="lr_0"):
        plan.read_rows("10000", [row])


def test_a_row_that_the_host_lacks_costs_no_other():
    plan = linear_plan(hosts=(10000,))
    given = plan.read_rows("10000", [{"lr_0": {"score": 1}}, None])
    state = plan.local(plan.parse([{"a0": 0, "a1": 0, "a2": 0}] * 2))
    found = plan.merge(state, {"10000": given})
    assert found.score[0] == pytest.approx(sigmoid(1.5))
    with pytest.raises(BadPart, match="no answer of host 10000"):
        plan.merge(state)


@pytest.mark.parametrize(
    "text", ["", "AAAA", "no base64!", None, 3, base64.b64encode(b"\0" * 7).decode()]
)
def test_masks_of_another_size_are_refused(text):
    (guest, _), _ = forest(3)
    for read in (
        lambda: guest.read_rows("10000", [{"boost_0": {"mask": text}}]),
        lambda: guest.read_columns("10000", {"boost_0": {"mask": text}}, 1),
    ):
        with pytest.raises(BadPart):
            read()


def test_constants_stand_for_sums_alone():
    plan = linear_plan(hosts=(10000,))
    state = plan.local(plan.parse([{"a0": 0, "a1": 0, "a2": 0}]))
    found = plan.merge(state, {"10000": plan.constant("10000", 1, 0.25)})
    assert found.score[0] == pytest.approx(sigmoid(0.75))
    (guest, _), _ = forest(3)
    with pytest.raises(BadPart):
        guest.constant("10000", 1, 0.0)


# What cannot be served.


def test_every_module_is_served_or_ignored_or_refused_by_name():
    refused = {"union"}
    assert set(catalog()) == (set(MAKERS) | NO_OPS | refused) - {"dataio"}
    assert not (set(MAKERS) & NO_OPS)


def test_all_components_that_cannot_be_served_are_named():
    steps = {
        "reader_0": ("Reader", None),
        "t_0": ("DataTransform", "reader_0"),
        "nn_0": ("HeteroNN", "t_0"),
        "scale_0": ("FeatureScale", "t_0"),
        "lr_0": ("HeteroLR", "scale_0"),
        "clusters_0": ("HeteroKmeans", "t_0"),
    }
    with pytest.raises(CannotServe) as caught:
        compile(party(steps, {"t_0": transform(), "lr_0": lr(WEIGHT)}))
    assert [one.component for one in caught.value.faults] == ["nn_0", "scale_0", "clusters_0"]
    for told in ("HeteroNN cannot be served", "this party has no model of it", "reveal_distances"):
        assert told in str(caught.value)


@pytest.mark.parametrize("header", [["a0"], ["a0", "a1", "other"]])
def test_a_model_that_needs_other_columns_is_refused(header):
    steps = [("t_0", "DataTransform", transform(header)), ("lr_0", "HeteroLR", lr(WEIGHT))]
    with pytest.raises(CannotServe, match="lr_0: it needs"):
        compile(chain(*steps))


def test_damaged_models_cycles_and_pipelines_without_a_model_are_refused():
    bad = msgspec.structs.replace(lr(WEIGHT), param={"weight": 5})
    steps = [("t_0", "DataTransform", transform()), ("lr_0", "HeteroLR", bad)]
    with pytest.raises(CannotServe, match="does not fit this version"):
        compile(chain(*steps))
    with pytest.raises(CannotServe, match="no component that predicts"):
        compile(chain(steps[0]))
    with pytest.raises(CannotServe, match="waits for itself"):
        compile(party({"a_0": ("FeatureScale", "b_0"), "b_0": ("FeatureScale", "a_0")}, {}))
    made = transform(exclusiveDataType={"a1": "str"})
    with pytest.raises(CannotServe, match="text"):
        compile(chain(("t_0", "DataTransform", made), ("lr_0", "HeteroLR", lr(WEIGHT))))


def test_components_that_do_nothing_online_are_told():
    components = {
        "reader_0": ("Reader", None),
        "t_0": ("DataTransform", "reader_0"),
        "i_0": ("Intersection", "t_0"),
        "s_0": ("FeatureScale", "i_0"),
        "lr_0": ("HeteroLR", "s_0"),
        "e_0": ("Evaluation", "lr_0"),
    }
    models = {"t_0": transform(), "lr_0": lr(WEIGHT)}
    plan = compile(party(components, models, conf={"s_0": {"need_run": False}}))
    assert set(plan.ignored) == {"reader_0", "i_0", "s_0", "e_0"}
    assert [column.name for column in plan.columns] == HEADER
    assert plan.hosts == ("10000",)


def test_level_0_is_fate_servings_json():
    (_, host), (_, theirs) = forest(2, n=2)
    part = host.part(host.parse([{"b0": 1, "b1": -1}]))
    told = json.loads(json.dumps(parts.row(part, 0, compact=False)))["boost_0"]
    owned = {
        str(t): {str(i) for i, n in enumerate(one["tree"]) if n["sitename"] == "host:10000"}
        for t, one in enumerate(theirs)
    }
    assert {t: set(nodes) for t, nodes in told.items()} == {t: n for t, n in owned.items() if n}
    assert all(isinstance(v, bool) for nodes in told.values() for v in nodes.values())
    steps = [("t_0", "DataTransform", transform()), ("lr_0", "HeteroLR", lr(WEIGHT))]
    plain = compile(chain(*steps, role="host"))
    part = plain.part(plain.parse([{"a0": 1, "a1": 0, "a2": 0}]))
    assert parts.row(part, 0, compact=False) == {"lr_0": {"score": 1.5}}
