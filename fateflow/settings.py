"""The settings of one site, and where its files live."""

from __future__ import annotations

from pathlib import Path

import msgspec

_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 (what not to show as an address)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One site. Defaults here, then ``<home>/settings.json``, then ``DISTAFF_*`` variables.

    party: the party this site hosts; "" means standalone: any party that a job names.
    cores: how many the tasks of all jobs may take together; 0 means the machine's.
    listed_cores: capacity as FATE counts it (``task_cores`` of jobs are booked against it).
    board: whether this site runs the board; without it ``board_port`` may be another board's.
    serving: whether this site runs online inference. serving_grpc_port: where fateflow tells it of
    models. serving_party_port: where other parties' servings reach it.
    """

    home: str
    party: str = ""
    host: str = "127.0.0.1"
    port: int = 9380
    board: bool = True
    board_port: int = 8080
    gateway_port: int = 9370
    serving: bool = False
    serving_port: int = 8059
    serving_grpc_port: int = 8000
    serving_party_port: int = 8869
    database_url: str = ""
    cores: int = 0
    listed_cores: int = 20
    log_level: str = "INFO"

    @property
    def url(self) -> str:
        """Where the REST API answers."""
        return self._url(self.port)

    @property
    def board_url(self) -> str:
        """Where the board answers."""
        return self._url(self.board_port)

    @property
    def serving_url(self) -> str:
        """Where online inference answers."""
        return self._url(self.serving_port)

    @property
    def reachable_host(self) -> str:
        """``host``, or loopback if that is every address of the machine."""
        return "127.0.0.1" if self.host in _ANYWHERE else self.host

    def _url(self, port: int) -> str:
        host = self.reachable_host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def root(self) -> Path:
        return Path(self.home)

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.root / 'fateflow.db'}"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def certs(self) -> Path:
        return self.root / "certs"

    @property
    def gateway(self) -> Path:
        return self.root / "gateway"

    @property
    def zygote_socket(self) -> Path:
        return self.run / "zygote.sock"

    @property
    def gateway_socket(self) -> Path:
        return self.run / "gateway.sock"

    def hosts(self, party_id: str) -> bool:
        """Whether this site speaks for a party. "0" is every site's own, of local jobs."""
        return self.party in ("", party_id) or party_id == "0"
