"""The board under attack: sessions, accounts, proxies, share links, guesses of passwords."""

import socket

import httpx
import pytest

from fateboard import accounts, sessions, share_links
from fateboard.__main__ import check_reach
from fateboard.api import pages
from fateboard.errors import Refused
from fateboard.sessions import Throttle
from fateboard.settings import SettingsError
from fateboard.shapes import JobKey
from fateboard.testing.scripted_jobs import BIG
from tests.board_asked import ONE, code
from tests.board_site import JSON, build, client, served, signed_in

FAR = {"environ_overrides": {"REMOTE_ADDR": "198.51.100.7"}}


def test_beyond_loopback_without_an_account_the_page_itself_says_what_to_do(tmp_path, fake_flow):
    browser = client(tmp_path, fake_flow, host="0.0.0.0")
    assert browser.get("/").status_code == 200
    assert browser.get("/js/main.js").status_code == 200
    assert "fault.no_account" in browser.get("/api/v1/messages/en").get_json()
    for path in ("/api/v1/session", ONE, "/api/v1/jobs", "/healthz"):
        assert code(browser.get(path)) == (503, "no_account")
    told = browser.get("/api/v1/session").get_json()["error"]
    assert "distaff board user add" in told["hint"]


def test_the_password_that_everybody_knows_opens_nothing_from_afar(tmp_path, fake_flow):
    """Not even where somebody else has an account, so that the board listens."""
    made = build(tmp_path, fake_flow, host="0.0.0.0", username="admin", password="admin")
    accounts.add(tmp_path / "board", "alice", "viewer", "alice-password")
    browser = made.test_client()
    known = {"username": "admin", "password": "admin"}
    assert code(browser.post("/api/v1/session", json=known, **FAR)) == (401, "wrong_password")
    own = {"username": "alice", "password": "alice-password"}
    answer = browser.post("/api/v1/session", json=own, **FAR)
    assert answer.status_code == 200
    assert answer.get_json()["notices"] == []


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_without_accounts_nobody_comes_in_by_a_proxy(tmp_path, fake_flow, header):
    with served(build(tmp_path, fake_flow)) as browser:
        assert browser.get(ONE).status_code == 200
        told = browser.get(ONE, headers={header: "198.51.100.7"})
        assert (told.status_code, told.json()["error"]["code"]) == (403, "through_proxy")


def test_a_board_behind_a_proxy_is_not_this_machines_own(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow, trusted_proxy="127.0.0.1").extensions["board"]
    with pytest.raises(SettingsError, match="behind a proxy; add one with `distaff board user add"):
        check_reach(made.settings, made.accounts)
    assert code(client(tmp_path, fake_flow, trusted_proxy="127.0.0.1").get(ONE)) == (
        503,
        "no_account",
    )


def test_a_trusted_proxy_tells_who_asks_and_others_do_not(tmp_path, fake_flow):
    """Of several addresses only the one counts that the proxy itself has seen."""
    accounts.add(tmp_path / "board", "ann", "viewer", "ann-password")
    told = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https", **JSON}

    def cookie_and_address(**given):
        with served(build(tmp_path, fake_flow, **given)) as browser:
            body = {"username": "ann", "password": "ann-password"}
            answer = browser.post("/api/v1/session", json=body, headers=told)
            assert answer.status_code == 200
        line = (tmp_path / "board" / "audit.log").read_text().splitlines()[-1]
        return answer.headers["set-cookie"], line

    cookie, line = cookie_and_address(trusted_proxy="127.0.0.1")
    assert "Secure" in cookie
    assert '"address":"198.51.100.7"' in line
    cookie, line = cookie_and_address()
    assert "Secure" not in cookie
    assert '"address":"127.0.0.1"' in line


def test_a_share_link_that_is_opened_again_and_again_signs_nobody_out(
    tmp_path, fake_flow, monkeypatch
):
    monkeypatch.setattr(sessions, "MOST", 20)
    made = build(tmp_path, fake_flow)
    ann = signed_in(made, "ann", "admin")
    key = JobKey(job_id=BIG, role="guest", party_id="9999")
    token, _ = share_links.made(tmp_path / "board", key, 1)
    for _ in range(30):
        assert made.test_client().get(f"/share/{token}").status_code == 303
    assert ann.get(ONE).status_code == 200


