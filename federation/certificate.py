"""A small certificate authority for a federation, and the party id in its certificates.

Files of a site, in ``<home>/certs/``: ``ca.pem`` (whom to believe), ``party.pem`` and ``party.key``
(who we are). Whoever runs the authority also has ``ca.key``. The party id stands in the subject
alternative name as the URI ``fl://party/<id>``: that is what a receiving gateway compares with the
sender in every envelope. It stands there as a DNS name as well, ``party-<id>.distaff``, so that the
TLS library of the dialling side checks whom it reached.

Keys are ECDSA P-256, which every TLS 1.3 library has.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federation.errors import FederationError

URI = "fl://party/"
CA_DAYS, PARTY_DAYS = 3650, 825

_SAFE = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


class CertificateFault(FederationError, ValueError):
    """A certificate is missing, unreadable, expired or not what it should be."""


class Shown(msgspec.Struct, frozen=True):
    """A certificate for people. sha256: of its DER form, as ``pin`` in a route table."""

    subject: str
    party: str
    issuer: str
    not_before: str
    not_after: str
    sha256: str


def init_ca(folder: Path, name: str = "Distaff federation") -> Path:
    """Make ``ca.pem`` and ``ca.key`` in a folder. Raises CertificateFault if one is there."""
    if (folder / "ca.pem").exists():
        raise CertificateFault(
            f"{folder / 'ca.pem'} is there already: every certificate hangs on it; "
            "remove it yourself if a new authority is really meant"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(subject, subject, key.public_key(), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _write_key(folder / "ca.key", key)
    _write(folder / "ca.pem", builder.sign(key, hashes.SHA256()))
    return folder / "ca.pem"


def issue(ca_folder: Path, party_id: str, out: Path, days: int = PARTY_DAYS) -> Path:
    """Make ``ca.pem``, ``party.pem`` and ``party.key`` of a party in ``out``.

    Raises CertificateFault if there is no authority, or if another party's are there.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = _request(party_id, key)
    if (out / "party.pem").exists() and (
        found := party_of((out / "party.pem").read_bytes())
    ) not in (
        "",
        party_id,
    ):
        raise CertificateFault(f"{out} holds the certificate of party {found}, not of {party_id}")
    certificate = sign(ca_folder, wanted.public_bytes(serialization.Encoding.PEM), days)
    _write_key(out / "party.key", key)
    (out / "party.pem").write_bytes(certificate)
    if out.resolve() != ca_folder.resolve():
        (out / "ca.pem").write_bytes((ca_folder / "ca.pem").read_bytes())
    return out / "party.pem"


def request(party_id: str, out: Path) -> Path:
    """Make ``party.key`` and ``party.csr`` at the party, so that its key never leaves it."""
    if (out / "party.key").exists():
        raise CertificateFault(f"{out / 'party.key'} is there already: it would be lost")
    key = ec.generate_private_key(ec.SECP256R1())
    _write_key(out / "party.key", key)
    path = out / "party.csr"
    path.write_bytes(_request(party_id, key).public_bytes(serialization.Encoding.PEM))
    return path


