import lightgbm
import numpy as np
import pytest

from federatedml.lightgbm_text import feature_names, model_text
from federatedml.maths import boosted_losses
from federatedml.tree_ensemble import Ensemble
from tests.unit.federatedml.sample_ensembles import awkward_rows, random_ensemble

KINDS = {
    "binary": ("cross_entropy", 1, False),
    "one tree per class": ("cross_entropy", 3, False),
    "vector leaves": ("cross_entropy", 4, True),
    "vector leaves of two classes": ("cross_entropy", 2, True),
    **{name: (name, 1, False) for name in ("lse", "lae", "huber", "fair", "log_cosh", "tweedie")},
}


def loss_of(ensemble):
    if ensemble.objective != "cross_entropy":
        return boosted_losses.of_numbers(ensemble.objective, [1.5])
    several = ensemble.n_outputs
    return boosted_losses._softmax(several) if several > 1 else boosted_losses.of_classes(2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_lightgbm_scores_and_predicts_what_we_do(kind, seed):
    rng = np.random.default_rng(seed)
    objective, n_outputs, vectors = KINDS[kind]
    ensemble = random_ensemble(rng, objective, n_outputs, vectors=vectors)
    x = awkward_rows(rng, ensemble)
    booster = lightgbm.Booster(model_str=model_text(ensemble))
    score = ensemble.score(x)
    raw = booster.predict(x, raw_score=True).reshape(score.shape)
    assert np.abs(raw - score).max() <= 1e-9
    said = booster.predict(x).reshape(score.shape)
    np.testing.assert_allclose(said, loss_of(ensemble).mean(score), rtol=1e-12, atol=1e-15)


def test_zeros_go_where_missing_values_go_only_if_asked():
    rng = np.random.default_rng(1)
    differ = 0
    for _ in range(20):
        one = random_ensemble(rng, "lse")
        zero, nan = np.zeros((1, len(one.names))), np.full((1, len(one.names)), np.nan)
        booster = lightgbm.Booster(model_str=model_text(one))
        said = [booster.predict(x, raw_score=True)[0] for x in (zero, nan)]
        if one.zero_as_missing:
            assert said[0] == said[1]
        differ += said[0] != said[1]
    assert differ


def test_a_saved_and_reloaded_booster_says_the_same(tmp_path):
    rng = np.random.default_rng(2)
    ensemble = random_ensemble(rng, "cross_entropy", 3)
    x = awkward_rows(rng, ensemble)
    booster = lightgbm.Booster(model_str=model_text(ensemble))
    booster.save_model(tmp_path / "again.txt")
    again = lightgbm.Booster(model_file=tmp_path / "again.txt")
    assert np.array_equal(again.predict(x), booster.predict(x))


def test_importances_counts_and_structure_are_known_to_lightgbm():
    rng = np.random.default_rng(5)
    ensemble = random_ensemble(rng, "lse")
    assert sum((tree.left >= 0).sum() for tree in ensemble.trees)
    booster = lightgbm.Booster(model_str=model_text(ensemble))
    splits = np.zeros(len(ensemble.names))
    for tree in ensemble.trees:
        np.add.at(splits, tree.feature[tree.left >= 0], 1)
    assert np.array_equal(booster.feature_importance("split"), splits)
    assert np.array_equal(booster.feature_importance("gain"), 2.0 * splits)
    dumped = booster.dump_model()
    root = dumped["tree_info"][-1]["tree_structure"]
    leaves = ensemble.trees[-1].count[ensemble.trees[-1].left < 0].sum()
    assert root.get("internal_count", leaves) == leaves
    assert dumped["feature_names"] == list(ensemble.names)


def test_a_model_without_trees_says_its_start():
    empty = Ensemble([], [], np.array([2.5, -1.0]), 0.1, ["a"], "cross_entropy")
    booster = lightgbm.Booster(model_str=model_text(empty))
    assert booster.predict(np.zeros((2, 1)), raw_score=True).tolist() == [[2.5, -1.0]] * 2


def test_names_that_lightgbm_forbids_are_made_fit_and_unique():
    assert feature_names(["a b", "a:b", "größe", "x,y", ""]) == [
        "a_b",
        "a_b_1",
        "größe",
        "x_y",
        "_",
    ]
    named = Ensemble([], [], np.zeros(1), 0.1, ["a b", "größe"], "lse")
    assert lightgbm.Booster(model_str=model_text(named)).feature_name() == ["a_b", "größe"]


def test_what_cannot_be_written_is_refused():
    rng = np.random.default_rng(4)
    whole = random_ensemble(rng, "cross_entropy", 3)
    for broken, said in (
        ({"trees": whole.trees[:-1], "gains": whole.gains[:-1]}, "no whole number of rounds"),
        ({"names": []}, "a party whose part is not here"),
        ({"objective": "hinge"}, "objective 'hinge' is none of"),
    ):
        with pytest.raises(ValueError, match=said):
            model_text(Ensemble(**{**whole.__dict__, **broken}))
