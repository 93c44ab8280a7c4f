"""The options of one serving: defaults, then FATE-Serving's property files, then ``serving.json``,
then ``DISTAFF_SERVING_*`` variables, then the command line.

``<home>/serving/conf/{serving-server,application}.properties`` are read as FATE-Serving has them;
keys that mean nothing here are named in a warning.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

_log = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """party: the party whose models are served; "" serves any (standalone). Times are
    milliseconds. http_port: REST. grpc_port: models and inference, from this site. party_port:
    other parties' servings. host: where the first two listen. party_host: where the third does.

    role: ``all``, or FATE-Serving's two: a ``proxy``, the site's door, at whose ``server`` are the
    models, and a ``server``, whose way to other parties is the ``proxy`` (its ``proxy_port``).

    key: what clients must send as ``Authorization: Bearer`` where it is set. adapter: where a
    host's features come from (``serving.adapters``). route_table: FATE's file. cache_entries,
    cache_ms: of a host's features. kept_answers: of hosts, for each model whose service takes them
    again.

    reveal_distances: k-means may be served, in which guests learn every row's distances to the
    centroids in the host's columns. managers: networks, beside this machine, whose gRPC calls may
    load and bind models. import_folder: where models loaded as FILE must lie, the home by default.
    """

    home: str
    party: str = ""
    role: Literal["all", "server", "proxy"] = "all"
    server: str = "127.0.0.1:8000"
    proxy: str = "127.0.0.1:8879"
    proxy_port: int = 8879
    host: str = "127.0.0.1"
    http_port: int = 8059
    grpc_port: int = 8000
    party_host: str = ""
    party_port: int = 8869
    inference_ms: int = 3000
    batch_ms: int = 10_000
    party_ms: int = 2700
    adapter_ms: int = 2000
    most_rows: int = 300
    most_bytes: int = 8 << 20
    in_flight: int = 128
    in_flight_per_party: int = 128
    micro_batch_rows: int = 64
    micro_batch_ms: float = 2.0
    key: str = ""
    adapter: str = ""
    adapter_options: dict[str, Any] = {}
    route_table: str = ""
    auth_file: str = ""
    auth: bool = False
    transfer_url: str = ""
    cache_entries: int = 0
    cache_ms: int = 30_000
    kept_answers: int = 10_000
    print_input: bool = False
    print_output: bool = False
    lame_duck_ms: int = 2000
    compact: bool = True
    reveal_distances: bool = False
    managers: list[str] = []
    import_folder: str = ""
    demo: bool = False

    @property
    def root(self) -> Path:
        """Where models, bindings and limits are kept."""
        return Path(self.home) / "serving"


_PROPERTIES: dict[str, str] = {
    "port": "grpc_port",
    "single.inference.rpc.timeout": "party_ms",
    "batch.inference.max": "most_rows",
    "model.transfer.url": "transfer_url",
    "feature.single.adaptor": "adapter",
    "feature.batch.adaptor": "adapter",
    "feature.batch.single.adaptor": "",
    "remoteModelInferenceResultCacheSwitch": "",
    "local.cache.maxsize": "cache_entries",
    "local.cache.expire": "",
    "print.input.data": "print_input",
    "print.output.data": "print_output",
    "coordinator": "party",
    "server.port": "http_port",
    "route.table": "route_table",
    "auth.file": "auth_file",
    "auth.open": "auth",
    "proxy": "proxy",
    "proxy.grpc.inter.port": "party_port",
    "proxy.grpc.intra.port": "proxy_port",
    "proxy.grpc.inference.timeout": "inference_ms",
    "proxy.grpc.batch.inference.timeout": "batch_ms",
}
_SERVER_ONLY = {"server.port"}
"""Keys that mean another thing in serving-server.properties than in the proxy's file."""


def read(home: Path, given: Mapping[str, Any]) -> Settings:
    """The options of a home. given: of the command line; None counts as not given.

    Raises ValueError naming the option that has a wrong value.
    """
    known = {field.name for field in msgspec.structs.fields(Settings)}
    values: dict[str, Any] = {}
    folder = home / "serving" / "conf"
    for name in ("serving-server.properties", "application.properties"):
        values.update(from_properties(folder / name))
    path = home / "serving.json"
    if path.exists():
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        unknown = sorted(found.keys() - known)
        if unknown:
            raise ValueError(f"{path}: unknown options {unknown}; known: {sorted(known)}")
        values.update(found)
    for name in known:
        text = os.environ.get(f"DISTAFF_SERVING_{name.upper()}")
        if text is not None:
            values[name] = text
    values.update({name: value for name, value in given.items() if value is not None})
    values["home"] = str(home)
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"options of the serving at {home}: {error}") from None
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Raises ValueError naming the option."""
    for name in _POSITIVE:
        if getattr(settings, name) <= 0:
            raise ValueError(f"{name} must be above 0")
    if not settings.inference_ms >= settings.party_ms >= settings.adapter_ms:
        _log.warning(
            "inference_ms %s, party_ms %s, adapter_ms %s: each should be below the one before, or "
            "the outer limit hides what the inner one says",
            settings.inference_ms,
            settings.party_ms,
            settings.adapter_ms,
        )


_POSITIVE = (
    "inference_ms",
    "batch_ms",
    "party_ms",
    "adapter_ms",
    "most_rows",
    "most_bytes",
    "in_flight",
    "in_flight_per_party",
    "micro_batch_rows",
)


def from_properties(path: Path) -> dict[str, Any]:
    """Options that a Java property file sets; the keys it has besides are named in a warning."""
    if not path.exists():
        return {}
    properties = parsed_properties(path.read_text())
    values: dict[str, Any] = {}
    for key, value in properties.items():
        if path.name.startswith("serving-server") and key in _SERVER_ONLY:
            continue
        name = _PROPERTIES.get(key)
        if name:
            values[name] = value
    if properties.get("remoteModelInferenceResultCacheSwitch", "").lower() != "true":
        values.pop("cache_entries", None)
    elif "local.cache.expire" in properties:
        text = properties["local.cache.expire"]
        if not text.isdecimal():
            raise ValueError(f"{path}: local.cache.expire must be a number of seconds")
        values["cache_ms"] = int(text) * 1000
    if values.get("adapter", "").endswith("ParallelBatchToSingleFeatureAdaptor"):
        single = properties.get("feature.single.adaptor", "")
        values["adapter"] = properties.get("feature.batch.single.adaptor", single)
    if "http.adapter.url" in properties:
        values["adapter_options"] = {"url": properties["http.adapter.url"]}
        if values.get("adapter", "").endswith("HttpAdapterByHeader"):
            values["adapter_options"]["bare"] = True
    ignored = sorted(properties.keys() - _PROPERTIES.keys() - {"http.adapter.url"})
    if ignored:
        _log.warning("%s: these keys have no meaning here: %s", path, ", ".join(ignored))
    return values


def parsed_properties(text: str) -> dict[str, str]:
    """``key=value`` lines without comments."""
    found = {}
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare[0] in "#!":
            continue
        key, separator, value = bare.partition("=")
        if separator:
            found[key.strip()] = value.strip()
    return found