def sign(ca_folder: Path, csr: bytes, days: int = PARTY_DAYS) -> bytes:
    """The certificate (PEM) for a request that names one party. Raises CertificateFault."""
    ca, ca_key = _authority(ca_folder)
    try:
        wanted = x509.load_pem_x509_csr(csr)
    except ValueError as error:
        raise CertificateFault(f"not a certificate request: {error}") from None
    if not wanted.is_signature_valid:
        raise CertificateFault("the certificate request is not signed by its own key")
    party_id = _party_in(wanted.extensions)
    if not party_id:
        raise CertificateFault(f"the certificate request names no party ({URI}<id>)")
    builder = (
        _builder(_subject(party_id), ca.subject, wanted.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(_names(party_id), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def party_of(pem: bytes) -> str:
    """The party id in a certificate (PEM), or "" if it holds none, several, or is unreadable."""
    try:
        return _party_in(x509.load_pem_x509_certificate(pem).extensions)
    except ValueError:
        return ""


def fingerprint(pem: bytes) -> str:
    """Hexadecimal SHA-256 of the DER form."""
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


def host_name(party_id: str) -> str:
    """The DNS name of a party in its certificate; ids that no DNS name can hold are in hex."""
    if _SAFE.fullmatch(party_id) and not party_id.startswith("x-"):
        return f"party-{party_id}.distaff"
    coded = party_id.encode().hex()
    labels = [coded[i : i + 48] for i in range(0, len(coded), 48)]
    return f"party-x-{'.'.join(labels)}.distaff"


def show(path: Path) -> Shown:
    """A certificate file for people. Raises CertificateFault."""
    try:
        return describe(path.read_bytes())
    except FileNotFoundError:
        raise CertificateFault(f"no certificate {path}: distaff cert issue makes one") from None
    except ValueError as error:
        raise CertificateFault(f"{path} is no certificate: {error}") from None


def describe(pem: bytes) -> Shown:
    """A certificate (PEM) for people. Raises ValueError if it is none."""
    found = x509.load_pem_x509_certificate(pem)
    return Shown(
        subject=found.subject.rfc4514_string(),
        party=party_of(pem),
        issuer=found.issuer.rfc4514_string(),
        not_before=found.not_valid_before_utc.isoformat(),
        not_after=found.not_valid_after_utc.isoformat(),
        sha256=fingerprint(pem),
    )


class Identity(msgspec.Struct, frozen=True):
    """What a gateway needs for mTLS; PEM. The key is never shown."""

    party: str
    ca: bytes
    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"Identity(party={self.party!r})"


def identity(folder: Path) -> Identity | None:
    """The site's identity, or None if its folder holds no certificate.

    Raises CertificateFault when only a part is there, or the certificate names no party or is
    not valid now.
    """
    names = ("party.pem", "party.key", "ca.pem")
    there = [n for n in names if (folder / n).is_file()]
    if not {"party.pem", "party.key"} & set(there):
        return None
    if len(there) < len(names):
        missing = ", ".join(sorted(set(names) - set(there)))
        raise CertificateFault(f"{folder} lacks {missing}: distaff cert issue makes all three")
    certificate, key, ca = ((folder / n).read_bytes() for n in names)
    seen = show(folder / "party.pem")
    if not seen.party:
        raise CertificateFault(f"{folder / 'party.pem'} names no party ({URI}<id>)")
    now = datetime.now(timezone.utc).isoformat()
    if not seen.not_before <= now <= seen.not_after:
        raise CertificateFault(
            f"{folder / 'party.pem'} is valid from {seen.not_before} to {seen.not_after}, not now"
        )
    return Identity(seen.party, ca, certificate, key)


def _party_in(extensions: x509.Extensions) -> str:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    found = [
        uri[len(URI) :]
        for uri in names.get_values_for_type(x509.UniformResourceIdentifier)
        if uri.startswith(URI)
    ]
    return _from_uri(found[0]) if len(found) == 1 else ""


def _to_uri(party_id: str) -> str:
    return "".join(
        c if c.isascii() and (c.isalnum() or c in "-_.") else _escaped(c) for c in party_id
    )


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _from_uri(text: str) -> str:
    return re.sub(
        r"(?:%[0-9A-F]{2})+",
        lambda m: bytes.fromhex(m.group().replace("%", "")).decode("utf-8", "replace"),
        text,
    )


def _names(party_id: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier(URI + _to_uri(party_id)),
            x509.DNSName(host_name(party_id)),
        ]
    )


def _subject(party_id: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"party {party_id}"[:64])])


def _request(party_id: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    if not party_id or len(party_id) > 64 or not party_id.isprintable():
        raise CertificateFault(f"party id {party_id!r}: 1 to 64 printable characters are allowed")
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(party_id))
    return builder.add_extension(_names(party_id), critical=False).sign(key, hashes.SHA256())


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        ca = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    except FileNotFoundError as error:
        raise CertificateFault(
            f"no certificate authority here ({error.filename} is missing): distaff cert init"
        ) from None
    except ValueError as error:
        raise CertificateFault(f"{folder}: unreadable authority: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateFault(f"{folder / 'ca.key'} is not an elliptic-curve key")
    return ca, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks of parties differ
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o600)  # of a file that was there already
        file.write(text)
