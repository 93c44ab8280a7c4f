"""What a gateway does not let pass: refused, logged, nothing stored."""

import asyncio
import hashlib
import socket

import grpc
import pytest
from federation_sites import GUEST_, HOST_, JOB, TOKEN, envelope

from federation import HOST, Party, certificate, token
from federation.certificate import Identity
from federation.errors import Cancelled, GatewayRefused, PeerFailed
from federation.route import Endpoint
from federation.transport import dial, frames, wire
from federation.transport import gateway_pb2 as pb
from federation.transport.spool import Record

OUTSIDER = Party(HOST, "6666")


def record(payload, about=None, secret=TOKEN):
    about = about or envelope()
    digest = hashlib.sha256(payload).digest()
    return Record(about, len(payload), digest, token.message_mac(secret, about, digest))


def say(sites, *to_send, own=None, as_party="9999", greet=True):
    """Speak to the host's gateway frame by frame, as a malicious peer would: its replies."""
    own = own or certificate.identity(sites.home(GUEST_) / "certs")
    endpoint = Endpoint("127.0.0.1", sites.gateway(HOST_).port)

    async def talk():
        way = dial.channel(endpoint, "10000", own, dial.Reached(b"", 0.0))
        replies = []
        try:
            stream = await dial.greet(way, "there", as_party, "10000")
            for frame in to_send:
                await stream.write(frame)
            await stream.done_writing()
            while isinstance(frame := await stream.read(), pb.Frame):
                replies.append(frame)
        except grpc.aio.AioRpcError as error:
            replies.append(error.details())
        finally:
            await way.close(None)
        return replies

    return asyncio.run(talk())


def opening(found, payload=b""):
    return pb.Frame(open=frames.open_message(1, found, payload))


def nothing_stored(sites):
    return sites.stored(HOST_) == [] and not [
        e for e in sites.audit(HOST_) if e.what == "message" and e.direction == "in"
    ]


def logged(sites, text):
    return [e for e in sites.audit(HOST_) if e.what == "refusal" and text in e.result]


@pytest.fixture
def network(sites):
    sites.start_both()
    return sites


def test_what_an_honest_peer_says_is_taken(network):
    [ack] = say(network, opening(record(b"abc"), b"abc"))
    assert ack.ack.state == pb.Ack.COMPLETE
    assert network.transport(HOST_).receive(envelope()) == b"abc"


def test_a_certificate_of_one_party_cannot_speak_as_another(network, tmp_path):
    certificate.issue(tmp_path / "ca", "6666", tmp_path / "6666")
    outsider = certificate.identity(tmp_path / "6666")
    with pytest.raises(dial.NoWay, match="its certificate is of party '6666'"):
        say(network, own=outsider, as_party="9999")
    about = envelope(src=GUEST_)
    [refused] = say(network, opening(record(b"abc", about), b"abc"), own=outsider, as_party="6666")
    assert "came from party 6666" in refused.refused.why
    assert nothing_stored(network)
    assert logged(network, "its certificate is of party '6666'")
    assert logged(network, "came from party 6666")


def test_a_certificate_of_another_authority_does_not_get_in(network, tmp_path):
    certificate.init_ca(tmp_path / "other")
    certificate.issue(tmp_path / "other", "9999", tmp_path / "forged")
    forged = certificate.identity(tmp_path / "forged")
    true_ca = (tmp_path / "ca/ca.pem").read_bytes()
    forged = Identity(forged.party, true_ca, forged.certificate, forged.key)
    with pytest.raises(dial.NoWay):
        say(network, own=forged)
    assert nothing_stored(network)


def test_a_gateway_with_the_certificate_of_another_party_is_not_talked_to(network, tmp_path):
    port = network.gateway(HOST_).port
    network.route(GUEST_, {"10001": port})
    with pytest.raises(Exception, match=r"its certificate: .*10001"):
        network.control(GUEST_).call("10001", "ask_stop", b"{}")


def test_a_party_that_takes_no_part_in_the_job_is_refused(network, tmp_path):
    certificate.issue(tmp_path / "ca", "6666", tmp_path / "6666")
    found = record(b"abc", envelope(src=OUTSIDER))
    own = certificate.identity(tmp_path / "6666")
    [refused] = say(network, opening(found, b"abc"), own=own, as_party="6666")
    assert "host 6666 takes no part in the job" in refused.refused.why
    assert nothing_stored(network)
    assert logged(network, "takes no part")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (record(b"abc", secret="another token of a job"), "does not prove the job's token"),
        (record(b"abc", envelope(job="unknown")), "no such job"),
        (record(b"abc", envelope(dst=Party(HOST, "10001"))), "host 10001 is not here"),
    ],
)
def test_an_unknown_job_token_or_receiver_is_refused(network, found, why):
    [refused] = say(network, opening(found, b"abc"))
    assert why in refused.refused.why
    assert nothing_stored(network)
    assert logged(network, why)


def test_a_proof_is_worth_nothing_for_another_message(network):
    first, second = record(b"abc"), envelope(1)
    stolen = Record(second, first.size, first.sha256, first.mac)
    [refused] = say(network, opening(stolen, b"abc"))
    assert "does not prove" in refused.refused.why
    assert nothing_stored(network)


