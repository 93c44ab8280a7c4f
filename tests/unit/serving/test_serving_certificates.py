"""Renewed certificates: taken for new connections, and only if they can be used."""

import asyncio
import logging

import grpc
import pytest
from cryptography import x509

from federation import certificate
from federation.certificate import CertificateFault
from serving.certificates import Certificates
from serving.measures import Measures
from serving.party_auth import Config, Signer
from serving.peers import Peers
from serving.routes import Endpoint, Routes
from serving.settings import Settings


@pytest.fixture
def site(tmp_path):
    """A folder with the certificate of party 9999, made by the authority in ``ca``."""
    certificate.init_ca(tmp_path / "ca")
    certificate.issue(tmp_path / "ca", "9999", tmp_path / "site")
    return tmp_path / "site"


def renew(site, party="9999", **more):
    """As an operator does: new files in place of the old."""
    fresh = site.parent / "fresh"
    certificate.issue(site.parent / "ca", party, fresh, **more)
    for path in fresh.iterdir():
        path.replace(site / path.name)
    fresh.rmdir()


def test_a_renewed_certificate_is_taken_and_an_unchanged_one_not_read(site):
    kept = Certificates(site)
    before = kept.identity
    kept.refresh()
    assert kept.identity is before
    renew(site, days=10)
    kept.refresh()
    assert kept.identity.certificate == (site / "party.pem").read_bytes() != before.certificate
    assert kept.ends < certificate_end(before)


def certificate_end(identity):
    found = x509.load_pem_x509_certificate(identity.certificate)
    return found.not_valid_after_utc.timestamp()


def half(site):
    key = (site / "party.key").read_bytes()
    renew(site)
    (site / "party.key").write_bytes(key)


def gone(site):
    for path in site.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (half, "do not belong together"),
        (gone, "holds none any more"),
        (lambda site: renew(site, "9998"), "of party 9998"),
        (lambda site: renew(site, days=0), "not now"),
        (lambda site: (site / "party.pem").write_text("x"), "no certificate"),
        (lambda site: (site / "party.key").write_text("x"), "stays"),
    ],
)
def test_what_cannot_be_used_is_not_taken_and_told(site, harm, told, caplog):
    kept = Certificates(site)
    before = kept.identity
    harm(site)
    with caplog.at_level(logging.ERROR):
        kept.refresh()
    assert kept.identity is before
    assert told in caplog.text
    assert "PRIVATE KEY" not in caplog.text
    caplog.clear()
    kept.refresh()
    assert not caplog.text  # not again until something changes


def test_a_key_of_another_certificate_is_refused_at_the_start(site):
    half(site)
    with pytest.raises(CertificateFault, match="belong together"):
        Certificates(site)
    assert Certificates(site.parent / "nothing").identity is None


def test_a_site_that_began_without_a_certificate_has_to_be_restarted(site, caplog):
    kept = Certificates(site.parent / "later")
    assert kept.credentials() is None
    site.rename(site.parent / "later")
    with caplog.at_level(logging.ERROR):
        kept.refresh()
    assert kept.identity is None
    assert "restart it" in caplog.text


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        async def answer(content, context):
            return context.auth_context()["x509_pem_cert"][0] if content else b""

        return grpc.unary_unary_rpc_method_handler(answer)


def test_open_connections_go_on_and_new_ones_get_the_new_certificate(site):
    """The old authority is given up in the renewal, so that old and new cannot be mixed up."""
    old = certificate.identity(site)

    async def run():
        kept = Certificates(site)
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((Echo(),))
        port = server.add_secure_port("127.0.0.1:0", kept.credentials())
        await server.start()
        with_old = channel(port, old)
        assert await with_old.unary_unary("/a/b")(b"1", timeout=5) == old.certificate
        (site.parent / "ca").rename(site.parent / "old")
        certificate.init_ca(site.parent / "ca")
        renew(site)
        kept.refresh()
        with_new = channel(port, certificate.identity(site))
        assert await with_new.unary_unary("/a/b")(b"1", timeout=5) == kept.identity.certificate
        assert await with_old.unary_unary("/a/b")(b"1", timeout=5) == old.certificate
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel(port, old).unary_unary("/a/b")(b"1", timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await server.stop(0)

    asyncio.run(run())


def channel(port, own):
    credentials = grpc.ssl_channel_credentials(own.ca, own.key, own.certificate)
    name = ("grpc.ssl_target_name_override", certificate.host_name(own.party))
    alone = ("grpc.use_local_subchannel_pool", 1)
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=[name, alone])


def test_the_way_to_a_party_is_made_anew_with_a_renewed_certificate(site):
    class Table:
        routes = Routes({"10000": (Endpoint("127.0.0.1", 1, secure=True),)})

    async def run():
        kept = Certificates(site)
        signer = Signer(Config(), required=False)
        peers = Peers(Settings(home="/no"), Table(), kept, Measures(), signer)
        first = peers.link("10000")
        assert peers.link("10000") is first
        renew(site)
        kept.refresh()
        second = peers.link("10000")
        assert second is not first
        assert second.identity is kept.identity
        await peers.close()

    asyncio.run(run())
