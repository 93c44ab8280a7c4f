"""FATE's route table: read as it is, checked, read again when it changes."""

import json

import pytest

from federation.route import Endpoint, RouteFault, Routes, load, parse

SAMPLE = {
    "route_table": {
        "9999": {
            "default": [{"ip": "10.1.0.5", "port": 9380, "is_secure": True}],
            "fateflow": [{"ip": "10.1.0.5", "port": 9360}],
        },
        "10000": {"default": [{"ip": "10.2.0.7", "port": 9370}, {"ip": "10.2.0.8", "port": 9371}]},
        "default": {"default": [{"ip": "203.0.113.9", "port": 9370}]},
    },
    "permission": {"default_allow": True},
}


def table(**changes):
    return parse(json.dumps({**SAMPLE, **changes}))


def ends(*found):
    return [str(end) for end in found]


def test_party_then_role_then_default():
    found = table()
    assert ends(*found.lookup("9999", "fateflow")) == ["10.1.0.5:9360"]
    assert found.lookup("9999", "host") == (Endpoint("10.1.0.5", 9380, True),)
    assert ends(*found.lookup("10000")) == ["10.2.0.7:9370", "10.2.0.8:9371"]
    assert ends(*found.lookup("12345", "host")) == ["203.0.113.9:9370"]


def test_default_allow_false_keeps_to_the_parties_listed():
    found = table(permission={"default_allow": False})
    assert found.lookup("12345") == ()
    assert found.lookup("10000")
    assert "default_allow forbids" in found.missing("12345")
    assert "did you mean 10000?" in found.missing("1000")


def endpoint(**changes):
    return {"route_table": {"1": {"default": [{"ip": "h", "port": 1, **changes}]}}}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "must be a JSON object, not list"),
        ({}, 'the key "route_table" is missing'),
        ({"route_tabel": {}}, "unknown key 'route_tabel'; did you mean 'route_table'?"),
        ({"route_table": {"1": {}}}, 'route_table.1: needs a role or "default"'),
        ({"route_table": {"1": {"defualt": [{"ip": "h", "port": 1}]}}}, "no such role"),
        ({"route_table": {"1": {"default": {}}}}, "route_table.1.default: must be a list"),
        ({"route_table": {"1": {"default": []}}}, "at least one"),
        (endpoint(port="9370"), r"default\[0\].port: must be a number from 1 to 65535"),
        (endpoint(port=70000), "1 to 65535"),
        (endpoint(ip=""), "must be an address"),
        (endpoint(is_secure="yes"), "is_secure: must be true or false"),
        (endpoint(is_polling=True), "parties that only dial out are not served yet"),
        (endpoint(pin="abc"), "64 hexadecimal digits"),
        (endpoint(prot=1), "did you mean 'port'?"),
        ({"route_table": {}, "permission": {"default_allow": 1}}, "default_allow: must be true"),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_is_allowed(raw, said):
    with pytest.raises(RouteFault, match=said):
        parse(json.dumps(raw))


def test_what_is_not_json_is_said_and_no_file_is_an_empty_table(tmp_path):
    with pytest.raises(RouteFault, match=r"route_table\.json: not JSON"):
        parse("{")
    assert load(tmp_path / "route_table.json").parties == {}


def test_a_pin_may_be_written_with_colons():
    [end] = parse(json.dumps(endpoint(pin=":".join(["AB"] * 32)))).lookup("1")
    assert end.pin == "ab" * 32


def test_a_changed_file_is_in_force_at_once_and_a_faulty_one_is_not_taken(tmp_path):
    path = tmp_path / "route_table.json"
    routes = Routes(path)
    assert routes.table.lookup("1") == ()
    path.write_text(json.dumps(endpoint()))
    assert ends(*routes.table.lookup("1")) == ["h:1"]
    path.write_text('{"route_table": ')
    assert ends(*routes.table.lookup("1")) == ["h:1"]
    assert "not JSON" in routes.fault
    path.write_text(json.dumps(endpoint(ip="other")))
    assert ends(*routes.table.lookup("1")) == ["other:1"]
    assert routes.fault == ""
