"""How many rows of each class lie in each bin of a host's columns: counted under encryption.

Parties  guest: the class of each row, C classes. Hosts: the bin of each row in each column; the
         guest knows already how many rows are in which bin.
Maths    per column and class the number of rows up to each bin: a running sum over bins of 0/1
         words. Of the last class, and up to the last bin, it follows from what the guest knows.
Round    once for all columns of all hosts
         (1) guest -> hosts  the public half of a fresh key
         (2) guest -> host   C - 1 words of each row, whether it is of the class, encrypted
         (3) host -> guest   the encrypted sums of these words up to each bin
Trusts   everyone to follow the protocol (semi-honest).
Source   FATE 1.x, which sends a Paillier ciphertext per row; cumulative sums and the lattice
         scheme as in ``split_sums``. See docs/security/hetero_feature_binning.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto import lattice, lattice_sums, packed_sums, strength
from federatedml.crypto.bigcipher import CipherVector
from federatedml.crypto.lattice_wire import PublicKey as LatticeKey
from federatedml.crypto.lattice_wire import SealedProduct, SealedVector
from federatedml.crypto.wire import PublicKey as IntegerKey
from federatedml.maths import binning
from federatedml.maths.binning import Binned, Ints
from federatedml.params_shared import EncryptParam
from federatedml.protocols import sum_keys
from federatedml.protocols.sum_keys import blaming
from federation import GUEST, HOST, Message, Party
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

MAX_CLASSES = 256
"""Of more classes a host does not count: such a label is a number that was measured."""

FEW = 10
"""Of classes with fewer rows the log warns: counts by bin say much of each of their rows."""


class Wire:
    """All that leaves a party to have classes counted."""

    lattice_key = Message[LatticeKey]({GUEST}, {HOST}, kind="plain", reveals="nothing")
    integer_key = Message[IntegerKey]({GUEST}, {HOST}, kind="plain", reveals="nothing")
    sealed_classes = Message[list[SealedVector]](
        {GUEST},
        {HOST},
        kind="ciphertext",
        reveals="how many classes the label has, and the number of rows",
    )
    sealed_counts = Message[list[SealedProduct]](
        {HOST},
        {GUEST},
        kind="ciphertext",
        reveals="how many rows of each class are in each bin of each of the host's columns; of a "
        "class that has one row so in which bins this row is",
    )
    packed_classes = Message[list[CipherVector]](
        {GUEST}, {HOST}, kind="ciphertext", reveals="as sealed_classes"
    )
    packed_counts = Message[list[CipherVector]](
        {HOST}, {GUEST}, kind="ciphertext", reveals="as sealed_counts"
    )


@dataclass(frozen=True)
class Classes:
    """of: (n,) the class of each row, from 0. count: how many classes there are."""

    of: NDArray[np.int32]
    count: int

    @property
    def totals(self) -> Ints:
        """(C,) rows of each."""
        return np.bincount(self.of, minlength=self.count)

    @property
    def words(self) -> Ints:
        """(n, C - 1) 1 where a row is of the class."""
        return np.asarray(self.of[:, None] == np.arange(self.count - 1), dtype=np.int64)


def counted(
    ctx: Ctx, param: EncryptParam, classes: Classes, rows_by_bin: Mapping[Party, Sequence[Ints]]
) -> dict[Party, list[Ints]]:
    """The guest's end: of each host's columns the rows by bin and class, as ``binning.counts``.

    rows_by_bin: of each host and column (b + 1,) rows, the last of missing values.
    Raises BadParameters for a key that is too short; ProtocolViolation for sums that do not fit.
    """
    if small := int(np.count_nonzero(classes.totals < FEW)):
        LOG.warning(
            "%d of %d classes have fewer than %d rows: their counts tell in which bins of the "
            "hosts' columns these rows are",
            small,
            classes.count,
            FEW,
        )
    sums = _lattice_sums if param.scheme == "Lattice" else _integer_sums
    asked = {host: len(binning.cuts_asked(rows)) for host, rows in rows_by_bin.items()}
    left = sums(ctx, param, classes, asked)
    found = {}
    for host, rows in rows_by_bin.items():
        with blaming(host, Wire.sealed_counts.name):
            found[host] = binning.class_counts(rows, left[host], classes.totals)
    return found


def answered(ctx: Ctx, param: EncryptParam, of: Binned, rows_by_bin: Sequence[Ints]) -> None:
    """A host's end: what the guest asks about these columns is summed for it.

    Raises ProtocolViolation for a key that is weaker than this party asks for, or ciphertexts that
    are not of it.
    """
    if not len(binning.cuts_asked(rows_by_bin)):
        return
    answer = _lattice_answer if param.scheme == "Lattice" else _integer_answer
    answer(ctx, param, of, rows_by_bin)


def _word_bits(n_rows: int) -> int:
    """Room for sums of 0/1 words: no more than counts need."""
    return max(lattice_sums.MIN_WORD_BITS, n_rows.bit_length() + 1)


def _none(count: int, classes: Classes) -> Ints:
    return np.zeros((count, classes.count - 1), dtype=np.int64)


def _lattice_sums(
    ctx: Ctx,
    param: EncryptParam,  # noqa: ARG001
    classes: Classes,
    asked: Mapping[Party, int],
) -> dict[Party, Ints]:
    """(m, C - 1) sums of each host's m cuts."""
    hosts, n_rows = [host for host, m in asked.items() if m], len(classes.of)
    found = {host: _none(0, classes) for host in asked}
    if not hosts:
        return found
    bits = _word_bits(n_rows)
    secret = lattice.keygen(lattice_sums.shape(n_rows, 1, bits)[0])
    LOG.info("encryption: %s", secret.params.describe())
    words = [np.ascontiguousarray(column) for column in classes.words.T]
    for host in hosts:
        ctx.remote(Wire.lattice_key, secret.public, to=host)  # (1)
        _, cut = lattice_sums.shape(n_rows, asked[host], bits)
        sealed = [lattice_sums.sealed(secret, column, cut, ctx.cores) for column in words]
        ctx.remote(Wire.sealed_classes, sealed, to=host)  # (2)
    for host in hosts:
        products = ctx.get(Wire.sealed_counts, source=host)  # (3)
        if [product.tile.outputs for product in products] != [asked[host]] * len(words):
            raise ProtocolViolation(host, Wire.sealed_counts.name, "not as many sums as asked for")
        with blaming(host, Wire.sealed_counts.name):
            opened = [lattice_sums.opened(secret, product, ctx.cores) for product in products]
        found[host] = np.stack(opened, axis=1)
    return found


