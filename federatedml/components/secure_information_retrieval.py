"""SecureInformationRetrieval: values that a host has of the guest's ids; the host learns not which.

Parties  guest: ids. Host, one: ids with values.
Maths    oblivious transfer by keywords: token(id) = k H(id) in ristretto255, k the host's secret;
         the host locks the value of an id with its token (federatedml.crypto.keyed_records). The
         guest learns tokens of its own ids from k (r H(id)), r its secret.
Round    (1) guest -> host    how many ids it asks for, and whether they are match ids
         (2) host -> guest    how many records it has, and how long their values are at most
         (3) guest -> host    its ids, blinded, in random order (protocols.psi_oblivious)
         (4) host -> guest    the same under its key; the guest takes its blinding off
         (5) host -> guest    all its records, locked, in random order
         (6) guest -> host    how many of its ids were among them
Trusts   everyone to follow the protocol (semi-honest); one-more-Diffie-Hellman in ristretto255;
         hashes to be random oracles. docs/security/secure_information_retrieval.md
Source   Freedman, Ishai, Pinkas and Reingold 2005, section 4; Jarecki and Liu 2010 (the function).
         In place of FATE 1.x's choice among blocks of ids:
         docs/compat/secure_information_retrieval.md.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from federatedml.component import Component, Ctx, Inputs, Int64, Model, Outputs, register
from federatedml.crypto import keyed_records
from federatedml.crypto.commutative import Curve
from federatedml.crypto.hashing import LABEL, is_available
from federatedml.crypto.oblivious import GroupAsker, GroupEvaluator
from federatedml.data import shown, text_rows
from federatedml.data.anonymous import anonymous_header
from federatedml.data.frame import Frame, FrameSchema
from federatedml.data.text_rows import NotTextRows, TextTooLong
from federatedml.errors import BadData, BadParameters
from federatedml.params import Fraction, Params, PositiveInt
from federatedml.protocols import psi, psi_oblivious, streams
from federatedml.protocols.psi import Rows
from federatedml.protocols.psi_keys import Keys
from federatedml.protocols.psi_params import DhParam
from federatedml.protocols.streams import Meter
from federation import GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

UNRETRIEVED = "unretrieved"
LABEL_NAME = "retrieved_value"
"""FATE's words for a value that the host does not have, and for the column of labels."""

MAX_RECORDS = 1 << 40

Bytes2D = NDArray[np.uint8]


class RetrievalParam(Params, frozen=True, kw_only=True):
    """target_cols: columns of the host, or the name of its label; None for the label.

    security_level and raw_retrieval: accepted, and never followed downwards: each id hides among
    all records of the host. The names of primitives are FATE's; dh_params: its hash and salt are
    those of ids, key_length is of a group that is not used.
    """

    security_level: Fraction = 0.5
    oblivious_transfer_protocol: Literal["OT_Hauck"] = "OT_Hauck"
    commutative_encryption: Literal["CommutativeEncryptionPohligHellman"] = (
        "CommutativeEncryptionPohligHellman"
    )
    non_committing_encryption: Literal["aes"] = "aes"
    dh_params: DhParam = DhParam()
    key_size: PositiveInt = 2048
    raw_retrieval: bool = False
    target_cols: str | list[str] | None = None

    def __post_init__(self) -> None:
        if len(set(self.targets)) < len(self.targets):
            raise ValueError("target_cols names a column twice")
        if not is_available(self.dh_params.hash_method):
            raise ValueError(
                f"dh_params.hash_method: {self.dh_params.hash_method} is not in this machine's "
                "OpenSSL; use sha256"
            )

    @property
    def targets(self) -> list[str]:
        """Names of what is retrieved; none for the label."""
        return [self.target_cols] if isinstance(self.target_cols, str) else self.target_cols or []

    @property
    def group(self) -> Curve:
        """Where ids are hashed to."""
        return Curve(self.dh_params.hash_method, self.dh_params.salt)

    def warn(self) -> None:
        """Say in the log what of the configuration is not followed."""
        if self.raw_retrieval or not self.security_level:
            LOG.warning("raw retrieval would show every id: the values are retrieved obliviously")