def test_who_removes_the_secret_ends_links_and_what_was_opened_by_them(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    ann = signed_in(made, "ann", "admin")
    key = JobKey(job_id=BIG, role="guest", party_id="9999")
    token, _ = share_links.made(tmp_path / "board", key, 1)
    guest = made.test_client()
    assert guest.get(f"/share/{token}").status_code == 303
    assert guest.get(ONE).status_code == 200
    (tmp_path / "board" / "secret").unlink()
    assert code(guest.get(ONE)) == (401, "sign_in")
    assert code(guest.get(f"/share/{token}")) == (404, "no_link")
    assert ann.get(ONE).status_code == 200


def test_one_subscriber_of_ipv6_has_one_throttle():
    throttle = Throttle()
    for at in range(5):
        throttle.attempt(f"user{at}", f"2001:db8:1:2::{at}")
    with pytest.raises(Refused):
        throttle.attempt("zoe", "2001:db8:1:2:ffff::1%eth0")
    throttle.attempt("zoe", "2001:db8:1:3::1")


def test_a_flood_of_names_does_not_hide_a_guessed_one(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_COUNTED", 100)
    throttle = Throttle()
    for at in range(5):
        throttle.attempt("ann", f"198.51.100.{at}")
    for at in range(300):
        throttle.attempt(f"user{at}", f"2001:db8:0:{at:x}::1")
    with pytest.raises(Refused):
        throttle.attempt("ann", "203.0.113.1")


@pytest.mark.parametrize(
    "content",
    [
        b'{"username":"ann","password":"\\ud800xxxxxxx"}',
        b'{"username":"\xff","password":"x"}',
        b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b"[" * 50_000,
    ],
)
def test_bodies_that_are_none_are_refused_in_words(tmp_path, fake_flow, content):
    made = build(tmp_path, fake_flow)
    accounts.add(tmp_path / "board", "ann", "viewer", "ann-password")
    answer = made.test_client().post("/api/v1/session", data=content, headers=JSON)
    assert code(answer) == (400, "bad_request")


def test_many_spellings_of_a_file_are_kept_once(tmp_path, fake_flow):
    """Else who has no account could fill the memory."""
    browser = client(tmp_path, fake_flow)
    before = set(pages._FILES)
    for at in range(1, 20):
        assert browser.get("/" + "./" * at + "icon.svg").status_code == 200
        assert browser.get(f"/x{at}/../icon.svg").status_code == 200
    assert len(set(pages._FILES) - before) <= 1


@pytest.mark.parametrize("name", ["a%00b.js", "a" * 5_000 + ".js", "%ff.js"])
def test_names_that_no_file_can_have(tmp_path, fake_flow, name):
    assert code(client(tmp_path, fake_flow).get(f"/{name}")) == (404, "no_page")


def test_a_number_without_end_resumes_nothing(tmp_path, fake_flow):
    browser = client(tmp_path, fake_flow)
    headers = {"Last-Event-ID": "9" * 5_000}
    with browser.get("/api/v1/stream?topics=jobs", headers=headers, buffered=False) as answer:
        assert answer.status_code == 200


def test_every_route_asks_for_a_sign_in_but_those_known_to_be_open(tmp_path, fake_flow):
    """A new route is closed unless it says otherwise."""
    made = build(tmp_path, fake_flow)
    accounts.add(tmp_path / "board", "ann", "viewer", "ann-password")
    opened = {
        "pages.page", "server.catalogue", "server.health", "session.who", "session.sign_in",
        "session.sign_out", "session.shared", "facade.key", "facade.login", "facade.logout",
    }  # fmt: skip
    marked = {
        name
        for name, view in made.view_functions.items()
        if getattr(view, "access", "viewer") in ("open", "file")
    }
    assert marked == opened
    changing = [
        rule.endpoint
        for rule in made.url_map.iter_rules()
        if rule.methods & {"POST", "PUT", "DELETE", "PATCH"} and rule.endpoint not in opened
    ]
    reading = {"facade"}
    for name in changing:
        access = getattr(made.view_functions[name], "access", "viewer")
        assert access == "operator" or name.partition(".")[0] in reading, name


def test_a_request_that_says_its_length_twice_is_refused(tmp_path, fake_flow):
    with served(build(tmp_path, fake_flow)) as browser:
        url = httpx.URL(browser.base_url)
        for lines in (
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Content-Length: +5\r\n",
        ):
            answer = _raw(url, f"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
            first = answer.split(b"\r\n")[0]
            assert first.split()[1] in (b"400", b"411", b"415", b"501"), (lines, answer)
            assert answer.count(b"HTTP/1.1") == 1


def _raw(url: httpx.URL, text: str) -> bytes:
    with socket.create_connection((url.host, url.port), timeout=5) as link:
        link.sendall(text.encode() + b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        link.shutdown(socket.SHUT_WR)
        found = b""
        while piece := link.recv(65_536):
            found += piece
    return found
