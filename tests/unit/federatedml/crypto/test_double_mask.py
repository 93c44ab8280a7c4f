"""Double masks without parties: what cancels, what is opened, and what never is."""

import numpy as np
import pytest

from federatedml.crypto import double_mask, masking
from federatedml.crypto.double_mask import BadKeys, SpentRound, Vault
from federatedml.crypto.shamir import BadShares

N, ROUNDS, THRESHOLD, ABOUT = 4, 2, 3, b"test"
CLIENTS = [1, 2, 3, 4]


@pytest.fixture(scope="module")
def books():
    return {c: double_mask.draw(ROUNDS) for c in CLIENTS}


@pytest.fixture(scope="module")
def public(books):
    return {c: double_mask.public(book) for c, book in books.items()}


@pytest.fixture
def vaults(books):
    shares = {c: double_mask.shares(book, N, THRESHOLD) for c, book in books.items()}
    return {c: Vault(ROUNDS, {o: shares[o][c - 1] for o in CLIENTS}) for c in CLIENTS}


def hidden(books, public, at):
    words = {}
    for c in CLIENTS:
        words[c] = np.arange(20, dtype=np.uint64) + np.uint64(c)
        peers = {o: public[o] for o in CLIENTS if o != c}
        double_mask.hide(words[c], books[c], at, c, peers, ABOUT)
    return words


@pytest.mark.parametrize("lost", [[], [1], [3], [4]])
@pytest.mark.parametrize("at", [0, 1])
def test_the_sum_of_survivors_comes_out_exactly(books, public, vaults, lost, at):
    survivors = [c for c in CLIENTS if c not in lost]
    words = hidden(books, public, at)
    total = sum(words[c] for c in survivors)
    parts = {c: vaults[c].open(at, CLIENTS, survivors) for c in survivors[-THRESHOLD:]}
    opened = double_mask.together(parts, CLIENTS)
    double_mask.reveal(total, opened, at, public, survivors, ABOUT)
    expected = len(survivors) * np.arange(20) + sum(survivors)
    np.testing.assert_array_equal(total, expected.astype(np.uint64))


def test_without_the_masks_off_a_sum_is_no_sum(books, public):
    words = hidden(books, public, 0)
    whole = sum(words.values())
    # the pair masks are gone, the own masks are not
    for c in CLIENTS:
        masking.add_pad(whole, books[c].seeds[0].tobytes(), subtract=True)
    np.testing.assert_array_equal(whole, 4 * np.arange(20) + 10)


def test_two_rounds_have_other_masks(books, public):
    one, other = hidden(books, public, 0), hidden(books, public, 1)
    assert all((one[c] != other[c]).all() for c in CLIENTS)


def test_what_is_opened_is_the_seed_of_a_survivor_and_the_key_of_a_lost_one(books, vaults):
    parts = {c: vaults[c].open(1, CLIENTS, [1, 2, 3]) for c in (1, 2, 3)}
    opened = double_mask.together(parts, CLIENTS)
    for c in (1, 2, 3):
        np.testing.assert_array_equal(opened[c], books[c].seeds[1])
    np.testing.assert_array_equal(opened[4], books[4].pair_keys[1])


def test_a_round_is_opened_once(vaults):
    vaults[1].open(0, CLIENTS, CLIENTS)
    with pytest.raises(SpentRound):
        vaults[1].open(0, CLIENTS, [1, 2, 3])


def test_what_was_not_opened_of_a_round_is_forgotten(books, vaults):
    vaults[1].open(0, CLIENTS, CLIENTS)
    left = np.stack(list(vaults[1]._held.values()))
    assert (left[:, [0, ROUNDS]] == 0).all()
    assert (left[:, [1, ROUNDS + 1]] != 0).any()


@pytest.mark.parametrize("changed", [0, 3], ids=["of_a_survivor", "of_a_lost_client"])
def test_a_changed_share_is_noticed(books, public, vaults, changed):
    words = hidden(books, public, 0)
    total = words[1] + words[2] + words[3]
    parts = {c: vaults[c].open(0, CLIENTS, [1, 2, 3]) for c in (1, 2, 3)}
    parts[2][changed, 7] ^= 1

    def unmask():
        opened = double_mask.together(parts, CLIENTS)
        double_mask.reveal(total, opened, 0, public, [1, 2, 3], ABOUT)

    with pytest.raises((BadKeys, BadShares), match=r"do not fit|no secret|no field"):
        unmask()


def test_shares_of_another_number_of_clients_are_refused(vaults):
    parts = {c: vaults[c].open(0, CLIENTS[:c], CLIENTS) for c in (3, 4)}
    with pytest.raises(BadShares, match="another number"):
        double_mask.together(parts, CLIENTS)


def test_shares_travel_readable_to_their_receiver_alone(books, public):
    mine = double_mask.shares(books[1], N, THRESHOLD)[1]
    sealed = double_mask.seal(books[1], public[2], mine, b"1 to 2")
    found = double_mask.unseal(books[2], public[1], sealed, b"1 to 2")
    np.testing.assert_array_equal(found, mine)
    tampered = bytes([sealed[0] ^ 1]) + sealed[1:]
    for book, theirs, body, about in (
        (books[3], public[1], sealed, b"1 to 2"),
        (books[2], public[3], sealed, b"1 to 2"),
        (books[2], public[1], sealed, b"2 to 1"),
        (books[2], public[1], tampered, b"1 to 2"),
        (books[2], public[1], b"", b"1 to 2"),
    ):
        with pytest.raises(BadKeys, match="not made for this client"):
            double_mask.unseal(book, theirs, body, about)


def test_a_public_book_survives_its_journey(public):
    again = double_mask.published(public[1].rows(), ROUNDS)
    np.testing.assert_array_equal(again.rows(), public[1].rows())
    for rows in (public[1].rows()[:-1], public[1].rows().astype(np.uint32)):
        with pytest.raises(BadKeys, match="a book of"):
            double_mask.published(rows, ROUNDS)


def test_a_degenerate_public_key_is_refused(books, public):
    rows = public[2].rows()
    rows[:] = 0
    with pytest.raises(BadKeys, match="not a public key"):
        double_mask.hide(
            np.zeros(1, np.uint64), books[1], 0, 1, {2: double_mask.published(rows, ROUNDS)}, ABOUT
        )


def test_secrets_are_not_shown(books):
    assert repr(books[1]) == "Book()"
