"""The three rules by which training ends."""

import pytest

from federatedml.protocols.convergence import Convergence


@pytest.mark.parametrize(
    ("kind", "losses", "steps", "ends"),
    [
        ("diff", [0.7, 0.6, 0.595], [9, 9, 9], [False, False, True]),
        ("abs", [0.7, 0.01], [9, 9], [False, True]),
        ("weight_diff", [0.7, 0.7], [1.0, 0.0001 * 0.9], [False, True]),
    ],
)
def test_rules(kind, losses, steps, ends):
    rule = Convergence(kind, 0.01)
    assert [rule.is_reached(*pair) for pair in zip(losses, steps, strict=True)] == ends
    assert rule.losses == losses


def test_a_warm_start_compares_with_the_last_loss_of_before():
    assert Convergence("diff", 0.01, [0.6]).is_reached(0.601, 1.0)
