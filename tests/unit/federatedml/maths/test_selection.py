"""Stepwise search: the models that are tried, and which counts as better."""

import math

import pytest

from federatedml.maths.selection import Search, criterion


def bits(masks):
    return ["".join(str(int(b)) for b in mask) for mask in masks]


def test_backward_drops_one_at_a_time_down_to_the_least():
    search = Search("backward", 2, None, 2, 1)
    assert search.start() == (True, True, True)
    assert bits(search.neighbours((True, True, True))) == ["011", "101", "110"]
    assert list(search.neighbours((True, False, True))) == []


def test_forward_begins_with_one_feature_of_each_party_and_adds_up_to_the_most():
    search = Search("forward", 2, 3, 2, 2)
    assert search.start() == (False,) * 4
    assert bits(search.neighbours(search.start())) == ["1010", "1001", "0110", "0101"]
    assert bits(search.neighbours((True, False, True, False))) == ["1110", "1011"]
    assert list(search.neighbours((True, True, True, False))) == []


def test_both_drops_and_adds():
    search = Search("both", 2, None, 2, 2)
    assert search.start() == (True,) * 4
    assert bits(search.neighbours((True, True, True, False))) == ["0110", "1010", "1100", "1111"]


def test_the_criteria_are_those_of_akaike_and_schwarz():
    assert criterion("AIC", 0.5, 100, 3, is_gaussian=False) == pytest.approx(6 + 100)
    assert criterion("BIC", 0.5, 100, 3, is_gaussian=False) == pytest.approx(
        3 * math.log(100) + 100
    )
    assert criterion("AIC", 0.5, 100, 3, is_gaussian=True) == pytest.approx(6)
    assert math.isfinite(criterion("AIC", 0.0, 100, 3, is_gaussian=True))