class RetrievalMeta(msgspec.Struct, kw_only=True, rename="camel"):
    security_level: float = 0.5
    oblivious_transfer_protocol: str = ""
    commutative_encryption: str = ""
    non_committing_encryption: str = ""
    key_size: Int64 = "0"
    raw_retrieval: bool = False


class RetrievalResult(msgspec.Struct, kw_only=True, rename="camel"):
    """coverage: share of the party's own ids that the other has. block_num: see ``_done``."""

    coverage: float = 0.0
    block_num: Int64 = "0"


class RetrievalModel(Model, kw_only=True):
    """What FATE keeps of a run; nothing is read from it."""

    meta_name: ClassVar[str] = "SecureInformationRetrievalMeta"
    param_name: ClassVar[str] = "SecureInformationRetrievalParam"

    meta: RetrievalMeta
    param: RetrievalResult


@codec.wire_struct
class RetrievalAsk(msgspec.Struct, frozen=True):
    """n: distinct ids. matched: whether they are match ids."""

    n: int
    matched: bool


@codec.wire_struct
class RetrievalOffer(msgspec.Struct, frozen=True):
    """n: records. widths: bytes of the longest value of each column."""

    n: int
    widths: list[int]


class Wire:
    """All that leaves a party."""

    ask = Message[RetrievalAsk](
        {GUEST}, {HOST}, kind="plain", reveals="how many distinct ids the guest asks for"
    )
    offer = Message[RetrievalOffer](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="how many ids the host has, and the length of the longest value of each column",
    )
    records = Message[NDArray[np.uint8]](
        {HOST},
        {GUEST},
        kind="ciphertext",
        reveals="with ``evaluated``: the values of those ids that the guest asks for, and which of "
        "them the host has; of all others nothing",
    )
    coverage = Message[int](
        {GUEST}, {HOST}, kind="plain", reveals="how many of the guest's ids the host has"
    )
    asked = psi_oblivious.Wire.asked
    evaluated = psi_oblivious.Wire.evaluated


@dataclass(frozen=True)
class Found:
    """at: (m,) numbers of the keys that the host has. columns: (m,) its values of them."""

    at: Rows
    columns: list[pa.Array]


