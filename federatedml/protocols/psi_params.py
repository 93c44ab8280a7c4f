"""Parameters of Intersection, under FATE's names and defaults (docs/compat/intersection.md)."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

import msgspec

from federatedml.crypto import hashing
from federatedml.crypto.commutative import Curve, Group, SafePrime
from federatedml.crypto.rsa_blind import Hashes
from federatedml.params import Fraction, Params, PositiveInt
from federatedml.protocols import psi_rsa

LOG = logging.getLogger(__name__)

Method = Literal["rsa", "dh", "ecdh", "raw"]
Strong = Literal["sha256", "sha384", "sha512", "sm3"]
AnyHash = Literal["none", "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sm3"]
FinalHash = Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sm3"]
KeyLength = Annotated[int, msgspec.Meta(ge=1024, le=16384)]
FalsePositiveRate = Annotated[float, msgspec.Meta(gt=0, le=0.5)]
PartyRole = Literal["guest", "host"]


class RsaParam(Params, frozen=True, kw_only=True):
    """random_bit and random_base_fraction are accepted and not followed: every id is blinded by
    its own number from the whole ring (why: federatedml.crypto.rsa_blind)."""

    salt: str = ""
    hash_method: Strong = "sha256"
    final_hash_method: FinalHash = "sha256"
    split_calculation: bool = False
    random_base_fraction: Fraction | None = None
    key_length: KeyLength = 2048
    random_bit: PositiveInt = 128


class DhParam(Params, frozen=True, kw_only=True):
    """key_length: of the safe prime; 1024 (RFC 2409) or 2048, 3072, 4096 (RFC 3526)."""

    salt: str = ""
    hash_method: AnyHash = "sha256"
    key_length: Literal[1024, 2048, 3072, 4096] = 2048


class EcdhParam(Params, frozen=True, kw_only=True):
    """curve: FATE's name of the curve; the group is ristretto255 over it."""

    salt: str = ""
    hash_method: Strong = "sha256"
    curve: Literal["curve25519"] = "curve25519"


class RawParam(Params, frozen=True, kw_only=True):
    """Of the method ``raw``, which runs as ecdh."""

    use_hash: bool = False
    salt: str = ""
    hash_method: AnyHash = "none"
    base64: bool = False
    join_role: PartyRole = "guest"


class PreprocessParam(Params, frozen=True, kw_only=True):
    """Of the Bloom filters: before an intersection (preprocess_*), and for cardinality by rsa."""

    false_positive_rate: FalsePositiveRate = 1e-3
    encrypt_method: Literal["rsa"] = "rsa"
    hash_method: AnyHash = "sha256"
    preprocess_method: AnyHash = "sha256"
    preprocess_salt: str = ""
    random_state: int | None = None
    filter_owner: PartyRole = "guest"


class EncodeParam(Params, frozen=True, kw_only=True):
    salt: str = ""
    encode_method: AnyHash = "none"
    base64: bool = False


class CacheParam(Params, frozen=True, kw_only=True):
    use_cache: bool = False
    id_type: str = "phone"
    encrypt_type: str = "sha256"


