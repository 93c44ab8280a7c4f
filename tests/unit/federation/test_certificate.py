"""The small certificate authority: party ids in certificates, keys that stay where made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import certificate
from federation.certificate import CertificateFault


@pytest.fixture
def ca(tmp_path):
    certificate.init_ca(tmp_path / "ca")
    return tmp_path / "ca"


@pytest.mark.parametrize(
    "party", ["9999", "bank-a", "Bank A", "x-1", "ünïcode", "a%2F/b", "1" * 64]
)
def test_the_party_id_comes_back_out_of_its_certificate(ca, tmp_path, party):
    certificate.issue(ca, party, tmp_path / "p")
    found = certificate.identity(tmp_path / "p")
    assert found.party == party
    assert "PRIVATE" not in repr(found)
    assert (tmp_path / "p/party.key").stat().st_mode & 0o777 == 0o600
    assert certificate.show(tmp_path / "p/party.pem").party == party


def test_a_new_key_in_an_old_file_is_the_owners_only(ca, tmp_path):
    for _ in range(2):
        certificate.issue(ca, "9999", tmp_path / "p")
        assert (tmp_path / "p/party.key").stat().st_mode & 0o777 == 0o600
        (tmp_path / "p/party.key").chmod(0o644)


@given(st.text(min_size=1, max_size=64), st.text(min_size=1, max_size=64))
def test_different_parties_have_different_host_names(one, other):
    assert (certificate.host_name(one) == certificate.host_name(other)) == (one == other)


def test_a_request_is_signed_without_its_key(ca, tmp_path):
    csr = certificate.request("10000", tmp_path / "party")
    pem = certificate.sign(ca, csr.read_bytes())
    assert certificate.party_of(pem) == "10000"
    (tmp_path / "party/party.pem").write_bytes(pem)
    (tmp_path / "party/ca.pem").write_bytes((ca / "ca.pem").read_bytes())
    assert certificate.identity(tmp_path / "party").party == "10000"
    with pytest.raises(CertificateFault, match="would be lost"):
        certificate.request("10000", tmp_path / "party")


def test_faults_are_said_in_one_line_with_the_way_out(ca, tmp_path):
    with pytest.raises(CertificateFault, match="is there already"):
        certificate.init_ca(ca)
    with pytest.raises(CertificateFault, match="no certificate authority here"):
        certificate.issue(tmp_path, "1", tmp_path / "p")
    certificate.issue(ca, "1", tmp_path / "p")
    with pytest.raises(CertificateFault, match="of party 1, not of 2"):
        certificate.issue(ca, "2", tmp_path / "p")
    (tmp_path / "p/party.key").unlink()
    with pytest.raises(CertificateFault, match=r"lacks party\.key"):
        certificate.identity(tmp_path / "p")
    with pytest.raises(CertificateFault, match="printable"):
        certificate.issue(ca, "a\nb", tmp_path / "q")
    with pytest.raises(CertificateFault, match="not a certificate request"):
        certificate.sign(ca, b"nothing")


def test_an_expired_certificate_is_not_used(ca, tmp_path):
    certificate.issue(ca, "1", tmp_path / "p", days=0)
    with pytest.raises(CertificateFault, match="not now"):
        certificate.identity(tmp_path / "p")


def test_what_is_no_certificate_names_no_party():
    assert certificate.party_of(b"") == ""
    assert certificate.party_of(b"-----BEGIN CERTIFICATE-----\n") == ""


def test_a_site_without_certificates_has_no_identity(tmp_path):
    assert certificate.identity(tmp_path) is None
