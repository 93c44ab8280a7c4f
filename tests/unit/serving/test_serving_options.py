"""Property files, route tables, signatures, adapters: FATE-Serving's files as they are."""

import asyncio
import itertools
import json
import logging
import os
import sqlite3
import time

import pytest

from federation.fate_serving import proxy_pb2 as pb
from serving import adapters, routes, settings
from serving.adapters import AdapterFault
from serving.cache import FeatureCache
from serving.codes import Code, ServingFault
from serving.party_auth import Access, Config, Signer, read
from serving.proxy import Proxy


def test_property_files_of_fate_serving_are_read_and_the_rest_is_named(tmp_path, caplog):
    folder = tmp_path / "serving" / "conf"
    folder.mkdir(parents=True)
    (folder / "serving-server.properties").write_text(
        "# comment\nport=8010\nbatch.inference.max = 50\nserver.port=8185\nzk.url=a:1\n"
        "remoteModelInferenceResultCacheSwitch=false\nlocal.cache.maxsize=9\n"
    )
    (folder / "application.properties").write_text("coordinator=9998\nserver.port=8060\n")
    with caplog.at_level(logging.WARNING):
        found = settings.read(tmp_path, {"most_rows": None, "demo": True})
    assert (found.grpc_port, found.http_port, found.most_rows) == (8010, 8060, 50)
    assert (found.party, found.cache_entries, found.demo) == ("9998", 0, True)
    assert "zk.url" in caplog.text


def test_wrong_options_are_named(tmp_path):
    (tmp_path / "serving.json").write_text('{"most_row": 3}')
    with pytest.raises(ValueError, match="most_row"):
        settings.read(tmp_path, {})
    (tmp_path / "serving.json").write_text('{"most_rows": "many"}')
    with pytest.raises(ValueError, match="most_rows"):
        settings.read(tmp_path, {})


def test_a_role_names_its_neighbour(tmp_path):
    (tmp_path / "serving.json").write_text('{"role": "prox"}')
    with pytest.raises(ValueError, match="role"):
        settings.read(tmp_path, {})
    (tmp_path / "serving.json").write_text('{"role": "proxy"}')
    with pytest.raises(ValueError, match="party: a proxy must know"):
        Proxy(settings.read(tmp_path, {}))
    for wrong in ("nowhere", ":80", "a:0", "a:b", "a:65536"):
        given = settings.read(tmp_path, {"party": "9999", "server": wrong})
        with pytest.raises(ValueError, match="server: expected host:port"):
            Proxy(given)
    assert routes.address("[::1]:80", "server").target == "[::1]:80"


TABLE = {
    "route_table": {
        "default": {"default": [{"ip": "192.0.2.1", "port": 8869}]},
        "10000": {
            "default": [{"ip": "192.0.2.5", "port": 1, "useSSL": True}],
            "serving": [{"ip": "192.0.2.6", "port": 2}],
        },
    },
    "permission": {
        "default_allow": False,
        "allow": [{"from": {"coordinator": "9999"}, "to": {"coordinator": "10000"}}],
        "deny": [{"from": {"coordinator": "666"}, "to": {"coordinator": "*"}}],
    },
}


def test_routes_prefer_the_role_serving_and_fall_back_to_the_default():
    found = routes.parse(json.dumps(TABLE))
    assert found.to("10000") == (routes.Endpoint("192.0.2.6", 2, False),)
    assert found.to("1") == (routes.Endpoint("192.0.2.1", 8869, False),)
    assert found.allows("9999", "10000")
    assert not found.allows("9998", "10000")
    assert not found.allows("666", "10000")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must hold an object"),
        ("{", "not JSON"),
        ('{"route_table": {"1": {"default": [{"ip": 3, "port": 1}]}}}', "ip must be text"),
        ('{"route_table": {"1": {"default": {"ip": 3}}}}', "a list of endpoints"),
    ],
)
def test_faulty_routes_are_refused_where_they_are_wrong(text, message):
    with pytest.raises(ValueError, match=message):
        routes.parse(text)


def test_a_changed_file_is_read_again_and_a_faulty_one_is_not(tmp_path):
    path = tmp_path / "route_table.json"
    path.write_text(json.dumps(TABLE))
    file = routes.RouteFile(path, routes.Routes())
    assert file.routes.to("10000")
    path.write_text("{")
    file.refresh()
    assert file.routes.to("10000")
    path.write_text('{"route_table": {}}')
    os.utime(path, ns=(time.time_ns() + 10**9, time.time_ns() + 10**9))
    file.refresh()
    assert file.routes.to("10000") == ()


