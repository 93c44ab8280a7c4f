"""Linear models whose host weights stay shared: SSHE with ``encrypted_reveal_in_host``.

Guest and host each have one share of the host's weights, modulo 2^128; training's predict has the
guest send its shares encrypted for every job. Online the guest sends them once, under a Paillier
key that lives as long as the plan, and a request costs one round trip:

    once      guest -> host   its public key; [s] its shares of the host's weights, encrypted
    a row     host -> guest   [x . s + x . t + r 2^128], refreshed: x the host's features in fixed
                              point, t its own shares, r fresh and larger than what it hides

The guest decrypts, and modulo 2^128 there is x . w alone: what training's predict tells it. The
host learns nothing; the masking r hides how often the sum wraps around, to 2^-SLACK.
"""

from __future__ import annotations

import base64
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import gmpy2
import msgspec
import numpy as np

from federatedml import sshe_model
from federatedml.crypto import paillier
from federatedml.crypto.bigcipher import CipherVector, PublicKey, SecretKey, checked
from federatedml.crypto.errors import BadCiphertext, DecryptedOutOfRange
from federatedml.crypto.shared_descent import BITS, FRACTION_BITS
from federatedml.errors import BadModel
from federatedml.lr_model import MAX_FEATURE, LinearModel
from federatedml.maths.family import Family
from federatedml.protocols.sshe_steps import FEATURE_BITS
from federation import HOST
from serving.plans import kernels
from serving.plans.faults import BadPart, NeedsKey, Refused
from serving.plans.linear import weights
from serving.plans.parts import Expected, Sealed
from serving.plans.predictors import Answers, Outcome, Own
from serving.plans.transforms import Floats, Step, Table, places

KEY_BITS = 2048
LONGEST = 1300
"""Digits of a ciphertext: 4096 bits have 1234."""
SLACK = 64
"""Bits by which the mask is larger than what it hides."""

MAX_KEYS = 16
"""A host keeps the keys of so many guest processes (workers, restarts); the oldest go."""

_RING = 1 << BITS


class Setup(msgspec.Struct, frozen=True):
    """What the guest sends once. n: its Paillier modulus. shares: [c][k] ciphertexts."""

    n: str
    shares: list[list[str]]


@dataclass(frozen=True)
class Key:
    public: PublicKey
    shares: list[CipherVector]


class SealedGuest:
    """component: its name, for errors."""

    def __init__(
        self,
        model: LinearModel,
        before: Step,
        family: Family,
        outcome: Outcome,
        host: str,
        component: str,
    ) -> None:
        self.hosts: tuple[str, ...] = (host,)
        self.outcome, self.family = outcome, family
        self.component = component
        self._at, self._w, self._b = weights(model, before)
        n = sshe_model.n_shared(model.parts[0], HOST)
        names = sshe_model.peer_names(HOST, n)
        self._shares = [_integers(model, i, names, component) for i in range(len(model.parts))]
        self._secret: SecretKey | None = None
        self._setup = b""

    def setup(self) -> tuple[str, bytes]:
        """Fingerprint of the key, and what the host needs. Cost: about 0.2 s the first time."""
        secret = self._secret
        if secret is None:
            _, secret = paillier.keygen(KEY_BITS)
            sealed = [secret.public.encrypt_whole(own, bits=BITS) for own in self._shares]
            shares = [[str(value) for value in one.values] for one in sealed]
            self._setup = msgspec.json.encode(Setup(str(secret.public.n), shares))
            self._secret = secret
        return secret.public.fingerprint.hex(), self._setup

    def own(self, table: Table, /) -> Own:
        x = table.x
        values, status = np.empty((len(x), len(self._b))), np.zeros(len(x), np.uint8)
        kernels.linear(x, self._at, self._w, self._b, MAX_FEATURE, values, status)
        return Own(values, status)

    def told(self, own: Own, /) -> Sealed:
        raise NotImplementedError("a guest tells nobody")

    def expected(self, host: str, /) -> Expected:  # noqa: ARG002 (there is one)
        return Expected(Sealed, len(self._b))

    def merged(self, own: Own, answers: Answers, /) -> Floats:
        given = answers[self.hosts[0]].values
        there = [i for i, value in enumerate(given) if value is not None]
        flat = np.zeros(len(given))
        flat[there] = self._opened([given[i] for i in there])
        return self.family.mean(own.values + flat.reshape(own.values.shape))

    def _opened(self, given: Sequence[int]) -> list[float]:
        if self._secret is None:
            raise BadPart(self.component, "the host answers under a key that is none of this guest")
        public = self._secret.public
        try:
            values = checked(public, [gmpy2.mpz(value) for value in given])
            plain = self._secret.decrypt_whole(
                CipherVector(public, values, 0, public.group.plain_bits)
            )
        except (BadCiphertext, DecryptedOutOfRange):
            raise BadPart(self.component, "the host's ciphertexts do not open") from None
        return [_score(value) for value in plain]


