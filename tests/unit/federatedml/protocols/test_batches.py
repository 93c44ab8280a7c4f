"""Batches: every row once, masks that hide, and no batch that would give labels away."""

import logging
from itertools import chain

import numpy as np
import pytest
from scipy import sparse

from federatedml.errors import BadData
from federatedml.protocols.batches import Batches, Draws, checked_rows, guest_key
from federation import GUEST, Message, Party
from federation.errors import ProtocolViolation


def rows_of(batches):
    return [batch.rows.tolist() for batch in batches.iteration()]


@pytest.mark.parametrize("size", [-1, 25, 99])
def test_a_batch_of_all_rows_is_one_batch_of_which_nothing_is_told(size):
    batches = Batches(25, size, masked_rate=5)
    assert rows_of(batches) == [list(range(25))]
    plan = batches.plan(3)
    assert (plan.sizes, plan.renewed, plan.partial, plan.first_iteration) == ([25], False, False, 3)
    assert [r.tolist() for r in plan.followed(25, "lr")] == [list(range(25))]


def test_without_shuffling_batches_are_consecutive_and_stay():
    batches = Batches(25, 10, shuffle=False)
    assert rows_of(batches) == rows_of(batches) == [
        list(range(10)), list(range(10, 20)), list(range(20, 25))
    ]  # fmt: skip
    assert batches.sizes == [10, 10, 5]
    assert not batches.renewed


def test_shuffled_batches_hold_every_row_once_and_differ():
    batches = Batches(60, 25)
    first, second = rows_of(batches), rows_of(batches)
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(60))
    assert first != second


def test_the_random_strategy_draws_one_batch_an_iteration():
    batches = Batches(60, 20, strategy="random", shuffle=False)
    assert batches.sizes == [20]
    assert batches.renewed
    assert rows_of(batches) != rows_of(batches)


def test_a_mask_is_a_fresh_superset_in_which_the_batch_can_be_found():
    batches = Batches(100, 10, shuffle=False, masked_rate=1.5)
    one, other = (next(iter(batches.iteration())) for _ in range(2))
    assert one.rows.tolist() == other.rows.tolist()
    assert one.shown.tolist() != other.shown.tolist()
    assert len(one.shown) == 25
    assert one.shown[one.at].tolist() == one.rows.tolist()


def test_a_mask_is_widened_to_what_hosts_need():
    batches = Batches(100, 10, masked_rate=1, least=20)
    assert {len(batch.shown) for batch in batches.iteration()} == {60}


def test_too_small_a_batch_is_refused_or_warned_of(caplog):
    with pytest.raises(BadData, match="batch_size of at least 30"):
        Batches(100, 10, least=10)
    with pytest.raises(BadData, match=r"use batch_size -1$"):
        Batches(20, 10, masked_rate=5, least=10)
    with caplog.at_level(logging.WARNING):
        Batches(20, -1, least=10)
    assert "work out labels" in caplog.text


def test_a_rest_too_small_joins_the_batch_before_it():
    assert Batches(101, 50, shuffle=False, least=10).sizes == [50, 51]
    assert Batches(131, 50, shuffle=False, least=10).sizes == [50, 50, 31]
    assert Batches(101, 50, strategy="random", least=10).sizes == [50]
    masked = Batches(120, 50, masked_rate=0.1, least=10)
    assert [(len(b.rows), len(b.shown)) for b in masked.iteration()] == [(50, 77), (70, 77)]


def test_a_rest_that_joins_the_only_batch_makes_it_the_whole():
    batches = Batches(55, 50, masked_rate=1, least=10)
    assert (batches.whole, batches.renewed, batches.sizes) == (True, False, [55])


def test_a_batch_too_small_itself_is_not_helped_by_its_rest():
    with pytest.raises(BadData, match=r"batches of 25 rows \(the last batch has 5 rows\): a host"):
        Batches(55, 25, least=10)


@pytest.mark.parametrize(
    ("rate", "advised"),
    [
        (None, "use batch_size -1 or a batch_size of at least 30$"),
        (0, "use batch_size -1 or a batch_size of at least 30 or masked_rate > 0 with shuffle$"),
    ],
)
def test_a_mask_is_advised_only_where_there_are_masks(rate, advised):
    with pytest.raises(BadData, match=advised):
        Batches(100, 10, masked_rate=rate, least=10)


def test_a_mask_over_batches_in_the_order_of_rows_does_not_count():
    with pytest.raises(BadData, match=r"batches of 10 rows.*with shuffle"):
        Batches(100, 10, masked_rate=5, least=10, shuffle=False)


def test_a_batch_that_only_its_mask_protects_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        Batches(100, 20, masked_rate=1, least=10)
    assert "sparse solutions" in caplog.text


def test_different_numbers_of_rows_are_noticed():
    with pytest.raises(BadData, match="different numbers of rows"):
        Batches(25, -1).plan(0).followed(24, "hetero_lr_0")


@pytest.mark.parametrize("rows", [[], [-1], [7], [[1]]])
def test_rows_that_are_not_ours_are_the_peers_fault(rows):
    message = Message[np.ndarray]({GUEST}, set(), kind="plain", reveals="rows")
    with pytest.raises(ProtocolViolation):
        checked_rows(np.array(rows, dtype=np.int64), 7, Party(GUEST, "1"), message)


def test_draws_repeat_with_their_key_and_only_with_it():
    one, same, other = Draws(b"k" * 32), Draws(b"k" * 32), Draws(b"l" * 32)
    first = [one.permutation(50).tolist() for _ in range(3)]
    assert sorted(first[0]) == list(range(50))
    assert first == [same.permutation(50).tolist() for _ in range(3)]
    assert first[0] not in first[1:]
    assert first[0] != other.permutation(50).tolist()


def test_without_a_key_no_two_runs_draw_the_same():
    assert rows_of(Batches(60, 25)) != rows_of(Batches(60, 25))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_the_key_depends_on_every_number_the_guest_has(form):
    x, y = np.eye(4), np.array([1.0, -1, 1, -1])
    key = guest_key(form(x), y, 320)
    assert key == guest_key(form(x), y, 320)
    others = [
        guest_key(form(x), -y, 320),
        guest_key(form(x), y, 321),
        guest_key(form(2 * x), y, 320),
    ]
    assert len({key, *others}) == 4