def packet(nonce="n"):
    return pb.Packet(
        header=pb.Metadata(src=pb.Topic(partyId="9999"), operator="216"),
        body=pb.Data(value=b'{"a": 1}'),
        auth=pb.AuthInfo(nonce=nonce),
    )


@pytest.mark.parametrize("strong", [False, True])
def test_signed_packets_pass_once_and_changed_ones_never(strong):
    guest = Signer(Config(access_keys=(Access("10000", "K", "S", strong),)), required=False)
    host = Signer(Config(access_keys=(Access("9999", "K", "S", strong),)), required=True)
    sent = packet()
    guest.sign(sent, "10000")
    assert host.check(sent) == "9999"
    with pytest.raises(ServingFault, match="seen before") as caught:
        host.check(sent)
    assert caught.value.code == Code.AUTHENTICATION
    changed = packet()
    guest.sign(changed, "10000")
    changed.body.value = b'{"a": 2}'
    with pytest.raises(ServingFault, match="wrong signature"):
        host.check(changed)


def test_old_unsigned_and_unknown_packets_are_refused():
    guest = Signer(Config(access_keys=(Access("10000", "K", "S"),)), required=False)
    host = Signer(Config(access_keys=(Access("9999", "K", "S"),)), required=True)
    with pytest.raises(ServingFault, match="unknown app key"):
        host.check(packet())
    old = packet()
    guest.sign(old, "10000")
    old.auth.timestamp -= 60_000
    with pytest.raises(ServingFault, match="too old"):
        host.check(old)
    assert "S" not in repr(Access("1", "K", "S")).replace("Access", "")


def test_the_auth_file_is_fates(tmp_path):
    path = tmp_path / "auth_config.json"
    path.write_text(
        '{"self_party_id":"9999","apply_id":"","if_use_auth":true,"request_expire_seconds":8,'
        '"access_keys":[{"party_id":"10000","app_key":"K","app_secret":"S"}]}'
    )
    assert Signer(read(path), required=False).required
    path.write_text("{")
    with pytest.raises(ValueError, match="auth_config"):
        read(path)


def secrets_file(path, secret, **more):
    keys = [{"party_id": "9999", "app_key": "K", "app_secret": secret}]
    path.write_text(json.dumps({"access_keys": keys, **more}))
    os.utime(path, ns=(0, time.time_ns()))


def test_changed_secrets_are_taken_up_and_faulty_ones_are_not(tmp_path, caplog):
    path = tmp_path / "auth_config.json"
    secrets_file(path, "old", if_use_auth=True)
    host = Signer(read(path), required=False, path=path)

    numbers = itertools.count()

    def passes(secret):
        guest = Signer(Config(access_keys=(Access("10000", "K", secret),)), required=False)
        sent = packet()
        sent.body.value = str(next(numbers)).encode()  # in one millisecond, equal ones are replays
        guest.sign(sent, "10000")
        try:
            return host.check(sent) == "9999"
        except ServingFault:
            return False

    assert passes("old")
    secrets_file(path, "new", if_use_auth=False)
    host.refresh()
    assert (passes("old"), passes("new")) == (False, True)
    with pytest.raises(ServingFault):  # the file alone does not open the door
        host.check(packet())
    path.write_text('{"access_keys": "hidden')
    host.refresh()
    path.unlink()
    host.refresh()
    assert passes("new")
    assert caplog.text.count("the secrets in force stay") == 2
    assert "hidden" not in caplog.text


def fetch(adapter, *ids, columns=("x0", "x1")):
    return asyncio.run(adapters.fetched(adapter, list(ids), list(columns), 1.0))


def test_csv_features_are_found_by_id_and_read_again_on_change(tmp_path):
    path = tmp_path / "host.csv"
    path.write_text("id,x0,x1\na,1,2\nb,3,4\n")
    adapter = adapters.build("csv", {"path": str(path)}, demo=False)
    found = fetch(adapter, {"id": "b"}, {"phone": "a"}, {"id": "z"})
    assert [row.code for row in found] == [0, 0, 113]
    assert found[0].features == {"x0": "3", "x1": "4"}
    path.write_text("id,x0,x1\nb,9,9\n")
    os.utime(path, ns=(time.time_ns() + 10**9, time.time_ns() + 10**9))
    assert fetch(adapter, {"id": "b"})[0].features["x0"] == "9"


