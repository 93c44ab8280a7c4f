"""Parameters are secure by the standard's table and exact by their own bounds."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import lattice_params as lp
from federatedml.crypto.errors import BadCiphertext, NoSafeParameters
from federatedml.crypto.ntt import MAX_PRIME_BITS

seal = pytest.importorskip("tenseal.sealapi")

SETS = [
    lp.parameters(22, norm_bits=12),
    lp.parameters(40, norm_bits=12),
    lp.parameters(52),
    lp.parameters(64),
    lp.parameters(128),
]
every_set = pytest.mark.parametrize("params", SETS, ids=lambda p: f"{p.degree}-{p.word_bits}")


@every_set
def test_the_modulus_is_within_the_bounds_of_2024_and_of_2018_as_seal_states_them(params):
    of_2018 = seal.CoeffModulus.MaxBitCount(params.degree, seal.SEC_LEVEL_TYPE.TC128)
    bound = {4096: 106, 8192: 214}[params.degree]
    assert bound == lp.MAX_MODULUS_BITS[params.degree] <= of_2018
    assert params.modulus < 2 ** (bound - 1)


@every_set
def test_all_but_the_widest_set_are_within_the_bounds_against_quantum_computers(params):
    """By the standard of 2018, table 2."""
    bound = {4096: 101, 8192: 202}[params.degree]
    assert (params.modulus < 2**bound) == (params.word_bits <= 64)


@every_set
def test_primes_are_different_and_have_transforms(params):
    assert len(set(params.primes)) == len(params.primes)
    assert all(p < 2**MAX_PRIME_BITS and p % (2 * params.degree) == 1 for p in params.primes)
    assert all(seal.Modulus(p).is_prime() for p in params.primes)


@every_set
def test_the_largest_error_and_flooding_together_open_to_the_right_number(params):
    """The inequality of docs/security/lattice.md, section 4, in exact arithmetic."""
    q, small = params.modulus, math.prod(params.kept)
    errors = Fraction(params.error_bound) + 2**params.flood_bits
    switching = Fraction(lp.TAIL * math.sqrt((params.degree + 1) / 12) * (1 + 2**-30))
    phase = errors / q + switching / small
    rounding = Fraction(len(params.kept) * 2**MAX_PRIME_BITS, 2**64)
    if params.word_bits < 64:  # rounded to 64 bits, and again to K
        rounding = (rounding + Fraction(1, 2)) / 2 ** (64 - params.word_bits)
    assert phase * 2**params.word_bits + rounding < Fraction(1, 2)
    assert rounding <= Fraction(lp.DECODING_SLACK) / 2


@every_set
def test_flooding_exceeds_the_largest_error_by_forty_bits(params):
    deviations = math.sqrt(lp.ERROR_VARIANCE + lp.DITHER_VARIANCE)
    fresh = math.sqrt(lp.ERROR_VARIANCE * (2 * params.degree + 1))
    largest = lp.TAIL * (params.norm_bound * deviations + fresh)
    assert largest * 2**40 <= 2**params.flood_bits * (1 + 1e-9)


def test_the_tail_leaves_a_chance_below_2_to_minus_64_for_four_million_outputs():
    assert 2 * math.exp(-(lp.TAIL**2) / 2) * 2**22 < 2**-64


def test_sets_are_those_that_were_meant():
    assert [(p.degree, p.words, math.ceil(math.log2(p.modulus)), p.flood_bits) for p in SETS] == [
        (4096, 1, 100, 76),
        (4096, 1, 100, 58),
        (8192, 1, 150, 96),
        (8192, 1, 150, 84),
        (8192, 2, 213, 83),
    ]


def test_a_set_says_what_it_is():
    assert lp.parameters(64).describe() == (
        "Lattice: RLWE N=8192, log2 q = 150, ternary secret, 128-bit "
        "(HE security guidelines 2024, classical), 40-bit flooding, numbers mod 2^64"
    )


def test_a_larger_set_is_chosen_where_the_norm_asks_for_it():
    assert lp.parameters(40, norm_bits=12).degree == 4096
    assert lp.parameters(40, norm_bits=13).degree == 8192


@pytest.mark.parametrize(
    ("word_bits", "norm_bits"),
    [(64, 39), (128, 40), (100, 34), (129, 1), (8, 1), (53, 12), (63, 12)],
)
def test_what_no_set_holds_is_refused_with_advice(word_bits, norm_bits):
    with pytest.raises(NoSafeParameters, match="scale the features down"):
        lp.parameters(word_bits, norm_bits=norm_bits)


def test_a_peer_can_name_only_the_sets_there_are():
    assert lp.named(8192, 64) == lp.parameters(64)
    for degree, word_bits in [(4096, 64), (8192, 65), (2048, 40)]:
        with pytest.raises(BadCiphertext):
            lp.named(degree, word_bits)


@settings(max_examples=50, deadline=None)
@given(
    params=st.sampled_from(SETS[1:]),
    inner=st.integers(1, 10**7),
    outputs=st.integers(1, 10**6),
    norm_bits=st.sampled_from([6.0, 10.0, 12.0]),
)
def test_tiles_cover_the_matrix_fit_a_polynomial_and_hold_the_norm(
    params, inner, outputs, norm_bits
):
    cut = lp.tile(params, inner, outputs, norm_bits)
    assert cut == lp.tile.__wrapped__(params, inner, outputs, norm_bits)
    assert cut.inner_block * cut.output_block <= params.degree
    assert 1 <= cut.inner_block <= inner
    assert 1 <= cut.output_block <= outputs
    assert cut.vector_blocks * cut.inner_block >= inner
    assert cut.result_blocks * cut.output_block >= outputs
    assert math.sqrt(cut.output_block) * 2.0**norm_bits <= params.norm_bound


@pytest.mark.parametrize(
    ("inner", "outputs", "inner_block", "output_block"),
    [(100_000, 330, 2048, 4), (1_000_000, 100, 8192, 1), (30, 100_000, 10, 800), (50, 7, 50, 7)],
)
def test_long_vectors_share_results_and_many_outputs_share_vectors(
    inner, outputs, inner_block, output_block
):
    cut = lp.tile(lp.parameters(64), inner, outputs)
    assert (cut.inner_block, cut.output_block) == (inner_block, output_block)


def test_a_tile_is_refused_for_no_rows_and_for_norms_beyond_the_set():
    params = lp.parameters(64)
    for inner, outputs in [(0, 3), (3, 0)]:
        with pytest.raises(ValueError, match="rows and outputs"):
            lp.tile(params, inner, outputs)
    with pytest.raises(NoSafeParameters):
        lp.tile(params, 3, 3, 39.0)