def test_inline_bytes_that_were_changed_are_refused(network):
    [refused] = say(network, opening(record(b"abc"), b"abd"))
    assert refused.refused.reason == pb.Refused.CORRUPT
    assert nothing_stored(network)


BIG = bytes(3 << 20)


def parts(*offsets):
    return [frames.chunk(1, i, BIG[i : i + frames.CHUNK]) for i in offsets]


def test_a_replayed_chunk_is_refused_and_nothing_is_kept(network):
    more, refused = say(network, opening(record(BIG)), *parts(0, 0))
    assert more.ack.state == pb.Ack.MORE
    assert "offset 0 where 1048576 is due" in refused.refused.why
    assert nothing_stored(network)
    assert logged(network, "where 1048576 is due")


def test_a_tampered_chunk_is_refused_and_nothing_is_kept(network):
    bad = frames.chunk(1, 0, BIG[: frames.CHUNK])
    bad.chunk.data = b"\1" + bad.chunk.data[1:]
    _, refused = say(network, opening(record(BIG)), bad, *parts(1 << 20))
    assert "checksum" in refused.refused.why
    assert nothing_stored(network)


def test_bytes_that_do_not_have_the_announced_digest_are_refused_as_a_whole(network):
    other = b"\1" + BIG[1:]
    chunks = [
        frames.chunk(1, i, other[i : i + frames.CHUNK]) for i in range(0, 3 << 20, frames.CHUNK)
    ]
    _, refused = say(network, opening(record(BIG)), *chunks)
    assert refused.refused.reason == pb.Refused.CORRUPT
    assert nothing_stored(network)


def test_a_second_payload_for_one_identity_is_refused_and_the_first_stays(network):
    say(network, opening(record(b"abc"), b"abc"))
    [refused] = say(network, opening(record(b"xyz"), b"xyz"))
    assert refused.refused.reason == pb.Refused.DUPLICATE
    assert network.transport(HOST_).receive(envelope()) == b"abc"


def test_what_is_no_frame_ends_the_stream(network):
    [details] = say(network, pb.Frame(answer=pb.Answer(id=1)))
    assert "a frame of kind answer" in details
    [details] = say(network, opening(_short_mac()))
    assert "without digest or proof" in details
    assert nothing_stored(network)


def _short_mac():
    found = record(b"abc")
    return Record(found.envelope, found.size, found.sha256, b"short")


def test_a_refusal_there_fails_whoever_waits_here(network):
    network.control(HOST_).end_job(JOB)
    network.gateway(HOST_).mailbox.ended.clear()  # a site that never heard of the job
    guest = network.transport(GUEST_)
    guest.send(envelope(), b"abc")
    with pytest.raises(PeerFailed, match=r"refused lr\.x: .*no such job"):
        guest.receive(envelope(0, HOST_, GUEST_))


def test_a_worker_without_the_token_or_for_another_party_does_not_get_in(network):
    with pytest.raises(GatewayRefused, match="does not prove the secret"):
        network.transport(GUEST_, token="a wrong token of a job").send(envelope(), b"")
    with pytest.raises(GatewayRefused, match="host 10000 is not a party of this site"):
        network.transport(GUEST_).send(envelope(0, HOST_, GUEST_), b"")
    with pytest.raises(GatewayRefused, match="host 10000 is not a party of this site"):
        network.transport(GUEST_).receive(envelope())
    with pytest.raises(GatewayRefused, match="no such job"):
        network.transport(GUEST_).send(envelope(job="unknown"), b"")


def test_a_worker_may_not_control_the_gateway(network):
    from federation.transport.client import Client

    path = network.home(GUEST_) / "run/gateway.sock"
    worker = Client(path, TOKEN, job_id=JOB, patience_s=1.0)
    with pytest.raises(GatewayRefused, match="only this site's fateflow"):
        worker.ask(wire.End(JOB))
    worker.close()
    network.transport(GUEST_).send(envelope(), b"the job is still there")


def test_a_job_keeps_its_token_and_its_id_is_a_file_name(network):
    with pytest.raises(GatewayRefused, match="another token"):
        network.register(GUEST_, token="x" * 32)
    with pytest.raises(GatewayRefused, match="its id must be"):
        network.control(GUEST_).register_job("../x", TOKEN, [])


def test_a_stopped_job_takes_no_more_messages(network):
    network.control(GUEST_).cancel_job(JOB, "the user asked")
    with pytest.raises(Cancelled, match="the user asked"):
        network.transport(GUEST_).send(envelope(), b"x")


def test_noise_on_the_socket_closes_that_connection_only(network):
    path = str(network.home(GUEST_) / "run/gateway.sock")
    with socket.socket(socket.AF_UNIX) as noise:
        noise.connect(path)
        noise.settimeout(10)
        assert noise.recv(1 << 16)
        noise.sendall(b"\xff" * 100)
        assert noise.recv(1 << 16) == b""
    network.transport(GUEST_).send(envelope(), b"x")
    assert (network.home(GUEST_) / "run/gateway.secret").stat().st_mode & 0o777 == 0o600