def test_sql_features_are_one_query_for_all_ids(tmp_path):
    path = tmp_path / "host.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "create table people (id integer primary key, x0 real, x1 real, other text)"
        )
        database.executemany("insert into people values (?, ?, ?, 'o')", [(1, 0.5, 1), (2, 3, 4)])
    options = {"url": f"sqlite:///{path}", "table": "people", "id": "id", "key": "device_id"}
    adapter = adapters.build("sql", options, demo=False)
    found = fetch(adapter, {"device_id": "2"}, {"device_id": "x"}, {"device_id": 1})
    assert [row.code for row in found] == [0, 113, 0]
    assert found[0].features == {"x0": 3.0, "x1": 4.0}
    with pytest.raises(AdapterFault, match="no column 'no'"):
        adapters.build("sql", {**options, "id": "no"}, demo=False)
    with pytest.raises(AdapterFault, match="cannot be read") as caught:
        adapters.build("sql", {**options, "url": "sqlite:////no/secret"}, demo=False)
    assert "secret" not in str(caught.value)


class Slow:
    def __init__(self, seconds=5.0, error=None, rows=None):
        self.seconds, self.error, self.rows, self.calls = seconds, error, rows, 0

    async def fetch(self, ids, columns):
        self.calls += 1
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error
        return self.rows(ids) if self.rows else [adapters.Fetched(features={"x": i}) for i in ids]

    async def close(self):
        pass


def test_late_failing_and_misshapen_adapters_cost_a_code_and_tell_no_value():
    late = asyncio.run(adapters.fetched(Slow(), [{"id": 1}], [], 0.05))
    assert late[0].code == Code.FEATURE
    failing = asyncio.run(adapters.fetched(Slow(0, KeyError("secret")), [{"id": 1}], [], 1))
    assert failing[0].code == Code.ADAPTER
    assert "secret" not in failing[0].message
    short = asyncio.run(adapters.fetched(Slow(0, rows=lambda ids: []), [{"id": 1}], [], 1))
    assert short[0].code == Code.ADAPTER
    assert fetch(None, {"id": 1})[0].code == Code.ADAPTER


def test_mock_features_are_for_demonstrations_alone():
    with pytest.raises(AdapterFault, match="demo alone"):
        adapters.build("com.webank.ai.fate.serving.adaptor.dataaccess.MockAdapter", {}, demo=False)
    found = fetch(adapters.build("MockAdapter", {"value": 2.0}, demo=True), {"id": 1})
    assert found[0].features == {"x0": 2.0, "x1": 2.0}
    assert found[0].message == "mock features"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nothing", {}, "one of csv, http"),
        ("csv", {}, "path"),
        ("csv", {"path": "/no/file"}, "No such file"),
        ("no.module:Class", {}, "cannot be loaded"),
        ("http", {"url": "ftp://x"}, "http://"),
    ],
)
def test_wrong_adapters_are_refused_at_the_start(name, options, message):
    with pytest.raises(AdapterFault, match=message):
        adapters.build(name, options, demo=False)


def test_a_class_of_the_operator_is_an_adapter():
    adapter = adapters.build("serving.adapters.request:Request", {}, demo=False)
    assert fetch(adapter, {"x0": 1.0}, {})[0].features == {"x0": 1.0}
    assert fetch(adapter, {"x0": 1.0}, {})[1].code == 113


def test_a_cache_asks_once_for_equal_ids_and_forgets_the_oldest():
    inner = Slow(0.01)
    cache = FeatureCache(inner, 2, 60_000, 1000)

    async def run():
        first = await asyncio.gather(*(cache.fetch([{"id": 1}], ["x"]) for _ in range(5)))
        await cache.fetch([{"id": 2}, {"id": 3}], ["x"])
        await cache.fetch([{"id": 3}], ["x"])
        calls = inner.calls
        await cache.fetch([{"id": 1}], ["x"])
        return first, calls

    first, calls = asyncio.run(run())
    assert all(rows == first[0] for rows in first)
    assert calls == 2
    assert inner.calls == 3
