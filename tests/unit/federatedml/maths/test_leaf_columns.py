"""Leaves put together by what each party has to say of them."""

import numpy as np

from federatedml.maths import leaf_columns, walks
from federatedml.maths.trees import Growing

A, B, C = range(3)


def forest():
    """One tree: A asks at the root, B on its left, C below B's left; A's right is a leaf."""
    tree, nobody = Growing(1), walks.NOBODY
    for _ in range(7):
        tree.add(0, np.zeros(1))
    tree.left[0], tree.right[0] = 1, 2
    tree.left[1], tree.right[1] = 3, 4
    tree.left[3], tree.right[3] = 5, 6
    tree.feature[0] = tree.feature[1] = tree.feature[3] = 0
    asker = np.array([A, B, nobody, C, nobody, nobody, nobody], dtype=np.int32)
    return walks.forest([tree.finished()], [asker], A, 1)


def test_a_column_is_made_for_each_condition_that_later_parties_have():
    leaves, (b, c) = leaf_columns.plan(forest(), A, [B, C], [[0]], 1)
    assert leaves.nodes.tolist() == [2, 4, 5, 6]
    assert leaves.conditions == [((0, False),), *[((0, True),)] * 3]
    assert leaves.columns == [[(0, 0)], [(1, 0)], [(2, 0)], [(3, 0)]]
    assert b.conditions == [(), ((1, False),), ((1, True),), ((1, True),)]
    assert b.sources == [[0, 1], [2], [3]]
    assert c.conditions == [(), ((3, True),), ((3, False),)]
    assert c.sources == [[0, 1, 2]]
    assert [b.n_columns, c.n_columns] == [4, 3]


def test_leaves_with_several_lanes_have_columns_for_each():
    leaves, (c, _) = leaf_columns.plan(forest(), A, [C, B], [[0, 1]], 2)
    assert [[lane for _, lane in columns] for columns in leaves.columns] == [[0, 1]] * 4
    assert leaves.columns[0] == [(0, 0), (1, 1)]
    assert c.n_columns == 2 + 2 * 3


def test_without_a_chain_all_is_in_the_lanes():
    leaves, steps = leaf_columns.plan(forest(), A, [], [[1]], 2)
    assert steps == []
    assert leaves.columns == [[(1, 1)]] * 4


def test_conditions_are_met_where_all_questions_are_answered_their_way():
    x = np.array([[-1.0], [0.0], [1.0], [np.nan]])
    found = leaf_columns.met(
        forest(), x, np.arange(4, dtype=np.int32), [(), ((0, True),), ((0, False),)]
    )
    assert found.T.tolist() == [
        [True] * 4,
        [True, True, False, False],
        [False, False, True, True],
    ]


def test_no_conditions_are_met_by_all():
    found = leaf_columns.met(forest(), np.zeros((2, 1)), np.arange(2, dtype=np.int32), [(), ()])
    assert found.all()
    assert found.shape == (2, 2)
