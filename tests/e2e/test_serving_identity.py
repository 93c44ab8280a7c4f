"""Who may ask whom online: certificates, parties of a model, the token of management."""

import json
import signal
import socket
import ssl
import threading
import time

import grpc
import pytest

from federation import certificate
from federation.fate_serving import proxy_pb2 as pb
from tests.e2e import made_servings, servings
from tests.e2e.servings import MODEL_ID, Serving, features, get, post, request

pytestmark = pytest.mark.timeout(200)

METHOD = "/com.webank.ai.fate.api.networking.proxy.DataTransferService/unaryCall"


@pytest.fixture(scope="module")
def certified(node, world, tmp_path_factory):
    """A guest's and a host's serving that show certificates; a stranger's identity."""
    home = tmp_path_factory.mktemp("certified")
    certificate.init_ca(home / "ca")
    adapter = {"path": str(world["folder"] / "host.csv"), "id": "id"}
    host = Serving(home / "host", "host", adapter="csv", adapter_options=adapter)
    guest = Serving(home / "guest", "guest")
    for serving in (host, guest):
        certificate.issue(home / "ca", servings.PARTIES[serving.role], serving.home / "certs")
    certificate.issue(home / "ca", "9998", home / "stranger")
    endpoint = {"ip": "127.0.0.1", "port": host.party, "useSSL": True}
    table = {"route_table": {"10000": {"serving": [endpoint]}}}
    (guest.home / "serving" / "route_table.json").write_text(json.dumps(table))
    for serving in (host, guest):
        serving.start()
        serving.load(f"http://127.0.0.1:{node.port}", world["versions"][0])
    yield guest, host, home / "stranger"
    for serving in (guest, host):
        serving.stop(signal.SIGKILL)


def packet(world, source="9999"):
    body = {"caseId": "c", "sendToRemoteFeatureData": {"id": known(world)}}
    model = pb.Model(namespace=f"host#10000#{MODEL_ID}", tableName=world["versions"][0])
    return pb.Packet(
        header=pb.Metadata(
            task=pb.Task(model=model),
            src=pb.Topic(partyId=source),
            dst=pb.Topic(partyId="10000"),
            command=pb.Command(name="federatedInference"),
            operator="216",
        ),
        body=pb.Data(value=json.dumps(body).encode()),
    )


def known(world):
    return next(row for row in world["scores"][0] if row in world["raw"]["guest"])


def sent(host, folder, asked):
    """The host's answer to a packet sent with an identity."""
    own = certificate.identity(folder)
    credentials = grpc.ssl_channel_credentials(own.ca, own.key, own.certificate)
    name = ("grpc.ssl_target_name_override", certificate.host_name("10000"))
    with grpc.secure_channel(f"127.0.0.1:{host.party}", credentials, options=[name]) as channel:
        call = channel.unary_unary(
            METHOD,
            request_serializer=pb.Packet.SerializeToString,
            response_deserializer=pb.Packet.FromString,
        )
        return json.loads(call(asked, timeout=10).body.value)


def test_servings_with_certificates_answer_together(certified, world):
    guest, _, _ = certified
    assert guest.bind("lr", world["versions"][0])[0] == 200
    row = known(world)
    told = post(f"{guest.url}/federation/v1/inference", request("lr", features(world, row), row))[1]
    assert told["data"]["score"] == pytest.approx(world["scores"][0][row], abs=1e-6)


def test_a_packet_in_fates_form_is_answered_in_fates_form(certified, world):
    guest, host, _ = certified
    told = sent(host, guest.home / "certs", packet(world))
    assert told["retcode"] == 0
    assert told["data"]["retcode"] == 0
    assert set(told["data"]["hetero_lr_0"]) == {"score"}


def test_nobody_speaks_for_another_party_or_without_a_part_in_the_model(certified, world):
    _guest, host, stranger = certified
    told = sent(host, stranger, packet(world))
    assert told["retcode"] == 629
    assert "party 9998 says it is 9999" in told["retmsg"]
    told = sent(host, stranger, packet(world, source="9998"))
    assert told["retcode"] == 629
    assert "no part in this model" in told["retmsg"]


def test_plaintext_and_unknown_certificates_do_not_get_through(certified, world, tmp_path):
    guest, host, _ = certified
    with grpc.insecure_channel(f"127.0.0.1:{host.party}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(METHOD)(packet(world).SerializeToString(), timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    certificate.init_ca(tmp_path / "other")
    certificate.issue(tmp_path / "other", "9999", tmp_path / "forged")
    (tmp_path / "forged" / "ca.pem").write_bytes((guest.home / "certs" / "ca.pem").read_bytes())
    with pytest.raises(grpc.RpcError) as caught:
        sent(host, tmp_path / "forged", packet(world))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_management_needs_the_token(certified, world):
    guest, _, _ = certified
    order = {"service_id": "lr"}
    for token in ("", "guess", "ü"):
        status, told = post(
            f"{guest.url}/v1/serving/unbind", order, token.encode().decode("latin-1")
        )
        assert status == 401
        assert "admin.token" in told["error"]


@pytest.fixture
def renewable(tmp_path):
    """A guest's and a host's serving whose certificates a test renews, and their authority."""
    guest, host = made_servings.pair(tmp_path, {}, {})
    certificate.init_ca(tmp_path / "ca")
    for serving in (guest, host):
        certificate.issue(tmp_path / "ca", servings.PARTIES[serving.role], serving.home / "certs")
    endpoint = {"ip": "127.0.0.1", "port": host.party, "useSSL": True}
    table = {"route_table": {"10000": {"serving": [endpoint]}}}
    (guest.home / "serving" / "route_table.json").write_text(json.dumps(table))
    made_servings.start(host, guest)
    for serving in (host, guest):
        made_servings.load(serving)
    made_servings.bind(guest, "1")
    yield guest, host, tmp_path / "ca"
    for serving in (guest, host):
        serving.stop(signal.SIGKILL)


def shown(host, folder):
    """The certificate that a host's port for other parties shows now."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.check_hostname = False
    context.load_cert_chain(folder / "party.pem", folder / "party.key")
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", host.party), timeout=5) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return secured.getpeercert(binary_form=True)


def test_renewed_certificates_are_taken_up_and_no_request_fails(renewable):
    guest, host, ca = renewable
    before, stop, codes = shown(host, guest.home / "certs"), threading.Event(), []

    def asking():
        while not stop.wait(0.01):
            told = post(f"{guest.url}/federation/v1/inference", made_servings.asked(len(codes)))[1]
            codes.append(told["retcode"])

    client = threading.Thread(target=asking)
    client.start()
    try:
        for serving in (guest, host):
            certificate.issue(ca, servings.PARTIES[serving.role], serving.home / "certs", days=9)
        deadline = time.monotonic() + 20
        while not all("was renewed" in (s.home / "log").read_text() for s in (guest, host)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        after = shown(host, guest.home / "certs")
        answered = len(codes)
        while len(codes) < answered + 50:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        stop.set()
        client.join()
    assert after != before
    assert set(codes) == {0}
    ends = [
        float(line.split()[1])
        for line in get(f"{guest.url}/metrics")[1].splitlines()
        if line.startswith("serving_certificate_ends_seconds")
    ]
    assert 8 * 86400 < ends[0] - time.time() < 10 * 86400
