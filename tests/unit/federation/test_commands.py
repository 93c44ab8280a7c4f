"""``distaff cert``, ``routes`` and ``audit``, as a user types them."""

import json

import pytest
from click.testing import CliRunner
from federation_sites import GUEST_, HOST_, JOB, envelope

from fateflow.node import federation_commands as commands


@pytest.fixture
def say():
    def run(group, *arguments, home):
        result = CliRunner().invoke(group, [*arguments, "--home", str(home)])
        return result.exit_code, result.output

    return run


def test_an_authority_a_certificate_and_a_request(say, tmp_path):
    ca, party = tmp_path / "ca", tmp_path / "party"
    assert say(commands.cert, "init", home=ca)[0] == 0
    assert say(commands.cert, "issue", "9999", "--out", str(tmp_path / "out"), home=ca)[0] == 0
    assert (tmp_path / "out/party.key").exists()
    assert say(commands.cert, "request", "10000", home=party)[0] == 0
    csr = str(party / "certs/party.csr")
    status, said = say(commands.cert, "issue", "9999", "--csr", csr, home=ca)
    assert (status, "of party 10000, not of 9999" in said) == (1, True)
    assert say(commands.cert, "issue", "10000", "--csr", csr, home=ca)[0] == 0
    status, said = say(commands.cert, "init", home=ca)
    assert status == 1
    assert said.count("\n") == 1


def test_showing_certificates(say, sites):
    home = sites.home(GUEST_)
    assert "party      9999" in say(commands.cert, "show", home=home)[1]
    shown = json.loads(say(commands.cert, "show", "--output", "json", home=home)[1])
    assert shown["party.pem"]["party"] == "9999"
    status, said = say(commands.cert, "show", home=home / "nothing")
    assert (status, "distaff cert init" in said) == (1, True)


def test_showing_and_testing_routes(say, sites):
    sites.start_both()
    home = sites.home(GUEST_)
    assert "10000  default  127.0.0.1:" in say(commands.routes, "show", home=home)[1]
    status, said = say(commands.routes, "test", "10000", "--output", "json", home=home)
    [tried] = json.loads(said)
    assert (status, tried["problem"], tried["party"]) == (0, "", "10000")
    sites.stop(HOST_)
    status, said = say(commands.routes, "test", "10000", home=home)
    assert (status, "Connection refused" in said) == (1, True)
    (home / "route_table.json").write_text("{}")
    status, said = say(commands.routes, "show", home=home)
    assert (status, 'the key "route_table" is missing' in said) == (1, True)


def test_a_pinned_certificate_is_the_only_one_accepted(say, sites):
    sites.start_both()
    home, port = sites.home(GUEST_), sites.gateway(HOST_).port
    shown = say(commands.cert, "show", "--output", "json", home=sites.home(HOST_))[1]
    for pin, problem in ((json.loads(shown)["party.pem"]["sha256"], ""), ("0" * 64, "pinned")):
        end = {"ip": "127.0.0.1", "port": port, "pin": pin}
        table = {"route_table": {"10000": {"default": [end]}}}
        (home / "route_table.json").write_text(json.dumps(table))
        said = say(commands.routes, "test", "10000", "--output", "json", home=home)[1]
        assert problem in said
        if not problem:
            assert json.loads(said)[0]["problem"] == ""


def test_the_audit_report_and_its_verification(say, sites):
    sites.start_both()
    sites.transport(GUEST_).send(envelope(), b"abc")
    assert sites.transport(HOST_).receive(envelope()) == b"abc"
    home = sites.home(GUEST_)
    status, said = say(commands.audit, "report", "--job", JOB, home=home)
    assert status == 0
    assert "lr.x" in said
    assert "3 bytes left this site" in said
    report = say(commands.audit, "report", "--job", JOB, "--output", "json", home=home)[1]
    assert json.loads(report)[0]["reveals"] == "a sum"
    assert "the chain holds" in say(commands.audit, "verify", home=home)[1]
    [log] = (home / "gateway/audit").iterdir()
    log.write_text("{}\n")
    status, said = say(commands.audit, "verify", home=home)
    assert (status, "line 1: not an audit record" in said) == (1, True)
