"""Lloyd's step on some of the columns: distances, means, what describes clusters."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import davies_bouldin_score

from federatedml.maths import kmeans
from federatedml.maths.kmeans import Points

RNG = np.random.default_rng(3)
X = RNG.normal(size=(30, 4)) + 1e6
C = X[:3] + 0.5


@pytest.mark.parametrize("pack", [np.asarray, sparse.csr_matrix])
def test_distances_are_those_of_the_definition(pack):
    x = X - 1e6 if pack is sparse.csr_matrix else X
    c = C - 1e6 if pack is sparse.csr_matrix else C
    expected = ((x[:, None] - c) ** 2).sum(axis=2)
    np.testing.assert_allclose(Points(pack(x)).squared_distances(c), expected, rtol=1e-8)
    np.testing.assert_allclose(Points(pack(x)).rows(np.array([4, 2])), x[[4, 2]], atol=1e-9)


def test_distances_of_parts_of_the_columns_add_up():
    parts = sum(Points(X[:, at]).squared_distances(C[:, at]) for at in (slice(0, 1), slice(1, 4)))
    np.testing.assert_allclose(parts, Points(X).squared_distances(C), rtol=1e-8)


@pytest.mark.parametrize("pack", [np.asarray, sparse.csr_matrix])
def test_centroids_move_to_the_means_and_empty_clusters_stay(pack):
    assigned = np.arange(30) % 2 * 2
    moved = Points(pack(X)).moved(assigned, C)
    expected = [X[assigned == 0].mean(axis=0), C[1], X[assigned == 2].mean(axis=0)]
    np.testing.assert_allclose(moved, expected, rtol=1e-12)


def test_no_rows_have_no_distances():
    assert Points(np.empty((0, 4))).squared_distances(C).shape == (0, 3)


def test_a_single_cluster_has_no_index():
    assert np.isnan(kmeans.davies_bouldin(np.ones(3), np.zeros(3, int), np.zeros((2, 2))))


def test_the_index_leaves_empty_clusters_out():
    assigned = np.arange(30) % 2 * 2
    c = Points(X).moved(assigned, C)
    apart = kmeans.square(kmeans.between(c), 3)
    own = Points(X).squared_distances(c)[np.arange(30), assigned]
    found = kmeans.davies_bouldin(own, assigned, apart)
    assert found == pytest.approx(davies_bouldin_score(X - 1e6, assigned))
    assert kmeans.radius(own, assigned, 3)[1] == kmeans.spread(own, assigned, 3)[1] == 0
    assert kmeans.radius(own, assigned, 3)[2] == own[assigned == 2].max()
    np.testing.assert_allclose(apart[2, 0], ((c[2] - c[0]) ** 2).sum(), rtol=1e-12)
    assert (apart == apart.T).all()
