"""Who may sign in: ``<home>/board/users.json``, and FATE-Board's one account of its properties."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from werkzeug.security import check_password_hash, generate_password_hash

from fateboard.names import is_name
from fateboard.settings import Settings, SettingsError
from fateboard.shapes import Access

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1_024
AT_ONCE = 4
"""Hashing takes 32 MB and 60 ms each: a flood of sign-ins must not take the machine."""
DEFAULT = ("admin", "admin")


class AccountError(Exception):
    """What cannot be done to the accounts, in words."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """password: its scrypt hash."""

    name: str
    access: Access
    password: str

    @property
    def mark(self) -> str:
        """Changes with the password, which ends the sessions that were begun with the old one."""
        return hashlib.sha256(self.password.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Account(name={self.name!r}, access={self.access!r})"


class Accounts:
    """Read again when the file changes, so that a removed user is out at once."""

    def __init__(self, settings: Settings) -> None:
        self._path = path_in(settings.folder)
        self._own = _of_properties(settings)
        default = (settings.username, settings.password) == DEFAULT
        self.default_password = default and self._own is not None
        self._stamp: tuple[int, int] | None = None
        self._known: dict[str, Account] = {}
        self._lock = threading.Lock()
        self._hashing = threading.BoundedSemaphore(AT_ONCE)
        self._nobody = generate_password_hash("nobody signs in with this")

    def all(self) -> dict[str, Account]:
        """By name. Raises AccountError for a file that cannot be read: nobody is let in then."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._known = {account.name: account for account in stored(self._path)}
                self._stamp = stamp
            own = {self._own.name: self._own} if self._own else {}
            return own | self._known

    def signed_in(self, name: str, password: str) -> Account | None:
        """The account, if the password is its. An unknown name takes as long as a known one."""
        account = self.all().get(name)
        with self._hashing:
            right = check_password_hash(
                account.password if account else self._nobody, password[:LONGEST_PASSWORD]
            )
        return account if right else None


def path_in(folder: Path) -> Path:
    return folder / "users.json"


def stored(path: Path) -> list[Account]:
    """Raises AccountError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Account])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        raise AccountError(f"{path} cannot be read: {error}; correct it or remove it") from None


def add(folder: Path, name: str, access: Access, password: str) -> None:
    """A new account, or another password or access of one. Raises AccountError."""
    if not is_name(name):
        raise AccountError(f"{name!r} is no user name; allowed are letters, digits, _ . and -")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccountError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    hashed = generate_password_hash(password)
    account = Account(name=name, access=access, password=hashed)
    _store(folder, [*_others(folder, name), account])


def remove(folder: Path, name: str) -> None:
    """Raises AccountError."""
    others = _others(folder, name)
    if len(others) == len(stored(path_in(folder))):
        raise AccountError(f"there is no user {name!r}; see `distaff board user list`")
    _store(folder, others)


def _others(folder: Path, name: str) -> list[Account]:
    return [account for account in stored(path_in(folder)) if account.name != name]


def _store(folder: Path, accounts: list[Account]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path_in(folder), msgspec.json.format(msgspec.json.encode(accounts), indent=2))


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino


def _of_properties(settings: Settings) -> Account | None:
    """FATE-Board's account may do everything. Its password stands there as it is, or encrypted
    with a key beside it; one that everybody knows opens nothing from afar. Raises SettingsError."""
    if not settings.username or not settings.password:
        return None
    if (settings.username, settings.password) == DEFAULT and not settings.loopback:
        return None
    password = settings.password
    if settings.encrypted and settings.private_key:
        password = _decrypted(settings.private_key, password)
    hashed = generate_password_hash(password)
    return Account(name=settings.username, access="admin", password=hashed)


def _decrypted(private_key: str, password: str) -> str:
    try:
        key = serialization.load_der_private_key(base64.b64decode(private_key), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("no RSA key")
        return key.decrypt(base64.b64decode(password), padding.PKCS1v15()).decode()
    except (ValueError, TypeError):
        raise SettingsError(
            "server.board.encrypt.private_key does not decrypt server.board.login.password; give "
            "both as base64, or the password as it is and server.board.encrypt.enable=false"
        ) from None
