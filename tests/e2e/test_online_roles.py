"""FATE-Serving's topology of our own processes: a proxy before a server, at both parties."""

import json
import signal
import time

import grpc
import pytest

from federation import certificate
from federation.fate_serving import proxy_pb2 as pb
from tests.e2e import made_servings
from tests.e2e.conftest import free_port
from tests.e2e.made_servings import asked, key
from tests.e2e.servings import PARTIES, Serving, get, post

pytestmark = pytest.mark.timeout(200)

METHOD = "/com.webank.ai.fate.api.networking.proxy.DataTransferService/unaryCall"


def options(serving, **more):
    """More of them, for one that is not started."""
    path = serving.home / "serving.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


def fronted(server, home):
    """A proxy for a server that is not started."""
    inside = free_port()
    options(server, role="server", proxy=f"127.0.0.1:{inside}")
    (server.home / "serving" / "route_table.json").unlink(missing_ok=True)
    proxy = Serving(home, server.role, lame_duck_ms=200)
    options(proxy, role="proxy", proxy_port=inside, server=f"127.0.0.1:{server.grpc}")
    return proxy


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Both parties' proxies and servers; certificates are the proxies' alone."""
    home = tmp_path_factory.mktemp("roles")
    guest, host = made_servings.pair(home, {}, {})
    certificate.init_ca(home / "ca")
    proxies = []
    for server in (guest, host):
        proxy = fronted(server, home / f"{server.role}_proxy")
        certificate.issue(home / "ca", PARTIES[server.role], proxy.home / "certs")
        proxies.append(proxy)
    certificate.issue(home / "ca", "9998", home / "stranger")
    endpoint = {"ip": "127.0.0.1", "port": proxies[1].party, "useSSL": True}
    table = {"route_table": {PARTIES["host"]: {"default": [endpoint]}}}
    (proxies[0].home / "serving" / "route_table.json").write_text(json.dumps(table))
    made_servings.start(host, guest, *proxies)
    for server in (host, guest):
        made_servings.load(server)
    made_servings.bind(guest, "1")
    yield guest, host, *proxies
    for process in (*proxies, guest, host):
        process.stop(signal.SIGKILL)


def ask(process, row=7):
    status, told = post(f"{process.url}/federation/v1/inference", asked(row))
    assert status == 200
    return told


def sent(proxy, folder, packet):
    """What a party's proxy answers to a packet sent with an identity."""
    own = certificate.identity(folder)
    credentials = grpc.ssl_channel_credentials(own.ca, own.key, own.certificate)
    name = ("grpc.ssl_target_name_override", certificate.host_name(PARTIES["host"]))
    with grpc.secure_channel(f"127.0.0.1:{proxy.party}", credentials, options=[name]) as channel:
        answer = channel.unary_unary(METHOD)(packet.SerializeToString(), timeout=10)
    return json.loads(pb.Packet.FromString(answer).body.value)


def packet(source="9999", target="10000"):
    named = key("host", "1")
    model = pb.Model(namespace=named["namespace"], tableName=named["version"])
    return pb.Packet(
        header=pb.Metadata(
            task=pb.Task(model=model),
            src=pb.Topic(partyId=source),
            dst=pb.Topic(partyId=target),
            command=pb.Command(name="federatedInference"),
            operator="216",
        ),
        body=pb.Data(value=b'{"caseId": "c", "sendToRemoteFeatureData": {"id": "7"}}'),
    )


def test_a_request_passes_both_proxies_and_has_its_score(site):
    _, host, proxy, _ = site
    told = ask(proxy)
    assert told["retcode"] == 0
    assert told["data"]["score"] == pytest.approx(made_servings.score(7), abs=1e-9)
    logged = (host.home / "serving" / "logs" / "access.log").read_text().splitlines()
    assert json.loads(logged[-1])["party"] == "9999"


def test_batches_faults_and_the_case_id_pass_too(site):
    guest, _, proxy, _ = site
    rows = [{"index": i, **asked(i)["body"]} for i in range(20)]
    body = {"head": {"serviceId": "lr", "caseId": "c-77"}, "body": {"batchDataList": rows}}
    told = post(f"{proxy.url}/federation/v1/batchInference", body)[1]
    assert [row["retcode"] for row in told["batchDataList"]] == [0] * 20
    log = (guest.home / "serving" / "logs" / "access.log").read_text()
    assert json.loads(log.splitlines()[-1])["case"] == "c-77"
    unknown = {"head": {"serviceId": "nothing"}, "body": {}}
    assert post(f"{proxy.url}/federation/v1/inference", unknown)[1]["retcode"] == 104
    assert post(f"{proxy.url}/federation/v1/inference", b"{")[1]["code"] == 110
    assert post(f"{proxy.url}/federation/v1/other", {})[1]["retcode"] == 122
    assert post(f"{proxy.url}/v1/serving/unload", {})[0] == 404


def test_a_proxy_lets_in_whom_a_certificate_names_and_for_its_own_party_alone(site):
    *_, guest_proxy, host_proxy = site
    assert sent(host_proxy, guest_proxy.home / "certs", packet())["retcode"] == 0
    stranger = guest_proxy.home.parent / "stranger"
    told = sent(host_proxy, stranger, packet())
    assert told["retcode"] == 629
    assert "party 9998 says it is 9999" in told["retmsg"]
    told = sent(host_proxy, guest_proxy.home / "certs", packet(target="10001"))
    assert told["retcode"] == 628


def test_a_server_or_a_party_that_is_gone_is_told_in_time_and_comes_back(site):
    _, host, proxy, host_proxy = site
    assert get(f"{host_proxy.url}/v2/health/ready")[0] == 200
    host.stop(signal.SIGKILL)
    started = time.monotonic()
    assert ask(proxy)["retcode"] == 2605
    assert time.monotonic() - started < 3.3
    assert get(f"{host_proxy.url}/v2/health/ready")[0] == 503
    assert get(f"{host_proxy.url}/v2/health/live")[0] == 200
    host.start()
    deadline = time.monotonic() + 10
    while ask(proxy)["retcode"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    host_proxy.stop()
    assert ask(proxy)["retcode"] == 2605
    host_proxy.start()
    deadline = time.monotonic() + 10
    while ask(proxy)["retcode"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
