"""Options, variables and FATE-Board's application.properties."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from fateboard import settings
from fateboard.accounts import Accounts
from fateboard.settings import SettingsError

PROPERTIES = """\
# FATE-Board
server.port=8081
fateflow.url: http://flow:9380
fateflow.http_app_key = key
fateflow.http_secret_key=se=cret
server.board.login.username=ann
server.board.login.password=s3cret!
server.servlet.session.timeout=30m
feign.client.config.default.readTimeout=20000
spring.something.else=1
"""


def read(home, text=None, environment=None, **given):
    if text is not None:
        (home / "conf").mkdir(exist_ok=True)
        (home / "conf" / "application.properties").write_text(text)
    return settings.read({"home": home, **given}, environment=environment or {})


def test_properties_of_fate_board_are_read(tmp_path):
    found = read(tmp_path, PROPERTIES)
    assert found.port == 8081
    assert found.flows == ["http://flow:9380"]
    assert found.secret_key == "se=cret"
    assert found.session_s == 1800
    assert found.read_timeout_ms == 20_000
    assert "s3cret" not in repr(found)


def test_options_come_before_variables_before_properties(tmp_path):
    variables = {"FATEBOARD_PORT": "8082", "FATEBOARD_HOST": "127.0.0.2"}
    found = read(tmp_path, PROPERTIES, variables, port=8083)
    assert (found.port, found.host) == (8083, "127.0.0.2")
    assert read(tmp_path, PROPERTIES, variables).port == 8082


def test_without_anything(tmp_path):
    found = read(tmp_path)
    assert (found.host, found.port, found.flows) == ("127.0.0.1", 8080, ["http://127.0.0.1:9380"])
    assert found.loopback
    assert found.session_s == 4 * 3600


def test_url_list_comes_before_url(tmp_path):
    text = PROPERTIES + "fateflow.url-list=http://a:1;b:2; \n"
    assert read(tmp_path, text).flows == ["http://a:1", "http://b:2"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("server.servlet.session.timeout=forever", "4h"),
        ("server.servlet.session.timeout=0", "4h"),
        ("server.port=http", "port"),
        ("server.port=70000", "65535"),
        ("fateflow.url=ftp://x", "127.0.0.1:9380"),
        ("fateflow.url=http://user:pw@x:1", "127.0.0.1:9380"),
        ("fateboard.frame_ancestors='self'; script-src *", "origins"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, line, told):
    with pytest.raises(SettingsError, match=told):
        read(tmp_path, line)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback(tmp_path, host, loopback):
    assert read(tmp_path, host=host).loopback is loopback


def test_java_properties():
    text = "a=1\n b : 2 \n!no\n#no\nlong=one,\\\n   two\nspaces 3\nempty=\n"
    found = settings.parsed(text)
    assert found == {"a": "1", "b": "2", "long": "one,two", "spaces": "3", "empty": ""}


def test_an_encrypted_password_is_decrypted(tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    private = base64.b64encode(
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    ).decode()
    hidden = base64.b64encode(key.public_key().encrypt(b"s3cret-word", padding.PKCS1v15())).decode()
    given = {"username": "ann", "password": hidden, "private_key": private, "encrypted": True}
    found = Accounts(read(tmp_path, **given))
    assert found.signed_in("ann", "s3cret-word").access == "admin"
    assert found.signed_in("ann", hidden) is None
    with pytest.raises(SettingsError, match="encrypt"):
        Accounts(read(tmp_path, **{**given, "private_key": "bm8="}))