class SealedHost:
    def __init__(self, model: LinearModel, before: Step, component: str) -> None:
        self.hosts: tuple[str, ...] = ()
        self.outcome, self.component = Outcome(), component
        if words := before.texts:
            raise Refused(f"{len(words)} features are text, which it cannot take; encode them")
        header = model.parts[0].header
        self._at = np.array(places(before.header, header), dtype=np.intp)
        self._shares = [_integers(model, i, header, component) for i in range(len(model.parts))]
        self._keys: OrderedDict[str, Key] = OrderedDict()

    def take(self, setup: bytes) -> str:
        """Keep a guest's key and shares; the key's fingerprint. Raises BadPart."""
        try:
            given = msgspec.json.decode(setup, type=Setup)
            # Before anything is computed: numbers of any length, or many, would take long.
            if [len(own) for own in given.shares] != [len(own) for own in self._shares]:
                raise BadPart(self.component, "the guest's shares are of another model")
            if any(len(v) > LONGEST for v in (given.n, *(v for own in given.shares for v in own))):
                raise BadCiphertext("a number is too long")
            n = gmpy2.mpz(given.n)
            if n.bit_length() != KEY_BITS or n % 2 == 0:
                raise BadCiphertext(f"a key of {n.bit_length()} bits, {KEY_BITS} expected")
            public = paillier.public_key(n)
            sealed = [checked(public, map(gmpy2.mpz, own)) for own in given.shares]
        except (msgspec.DecodeError, ValueError, BadCiphertext) as error:
            raise BadPart(self.component, f"the guest's key cannot be used: {error}") from None
        vectors = [CipherVector(public, own, 0, BITS) for own in sealed]
        name = public.fingerprint.hex()
        self._keys[name] = Key(public, vectors)
        self._keys.move_to_end(name)
        while len(self._keys) > MAX_KEYS:
            self._keys.popitem(last=False)
        return name

    def knows(self, key: str) -> bool:
        """Whether a guest's key is here."""
        return key in self._keys

    def own(self, table: Table, /) -> Own:
        x = table.x[:, self._at]
        status = np.zeros(len(x), np.uint8)
        missing = np.isnan(x)
        status[missing.any(axis=1)] |= kernels.MISSING
        status[(np.abs(x) > MAX_FEATURE).any(axis=1)] |= kernels.UNFIT
        sound = np.where(missing | (np.abs(x) > MAX_FEATURE), 0.0, x)
        return Own(np.rint(np.ldexp(sound, FEATURE_BITS)), status)

    def told(self, own: Own, /) -> Sealed:  # noqa: ARG002 (only a key makes it)
        raise NeedsKey

    def sealed(self, own: Own, key: str) -> Sealed:
        """The rows' scores under a guest's key. Raises NeedsKey."""
        kept = self._keys.get(key)
        if kept is None:
            raise NeedsKey
        whole: Floats = own.values
        per_class = [
            self._scores(whole, kept.public, theirs, mine)
            for theirs, mine in zip(kept.shares, self._shares, strict=True)
        ]
        values = [value for row in zip(*per_class, strict=True) for value in row]
        return Sealed(values, len(self._shares), key)

    def _scores(
        self, whole: Floats, public: PublicKey, theirs: CipherVector, mine: Sequence[int]
    ) -> list[int]:
        products = public.matvec(np.ascontiguousarray(whole.T), theirs, 0)
        bits = BITS + int(MAX_FEATURE).bit_length() + FEATURE_BITS + len(mine).bit_length() + 2
        masks = []
        for row in whole.tolist():
            inner = sum(int(x) * t for x, t in zip(row, mine, strict=True))
            wraps = secrets.randbits(bits - BITS + SLACK) << BITS
            masks.append(inner + wraps)
        group, modulus = public.group, public.modulus
        added = [
            value * group.bare(mask, bits + SLACK + 1) % modulus
            for value, mask in zip(products.values, masks, strict=True)
        ]
        found = CipherVector(public, added, 0, public.group.plain_bits)
        return [int(value) for value in public.refresh(found).values]

    def expected(self, host: str, /) -> Expected:
        raise NotImplementedError("a host expects nothing")

    def merged(self, own: Own, answers: Answers, /) -> Floats:
        raise NotImplementedError("a host merges nothing")


def is_shared(model: LinearModel, role: str) -> bool:
    """Whether host weights stay shared. Raises Refused for a checkpoint that no party can use."""
    parts = model.parts
    if role == "guest" and any(
        sshe_model.begun(part, part.header, HOST) == "all" for part in parts
    ):
        raise Refused("it is a checkpoint of a training on shares; no party knows its weights")
    return any(part.encrypted_weight for part in parts)


def _integers(model: LinearModel, which: int, names: Sequence[str], component: str) -> list[int]:
    try:
        words = sshe_model.shares(model.parts[which], names, component)
    except BadModel as error:
        raise Refused(str(error)) from None
    return [low | high << 64 for low, high in words.tolist()]


def _score(plain: int) -> float:
    """The score that a number modulo 2^128 stands for."""
    value = plain % _RING
    if value >= _RING // 2:
        value -= _RING
    return float(value / (1 << (FRACTION_BITS + FEATURE_BITS)))


def as_text(setup: bytes) -> str:
    """A setup as it travels in JSON."""
    return base64.b64encode(setup).decode()