class IntersectParam(Params, frozen=True, kw_only=True):
    """Deprecated and without effect: intersect_cache_param, repeated_id_*, with_sample_id,
    allow_info_share, info_owner, and what only ``raw`` had (join_role, with_encode,
    encode_params, raw_params)."""

    intersect_method: Method = "rsa"
    sync_intersect_ids: bool = True
    only_output_key: bool = False
    join_method: Literal["inner_join", "left_join"] = "inner_join"
    new_sample_id: bool = False
    sample_id_generator: PartyRole = "guest"
    run_cache: bool = False
    cardinality_only: bool = False
    cardinality_method: Literal["rsa", "dh", "ecdh"] = "ecdh"
    sync_cardinality: bool = False
    run_preprocess: bool = False
    intersect_preprocess_params: PreprocessParam = PreprocessParam()
    rsa_params: RsaParam = RsaParam()
    dh_params: DhParam = DhParam()
    ecdh_params: EcdhParam = EcdhParam()
    raw_params: RawParam = RawParam()
    random_bit: PositiveInt = 128
    join_role: PartyRole = "guest"
    with_encode: bool = False
    encode_params: EncodeParam = EncodeParam()
    intersect_cache_param: CacheParam = CacheParam()
    repeated_id_process: bool = False
    repeated_id_owner: PartyRole = "guest"
    with_sample_id: bool = False
    allow_info_share: bool = False
    info_owner: PartyRole = "guest"

    def __post_init__(self) -> None:
        self._refuse_what_excludes_itself()
        self._refuse_old_beside_new()
        for at, method in self._hashes():
            if not hashing.is_available(method):
                raise ValueError(f"{at}: {method} is not in this machine's OpenSSL; use sha256")

    @property
    def method(self) -> Literal["rsa", "dh", "ecdh"]:
        """The method that runs: of the cardinality, if only that is wanted; never raw."""
        if self.cardinality_only:
            return self.cardinality_method
        return "ecdh" if self.intersect_method == "raw" else self.intersect_method

    @property
    def group(self) -> Group:
        """Where ecdh or dh take place."""
        if self.method == "dh":
            dh = self.dh_params
            return SafePrime(dh.key_length, dh.hash_method, dh.salt)
        return Curve(self.ecdh_params.hash_method, self.ecdh_params.salt)

    @property
    def rsa(self) -> psi_rsa.Settings:
        """How rsa takes place."""
        rsa = self.rsa_params
        hashes = Hashes(rsa.hash_method, rsa.salt, rsa.final_hash_method)
        return psi_rsa.Settings(hashes, rsa.key_length)

    def meta(self) -> dict[str, Any]:
        """FATE's ``intersect_meta``: what must be known of a cache to use it again."""
        if self.method == "rsa":
            rsa = self.rsa_params
            return {
                "intersect_method": "rsa",
                "hash_method": rsa.hash_method,
                "salt": rsa.salt,
                "final_hash_method": rsa.final_hash_method,
                "random_bit": rsa.random_bit,
                "key_length": rsa.key_length,
            }
        if self.method == "dh":
            dh = self.dh_params
            return {
                "intersect_method": "dh",
                "hash_method": dh.hash_method,
                "salt": dh.salt,
                "key_length": dh.key_length,
            }
        ecdh = self.ecdh_params
        return {
            "intersect_method": "ecdh",
            "hash_method": ecdh.hash_method,
            "salt": ecdh.salt,
            "curve": ecdh.curve,
        }

    def agreed(self) -> list[Any]:
        """All that changes which messages go where, or what they mean: equal at all parties."""
        filters = self.intersect_preprocess_params
        return [
            self.meta() | {"random_bit": None},
            self.rsa_params.split_calculation,
            self.sync_intersect_ids,
            self.join_method,
            self.sample_id_generator,
            self.run_cache,
            self.cardinality_only,
            self.sync_cardinality,
            self.run_preprocess,
            [filters.filter_owner, filters.preprocess_method, filters.preprocess_salt],
        ]

    def warn(self) -> None:
        """Say in the log what of the configuration is not followed."""
        if self.intersect_method == "raw" and not self.cardinality_only:
            LOG.warning("intersect_method raw would show every id: ecdh runs in its place")
        if self.method == "rsa" and self.rsa_params.random_base_fraction is not None:
            LOG.warning("random_base_fraction is not followed: each id is blinded by itself")
        bits = {"rsa": self.rsa_params.key_length, "dh": self.dh_params.key_length}
        if bits.get(self.method, 2048) < 2048:
            LOG.warning("a key of %d bits is below today's least of 2048", bits[self.method])

    def _refuse_what_excludes_itself(self) -> None:
        if self.run_cache and self.cardinality_only:
            raise ValueError("run_cache and cardinality_only: choose one")
        if self.run_cache and self.run_preprocess:
            raise ValueError("run_cache and run_preprocess: choose one")
        if self.cardinality_only and self.run_preprocess:
            raise ValueError("cardinality_only and run_preprocess: choose one")
        if self.run_cache and self.method == "rsa" and self.rsa_params.split_calculation:
            raise ValueError("run_cache: rsa_params.split_calculation must be false")
        if self.run_preprocess and self.intersect_preprocess_params.false_positive_rate < 0.01:
            raise ValueError(
                "run_preprocess: intersect_preprocess_params.false_positive_rate must be 0.01 or "
                "more, so that the filter does not tell who is in it"
            )
        if self.join_method == "left_join" and not self.sync_intersect_ids:
            raise ValueError("left_join: sync_intersect_ids must be true")

    def _refuse_old_beside_new(self) -> None:
        rsa, raw = self.rsa_params, self.raw_params
        both = (
            ("random_bit", "rsa_params.random_bit", self.random_bit != 128, rsa.random_bit != 128),
            ("join_role", "raw_params", self.join_role != "guest", raw != RawParam()),
            ("with_encode", "raw_params", self.with_encode, raw != RawParam()),
            (
                "encode_params",
                "raw_params",
                self.encode_params != EncodeParam(),
                raw != RawParam(),
            ),
        )
        for old, new, has_old, has_new in both:
            if has_old and has_new:
                raise ValueError(f"{old} is the deprecated form of {new}: give only the latter")

    def _hashes(self) -> list[tuple[str, str]]:
        return [
            ("rsa_params.hash_method", self.rsa_params.hash_method),
            ("rsa_params.final_hash_method", self.rsa_params.final_hash_method),
            ("dh_params.hash_method", self.dh_params.hash_method),
            ("ecdh_params.hash_method", self.ecdh_params.hash_method),
            (
                "intersect_preprocess_params.preprocess_method",
                self.intersect_preprocess_params.preprocess_method,
            ),
        ]