def _lattice_answer(
    ctx: Ctx,
    param: EncryptParam,  # noqa: ARG001
    of: Binned,
    rows_by_bin: Sequence[Ints],
) -> None:
    key, n_rows = ctx.get(Wire.lattice_key), of.codes.shape[1]  # (1)
    wanted, _ = lattice_sums.shape(n_rows, 1, _word_bits(n_rows))
    if key.params != wanted:
        raise ProtocolViolation(ctx.guest, Wire.lattice_key.name, "a key of other parameters")
    LOG.info("encryption: %s", key.params.describe())
    cuts = binning.cuts_asked(rows_by_bin)
    vectors = ctx.get(Wire.sealed_classes)  # (2)
    _check_count(ctx, len(vectors), n_rows, Wire.sealed_classes.name)
    params, cut = lattice_sums.shape(n_rows, len(cuts), key.params.word_bits)
    columns = lattice_sums.Indicators(params, cut, of.codes, of.n_bins, cuts, budget=0)
    with blaming(ctx.guest, Wire.sealed_classes.name):
        sums = lattice_sums.sums(key, vectors, columns, cores=ctx.cores)
    ctx.remote(Wire.sealed_counts, sums)  # (3)


def _check_count(ctx: Ctx, n_words: int, n_rows: int, message: str) -> None:
    if not 1 <= n_words < MAX_CLASSES:
        raise ProtocolViolation(ctx.guest, message, f"words of {n_words + 1} classes")
    LOG.info("the guest has rows of %d classes counted", n_words + 1)
    if n_rows < FEW * (n_words + 1):
        LOG.warning(
            "%d rows are few for %d classes: the guest learns in which bins of this party's "
            "columns rows of a class with few of them are; have more rows counted, or set "
            "skip_static",
            n_rows,
            n_words + 1,
        )


def _integer_sums(
    ctx: Ctx, param: EncryptParam, classes: Classes, asked: Mapping[Party, int]
) -> dict[Party, Ints]:
    """As ``_lattice_sums``, under Paillier or Okamoto-Uchiyama."""
    hosts = [host for host, m in asked.items() if m]
    found = {host: _none(0, classes) for host in asked}
    if not hosts:
        return found
    secret = sum_keys.drawn(ctx, param, classes.count - 1)
    public = secret.public
    strength.warn_if_weak(public.level, public.describe())
    LOG.info("encryption: %s", public.describe())
    sealed = packed_sums.encrypted(public, classes.words, cores=ctx.cores)
    for host in hosts:
        ctx.remote(Wire.integer_key, public, to=host)  # (1)
        ctx.remote(Wire.packed_classes, sealed, to=host)  # (2)
    for host in hosts:
        packed = ctx.get(Wire.packed_counts, source=host)  # (3)
        with blaming(host, Wire.packed_counts.name):
            opened = packed_sums.opened(
                secret, packed, 1, asked[host], classes.count - 1, cores=ctx.cores
            )
        found[host] = opened[0]
    return found


def _integer_answer(ctx: Ctx, param: EncryptParam, of: Binned, rows_by_bin: Sequence[Ints]) -> None:
    key = sum_keys.received(ctx, Wire.integer_key, param)  # (1)
    LOG.info("encryption: %s", key.describe())
    vectors = ctx.get(Wire.packed_classes)  # (2)
    n_words = sum(packed_sums.held(vector) for vector in vectors)
    n_rows = of.codes.shape[1]
    _check_count(ctx, n_words, n_rows, Wire.packed_classes.name)
    every, cuts = np.arange(n_rows), binning.cuts_asked(rows_by_bin)
    with blaming(ctx.guest, Wire.packed_classes.name):
        sums = packed_sums.sums(key, vectors, of.codes, of.n_bins, cuts, [every], cores=ctx.cores)
    ctx.remote(Wire.packed_counts, sums)  # (3)