@register("SecureInformationRetrieval")
class SecureInformationRetrieval(Component[RetrievalParam]):
    Params = RetrievalParam
    Model = RetrievalModel
    agrees = ("target_cols", "dh_params")

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for data without ids, ProtocolViolation for records that cannot be."""
        host, frame, keys = self._brought(ctx, inputs)
        ctx.remote(Wire.ask, RetrievalAsk(len(keys.texts), keys.matched))  # (1)
        offer = self._checked(host, ctx.get(Wire.offer))  # (2)
        meter = Meter(ctx, 2 * len(keys.texts) + offer.n)
        asker, order = GroupAsker(self.params.group), psi.shuffled(len(keys.texts))
        question = psi_oblivious.Question(asker, keys.texts, order)
        question.ask(ctx, host, meter)  # (3)
        tokens = question.answer(ctx, host, meter)  # (4)
        found = _retrieved(ctx, host, tokens, offer, meter)  # (5)
        found = Found(order[found.at], found.columns)
        ctx.remote(Wire.coverage, len(found.at))  # (6)
        model = self._done(ctx, len(found.at), len(keys.texts), offer.n)
        if not len(found.at):
            LOG.warning("%s: the host has none of the %d ids", ctx.name, len(keys.texts))
        output = _output(ctx, frame, keys, found, self.params.targets)
        return Outputs(data=[output], model=model)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for columns that are not there, and ids that repeat."""
        guest, frame, keys = self._brought(ctx, inputs)
        asked = ctx.get(Wire.ask)  # (1)
        if asked.matched != keys.matched:
            raise BadData(
                f"{ctx.name}: one party has match ids and the other only sample ids; give both or "
                "neither with_match_id in DataTransform"
            )
        if not 0 < asked.n <= MAX_RECORDS:
            raise ProtocolViolation(guest, Wire.ask.name, "not a number of ids")
        n, columns = len(keys.texts), _columns(frame, self.params.targets, ctx.name)
        values = [column.take(pa.array(keys.by_key)) for column in columns]
        try:
            offer = RetrievalOffer(n, text_rows.widths(values))
        except TextTooLong as error:
            raise BadData(f"{ctx.name}: values are too long, {error}; retrieve fewer") from None
        ctx.remote(Wire.offer, offer)  # (2)
        meter = Meter(ctx, asked.n + n)
        evaluator = GroupEvaluator(self.params.group, self.params.group.secret())
        psi_oblivious.evaluate(ctx, guest, evaluator, asked.n, meter)  # (3), (4)
        order = psi.shuffled(n)

        def work(part: slice) -> Bytes2D:
            rows = pa.array(order[part])
            tokens = evaluator.tokens(keys.texts.take(rows))
            records = text_rows.packed([column.take(rows) for column in values], offer.widths)
            return keyed_records.locked(tokens, records)

        width = LABEL + text_rows.row_width(offer.widths)
        streams.send(ctx, Wire.records, work, n, to=guest, meter=meter, width=width)  # (5)
        n_found = ctx.get(Wire.coverage)  # (6)
        if not 0 <= n_found <= min(asked.n, n):
            raise ProtocolViolation(guest, Wire.coverage.name, "more ids than there are")
        return Outputs(data=[frame], model=self._done(ctx, n_found, n, n))

    def _brought(self, ctx: Ctx, inputs: Inputs) -> tuple[Party, Frame, Keys]:
        """The other party; this one's instances and ids."""
        self.params.warn()
        if len(ctx.hosts) != 1:
            raise BadParameters(
                f"{ctx.name}: values are retrieved from one host, and the job names "
                f"{len(ctx.hosts)}; retrieve from each in a component of its own job"
            )
        data = inputs.one("data", "train_data", "test_data")
        if not isinstance(data, Frame):
            raise BadData(f"{ctx.name}: takes instances as data, as DataTransform gives them")
        keys = Keys.of(data, ctx.name)
        if ctx.role == HOST and len(keys.texts) < data.n_rows:
            raise BadData(
                f"{ctx.name}: match ids of the host repeat in {data.n_rows - len(keys.texts)} "
                "rows, so an id has no one value; keep one row of each"
            )
        return (ctx.hosts[0] if ctx.role == GUEST else ctx.guest), data, keys

    def _checked(self, host: Party, offer: RetrievalOffer) -> RetrievalOffer:
        """Raises ProtocolViolation for impossible numbers."""
        n_columns = max(len(self.params.targets), 1)
        fits = len(offer.widths) == n_columns and all(width >= 0 for width in offer.widths)
        fits = fits and text_rows.row_width(offer.widths) <= text_rows.MAX_ROW
        if not (fits and 0 < offer.n <= MAX_RECORDS):
            raise ProtocolViolation(host, Wire.offer.name, f"not records of {n_columns} columns")
        return offer

    def _done(self, ctx: Ctx, n_found: int, n_own: int, n_records: int) -> RetrievalModel:
        """Tell and keep the coverage of this party's own ids, and as FATE's number of blocks how
        many records were sent: among so many each id hides that the host has."""
        p, coverage = self.params, n_found / n_own
        points = [("Coverage", coverage), ("Block number", n_records)]
        ctx.report.metric("train", "sir", "INTERSECTION", points)
        ctx.report.summary({"coverage": coverage, "block_num": n_records})
        meta = RetrievalMeta(
            security_level=p.security_level,
            oblivious_transfer_protocol=p.oblivious_transfer_protocol,
            commutative_encryption=p.commutative_encryption,
            non_committing_encryption=p.non_committing_encryption,
            key_size=str(p.key_size),
            raw_retrieval=p.raw_retrieval,
        )
        param = RetrievalResult(coverage=coverage, block_num=str(n_records))
        return RetrievalModel(meta=meta, param=param)


