"""This site's certificate, read again when its files change.

New connections show and ask for the new one, those that are open go on with theirs: no call ends.
Files that do not belong together (a renewal that is half written), are not valid now or are of
another party are not taken; the ones in force stay, and the log says why.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from federation import certificate
from federation.certificate import CertificateFault, Identity

_log = logging.getLogger(__name__)

_FILES = ("party.pem", "party.key", "ca.pem")


class Certificates:
    """Of one process. Raises CertificateFault for what cannot be used at the start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._stamps()
        self._identity = certificate.identity(folder)
        if self._identity is not None:
            _check(self._identity, self._identity.party)

    @property
    def identity(self) -> Identity | None:
        """None of a site without certificates."""
        return self._identity

    @property
    def ends(self) -> float:
        """When the certificate in force expires, seconds since 1970; 0 without one."""
        if self._identity is None:
            return 0.0
        found = x509.load_pem_x509_certificate(self._identity.certificate)
        return found.not_valid_after_utc.timestamp()

    def refresh(self) -> None:
        """Take up changed files."""
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._identity = self._renewed()
        except (CertificateFault, OSError, ValueError) as error:
            _log.error("the certificate in force stays: %s", error)
            return
        _log.info("the certificate in %s was renewed", self._folder)

    def credentials(self) -> grpc.ServerCredentials | None:
        """Of a port for other parties, where each new connection gets the certificate of its time;
        None without one."""
        shown = self._identity
        if shown is None:
            return None

        def changed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal shown
            if self._identity is shown or self._identity is None:
                return None
            shown = self._identity
            return _configuration(shown)

        fetch: Any = changed  # grpc-stubs does not know that None means no change
        return grpc.dynamic_ssl_server_credentials(
            _configuration(shown), fetch, require_client_authentication=True
        )

    def _renewed(self) -> Identity:
        """Raises CertificateFault, OSError, ValueError."""
        if self._identity is None:
            raise CertificateFault(
                "this serving was started without a certificate, and its port is open in "
                "plaintext; restart it"
            )
        found = certificate.identity(self._folder)
        if found is None:
            raise CertificateFault(f"{self._folder} holds none any more")
        _check(found, self._identity.party)
        return found

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        paths = [self._folder / name for name in _FILES]
        found = [path.stat() for path in paths if path.is_file()]
        return tuple((one.st_mtime_ns, one.st_ino) for one in found)


def _check(identity: Identity, party: str) -> None:
    """Raises CertificateFault, ValueError."""
    if identity.party != party:
        raise CertificateFault(
            f"it is of party {identity.party}, this serving of {party}; restart to change that"
        )
    public = x509.load_pem_x509_certificate(identity.certificate).public_key()
    own = serialization.load_pem_private_key(identity.key, None).public_key()
    if public != own:
        raise CertificateFault("party.key and party.pem do not belong together")


def _configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    pairs = [(identity.key, identity.certificate)]
    return grpc.ssl_server_certificate_configuration(pairs, identity.ca)
