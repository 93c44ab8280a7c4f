"""Sums of all clients' numbers for the clients themselves, under a key that the arbiter lacks.

Parties  clients: guest and hosts, who share a secret key; the arbiter, who adds up ciphertexts.
Maths    CKKS: approximate sums of vectors of real numbers (federatedml.crypto.ckks).
Round    once
         (1) host -> guest        a public key for messages
         (2) guest -> host        the secret key of the sums, readable to the receiver
         (3) guest -> arbiter     the public key of the sums
         for each sum
         (4) client -> arbiter    its numbers, encrypted
         (5) arbiter -> clients   whose numbers came, and the encrypted sum of those
         A client whose message does not come in time is lost, as in secure_aggregation; nothing has
         to be put together for it.
Trusts   everyone to follow the protocol (semi-honest), and no client to collude with the arbiter:
         one alone could open everybody's numbers. The arbiter learns not even the sum.
Source   Cheon, Kim, Kim, Song 2017; decryptions never go back to who computed on ciphertexts (Li
         and Micciancio 2021).
"""

from __future__ import annotations

import importlib.util

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from federatedml.crypto import ckks, masking
from federatedml.crypto.ckks import CkksVector, PublicKey, SecretKey
from federatedml.crypto.errors import CryptoError
from federatedml.crypto.masking import Floats
from federatedml.errors import BadParameters
from federatedml.protocols.roll_call import CLIENTS, Roll, Terms, arbiter_of, arrivals
from federation import ARBITER, GUEST, HOST, Context, Message, Party
from federation.errors import ProtocolViolation

KEY_BYTES = 32
"""Of an X25519 public key."""


class Wire:
    channel = Message[bytes]({HOST}, {GUEST}, kind="plain", reveals="nothing")
    secret = Message[bytes](
        {GUEST}, {HOST}, kind="ciphertext", reveals="to the receiver: the key that opens the sums"
    )
    public = Message[bytes]({GUEST}, {ARBITER}, kind="plain", reveals="nothing")
    sealed = Message[bytes](CLIENTS, {ARBITER}, kind="ciphertext", reveals="how many numbers")
    came = Message[list[int]](
        {ARBITER}, CLIENTS, kind="plain", reveals="whose numbers are in the sum"
    )
    total = Message[bytes](
        {ARBITER},
        CLIENTS,
        kind="ciphertext",
        reveals="to clients: the sum over all whose numbers came",
    )


def describe(terms: Terms) -> str:
    """One line for the log and the record."""
    return (
        f"sums under CKKS with a key of the {len(terms.clients)} clients (degree {ckks.DEGREE}, "
        f"modulus of {sum(ckks.MODULUS_BITS)} bits), {ckks.LEVEL} bits of security from ring "
        "learning with errors: the arbiter learns no sum; against parties who follow the protocol"
    )


def check_library(component: str) -> None:
    """Raises BadParameters where the scheme is not installed."""
    if importlib.util.find_spec("tenseal") is None:
        raise BadParameters(
            f"{component}: secure_aggregation_param.method ckks needs an optional library at every "
            "party: pip install distaff[ckks]; or use masks"
        )


class CipherClient:
    """A guest's or host's side."""

    def __init__(self, ctx: Context, terms: Terms) -> None:
        check_library(terms.component)
        self.terms, self._ctx = terms, ctx
        self._roll = Roll(ctx, terms)
        self._secret = self._made() if ctx.role == GUEST else self._received()

    def total(self, values: Floats) -> Floats:
        """(m,) the sum of what the clients gave. values: (m,), |value| < 2^24.

        Off by the sum of the clients' ``PublicKey.error``. Cost: 370 kB for 4096 numbers, each way.
        Raises PlaintextOutOfRange, PartiesLost if the others went on without this party.
        """
        key = self._secret.public
        self._ctx.remote(Wire.sealed, key.to_bytes(key.encrypt(values)))  # (4)
        self._roll.take(self._ctx.get(Wire.came), Wire.came)  # (5)
        body, arbiter = self._ctx.get(Wire.total), arbiter_of(self._ctx)
        total = self._opened(body, arbiter)
        if len(total) != len(values):
            raise ProtocolViolation(arbiter, Wire.total.name, f"{len(total)} numbers")
        return total

    def _opened(self, body: bytes, arbiter: Party) -> Floats:
        try:
            return self._secret.decrypt(self._secret.public.from_bytes(body))
        except CryptoError as error:
            raise ProtocolViolation(arbiter, Wire.total.name, str(error)) from None

    def _made(self) -> SecretKey:
        ctx = self._ctx
        public, secret = ckks.keygen()
        ctx.remote(Wire.public, public.packed)  # (3)
        lost = dict[Party, str]()
        for host, theirs in arrivals(
            ctx, Wire.channel, ctx.hosts, self.terms.time_limit_s, lost
        ):  # (1)
            mine = X25519PrivateKey.generate()
            key = _agreed(mine, theirs, host, self._purpose(host))
            body = len(public.packed).to_bytes(8, "little") + public.packed + secret.packed
            sealed = ChaCha20Poly1305(key).encrypt(bytes(12), body, None)
            ctx.remote(Wire.secret, mine.public_key().public_bytes_raw() + sealed, to=host)  # (2)
        return secret

    def _received(self) -> SecretKey:
        ctx, mine = self._ctx, X25519PrivateKey.generate()
        ctx.remote(Wire.channel, mine.public_key().public_bytes_raw())  # (1)
        body = ctx.get(Wire.secret)  # (2)
        key = _agreed(mine, body[:KEY_BYTES], ctx.guest, self._purpose(ctx.me))
        try:
            opened = ChaCha20Poly1305(key).decrypt(bytes(12), body[KEY_BYTES:], None)
        except InvalidTag:
            raise ProtocolViolation(ctx.guest, Wire.secret.name, "not a key for us") from None
        cut = 8 + int.from_bytes(opened[:8], "little")
        return SecretKey(PublicKey(opened[8:cut]), opened[cut:])

    def _purpose(self, host: Party) -> bytes:
        ctx = self._ctx
        return f"sums|{ctx.job_id}|{ctx.component}|{ctx.version}|{host}".encode()


class CipherServer:
    """The arbiter's side."""

    def __init__(self, ctx: Context, terms: Terms) -> None:
        check_library(terms.component)
        self.terms, self._ctx = terms, ctx
        self.lost = dict[Party, str]()
        self._key = PublicKey(ctx.get(Wire.public))  # (3)

    def add_up(self) -> None:
        """One sum, given to the clients. Raises PartiesLost, ProtocolViolation."""
        total: CkksVector | None = None
        there = [peer for peer in self.terms.clients if peer not in self.lost]
        came = []
        for peer, body in arrivals(
            self._ctx, Wire.sealed, there, self.terms.time_limit_s, self.lost
        ):  # (4)
            try:
                part = self._key.from_bytes(body)
                total = part if total is None else self._key.add(total, part)
            except CryptoError as error:
                raise ProtocolViolation(peer, Wire.sealed.name, str(error)) from None
            came.append(self.terms.number(peer))
        told = self.terms.enough(came, self.lost)
        assert total is not None
        for peer in there:
            self._ctx.remote(Wire.came, told, to=peer)
        body = self._key.to_bytes(total)
        for number in told:
            self._ctx.remote(Wire.total, body, to=self.terms.party(number))  # (5)


def _agreed(mine: X25519PrivateKey, theirs: bytes, peer: Party, purpose: bytes) -> bytes:
    try:
        return masking.shared_key(mine, theirs, purpose)
    except ValueError:
        raise ProtocolViolation(peer, Wire.channel.name, "not a public key") from None