def _retrieved(
    ctx: Ctx, host: Party, tokens: Bytes2D, offer: RetrievalOffer, meter: Meter
) -> Found:
    """Those of the records that the tokens open; ``at`` counts tokens. Memory: a chunk of records
    and what is found. Raises ProtocolViolation for records that hold no values."""
    wanted, width = psi.fixed(keyed_records.labels(tokens)), text_rows.row_width(offer.widths)
    places = [np.empty(0, dtype=np.int64)]
    opened = [np.empty((0, width), dtype=np.uint8)]
    for chunk in streams.receive(ctx, Wire.records, offer.n, LABEL + width, source=host):  # (5)
        at = pc.index_in(psi.fixed(chunk[:, :LABEL]), value_set=wanted)
        is_wanted = at.is_valid().to_numpy(zero_copy_only=False)
        places.append(at.drop_null().to_numpy(zero_copy_only=False).astype(np.int64))
        opened.append(keyed_records.unlocked(tokens[places[-1]], chunk[is_wanted]))
        meter.add(len(chunk))
    at_all = np.concatenate(places)
    if len(np.unique(at_all)) < len(at_all):
        raise ProtocolViolation(host, Wire.records.name, "two records of one id")
    try:
        return Found(at_all, text_rows.unpacked(np.concatenate(opened), offer.widths))
    except NotTextRows as error:
        raise ProtocolViolation(host, Wire.records.name, str(error)) from None


def _columns(frame: Frame, targets: Sequence[str], name: str) -> list[pa.Array]:
    """(n,) texts of each column that is retrieved. Raises BadData for one that is not there: the
    guest reads the error, so it names nothing but what was asked for."""
    schema = frame.schema
    if not targets:
        if frame.label is None:
            raise BadData(
                f"{name}: the host's data has no label to retrieve; give it with_label upstream, "
                "or name columns in target_cols"
            )
        return [_texts(frame.label)]
    is_label = [target == schema.label_name and frame.label is not None for target in targets]
    if lost := [
        target
        for target, there in zip(targets, is_label, strict=True)
        if not there and schema.header.count(target) != 1
    ]:
        LOG.error("%s: there are: %s", name, ", ".join(schema.header))
        raise BadData(
            f"{name}: target_cols: the host has no column {lost[0]!r}, or more than one of that "
            "name; the host's log lists what there is"
        )
    return [
        _texts(frame.label if there else _feature(frame, target))
        for target, there in zip(targets, is_label, strict=True)
    ]


def _feature(frame: Frame, name: str) -> Any:
    if frame.texts is not None and name in frame.texts.column_names:
        return frame.texts.column(name)
    j = frame.schema.header.index(name)
    return frame.x[:, [j]].toarray().ravel() if sparse.issparse(frame.x) else frame.x[:, j]


def _texts(column: Any) -> pa.Array:
    """As tables show values; a missing one is an empty text."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        column = pa.array(column, from_pandas=True)
    return shown.texts(column)


def _output(ctx: Ctx, frame: Frame, keys: Keys, found: Found, targets: Sequence[str]) -> Frame:
    """The guest's rows with what was retrieved: as label, or as columns of text."""
    key_of = np.empty(frame.n_rows, dtype=np.int64)
    key_of[keys.by_key] = np.repeat(np.arange(len(keys.texts)), keys.counts)
    place = np.full(len(keys.texts), -1, dtype=np.int64)
    place[found.at] = np.arange(len(found.at))
    rows = place[key_of]
    at = pa.array(rows, mask=rows < 0)
    columns = [pc.fill_null(column.take(at), UNRETRIEVED) for column in found.columns]
    old, k = frame.schema, len(targets)
    schema = FrameSchema(
        header=list(targets),
        anonymous_header=anonymous_header(ctx.me, k),
        sid_name=old.sid_name,
        label_name=None if targets else LABEL_NAME,
        match_id_name=old.match_id_name,
        label_type="str",
    )
    return Frame(
        frame.ids,
        np.full((frame.n_rows, k), np.nan),
        schema,
        label=None if targets else columns[0],
        match_ids=frame.match_ids,
        texts=pa.table(dict(zip(targets, columns, strict=True))) if targets else None,
    )
