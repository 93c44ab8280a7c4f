import copy

import lightgbm
import numpy as np
import pytest

from federatedml.boosting_export import merged, whole
from federatedml.boosting_model import Importance
from federatedml.errors import BadModel
from federatedml.lightgbm_text import model_text
from tests.unit.federatedml.sample_ensembles import (
    awkward_rows,
    random_ensemble,
    stored_parts,
    stored_whole,
)

KINDS = [("cross_entropy", 1, False), ("cross_entropy", 3, False), ("cross_entropy", 3, True)]
OWNERS = ["guest:9999"] * 2 + ["host:10000"] * 3 + ["host:10001"]


def parts_of(ensemble):
    parts = stored_parts(ensemble, OWNERS)
    guest = parts.pop("guest:9999")
    return guest, {site.partition(":")[2]: part for site, part in parts.items()}


def big_ensemble(seed, *kind, **more):
    """One in which every party asks something."""
    rng = np.random.default_rng(seed)
    while True:
        found = random_ensemble(rng, *kind, n_features=len(OWNERS), **more)
        asked = {i for tree in found.trees for i in tree.feature.tolist() if i >= 0}
        if asked >= {0, 2, 5}:
            return rng, found


@pytest.mark.parametrize(("objective", "n_outputs", "vectors"), [*KINDS, ("tweedie", 1, False)])
def test_a_horizontal_model_is_read_with_the_thresholds_of_its_nodes(objective, n_outputs, vectors):
    rng = np.random.default_rng(4)
    ensemble = random_ensemble(rng, objective, n_outputs, vectors=vectors)
    x = awkward_rows(rng, ensemble)
    found = whole(stored_whole(ensemble))
    assert np.array_equal(found.score(x), ensemble.score(x))
    assert (found.objective, found.names) == (ensemble.objective, list(ensemble.names))


@pytest.mark.parametrize(("objective", "n_outputs", "vectors"), KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_merged_parts_score_what_the_whole_tree_does(objective, n_outputs, vectors, seed):
    rng, ensemble = big_ensemble(seed, objective, n_outputs, vectors=vectors)
    guest, hosts = parts_of(ensemble)
    found = merged(guest, hosts, rename=None)
    x = awkward_rows(rng, ensemble)
    booster = lightgbm.Booster(model_str=model_text(found))
    score = ensemble.score(x)
    assert np.abs(booster.predict(x, raw_score=True).reshape(score.shape) - score).max() <= 1e-9
    assert booster.feature_name() == list(ensemble.names)


def test_the_order_in_which_hosts_are_named_orders_the_columns():
    rng, ensemble = big_ensemble(7, "lse")
    guest, hosts = parts_of(ensemble)
    found = merged(guest, dict(reversed(hosts.items())), rename=None)
    order = [0, 1, 5, 2, 3, 4]
    assert list(found.names) == [ensemble.names[i] for i in order]
    x = awkward_rows(rng, ensemble)
    assert np.array_equal(found.score(x[:, order]), ensemble.score(x))


def test_equal_names_of_parties_are_told_apart_or_refused():
    _, ensemble = big_ensemble(8, "lse")
    guest, hosts = parts_of(ensemble)
    for part in (guest, *hosts.values()):
        part.param.feature_name_fid_mapping[0] = "age"
    names = ["age", "x1", "host_10000_age", "x3", "x4", "host_10001_age"]
    assert list(merged(guest, hosts, rename=None).names) == names
    renamed = [*names[:3], "host_10000_x3", "host_10000_x4", names[5]]
    assert list(merged(guest, hosts, rename=True).names) == renamed
    with pytest.raises(BadModel, match=r"several parties have a feature 'age'.*--host-rename"):
        merged(guest, hosts, rename=False)


def test_parts_that_do_not_belong_together_are_refused():
    _, ensemble = big_ensemble(9, "lse")
    _, another = big_ensemble(10, "lse")
    guest, hosts = parts_of(ensemble)
    _, theirs = parts_of(another)
    with pytest.raises(BadModel, match="host 10000 is not of the same training"):
        merged(guest, {**hosts, "10000": theirs["10000"]}, rename=None)
    swapped = {"10000": hosts["10001"], "10001": hosts["10000"]}
    with pytest.raises(BadModel, match="host 10000 is not of the same training"):
        merged(guest, swapped, rename=None)
    with pytest.raises(BadModel, match="the trees also ask host:10001: name all hosts"):
        merged(guest, {"10000": hosts["10000"]}, rename=None)


def test_damaged_models_are_refused():
    _, ensemble = big_ensemble(11, "lse")
    stored = stored_whole(ensemble)
    gap = copy.deepcopy(stored)
    del gap.param.feature_name_fid_mapping[0]
    with pytest.raises(BadModel, match="gaps"):
        whole(gap)
    start = copy.deepcopy(stored)
    start.param.init_score = [0.0, 1.0]
    with pytest.raises(BadModel, match="2 start scores, 1 expected"):
        whole(start)
    circle = copy.deepcopy(stored)
    deep = next(tree for tree in circle.param.trees if len(tree.tree) > 3)
    inner = next(node for node in deep.tree[1:] if not node.is_leaf)
    inner.left_nodeid = 0
    with pytest.raises(ValueError, match="not numbered from the root down"):
        model_text(whole(circle))


def test_gains_are_those_of_the_features_or_one_where_some_are_unknown():
    _, ensemble = big_ensemble(12, "lse")
    guest, hosts = parts_of(ensemble)
    asked = [i for tree in ensemble.trees for i in tree.feature.tolist() if i >= 0]
    splits = np.bincount(asked, minlength=len(OWNERS))
    local = [0, 1, 0, 1, 2, 0]
    guest.param.feature_importances = [
        Importance(sitename=site, fid=fid, fullname="", importance=1.0, importance2=10.0 + i)
        for i, (site, fid) in enumerate(zip(OWNERS, local, strict=True))
    ]
    booster = lightgbm.Booster(model_str=model_text(merged(guest, hosts, rename=None)))
    expected = np.where(splits > 0, 10.0 + np.arange(len(OWNERS)), 0.0)
    np.testing.assert_allclose(booster.feature_importance("gain"), expected)
    guest.param.feature_importances[5].importance2 = 0.0
    booster = lightgbm.Booster(model_str=model_text(merged(guest, hosts, rename=None)))
    assert np.array_equal(booster.feature_importance("gain"), splits)
    assert np.array_equal(booster.feature_importance("split"), splits)
