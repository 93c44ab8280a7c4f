from xml.etree import ElementTree

import numpy as np
import pytest

from federatedml import pmml
from federatedml.linear_export import Linear
from federatedml.maths import boosted_losses, glm
from tests.unit.federatedml.pmml_reader import NS, evaluated
from tests.unit.federatedml.sample_ensembles import awkward_rows, random_ensemble


def table(names, x):
    return [dict(zip(names, row.tolist(), strict=True)) for row in x]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("objective", "n_outputs", "vectors"),
    [
        ("cross_entropy", 1, False),
        ("cross_entropy", 3, False),
        ("cross_entropy", 3, True),
        ("lse", 1, False),
        ("tweedie", 1, False),
    ],
)
def test_trees_say_the_same_as_pmml(objective, n_outputs, vectors, seed):
    rng = np.random.default_rng(seed)
    ensemble = random_ensemble(rng, objective, n_outputs, vectors=vectors)
    x = awkward_rows(rng, ensemble, 40)
    text, score = pmml.of_trees(ensemble), ensemble.score(x)
    said = [evaluated(text, row) for row in table(ensemble.names, x)]
    if objective != "cross_entropy":
        loss = boosted_losses.of_numbers(objective, [1.5])
        found, expected = [[one[""]] for one in said], loss.mean(score)
    elif n_outputs == 1:
        found, expected = [[one["1"]] for one in said], glm.sigmoid(score)
        assert all(set(one) == {"0", "1"} for one in said)
    else:
        found = [[one[str(i)] for i in range(n_outputs)] for one in said]
        expected = boosted_losses.softmax(score)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("classes", [[0, 1], ["bad", "good"], [0, 1, 2]])
def test_a_logistic_regression_says_the_same_as_pmml(classes):
    rng = np.random.default_rng(1)
    c = 1 if len(classes) == 2 else len(classes)
    linear = Linear(["a", "b c"], rng.normal(size=(c, 2)), rng.normal(size=c), classes)
    x = rng.normal(size=(20, 2))
    text = pmml.of_linear(linear, "class")
    said = [evaluated(text, row) for row in table(["a", "b_c"], x)]
    chance = glm.sigmoid(x @ linear.coef.T + linear.intercept)
    if c == 1:
        chance = np.column_stack([1 - chance, chance])
    expected = chance / chance.sum(axis=1, keepdims=True)
    found = [[one[str(label)] for label in classes] for one in said]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_document_names_target_labels_and_probabilities():
    linear = Linear(["a"], np.ones((1, 1)), np.zeros(1), ["bad", "good"])
    root = ElementTree.fromstring(pmml.of_linear(linear, "risk"))
    fields = root.find("p:DataDictionary", NS)
    assert [f.get("name") for f in fields] == ["risk", "a"]
    assert [v.get("value") for v in fields[0]] == ["bad", "good"]
    told = root.findall(".//p:OutputField[@feature='probability']", NS)
    assert {f.get("name") for f in told} == {"probability(bad)", "probability(good)"}


def test_a_target_called_as_a_feature_is_refused():
    linear = Linear(["y"], np.ones((1, 1)), np.zeros(1), [0, 1])
    with pytest.raises(ValueError, match="cannot be called as the feature 'y'"):
        pmml.of_linear(linear)
