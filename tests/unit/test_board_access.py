"""Who may do what on the board: accounts, sessions, share links, other sites' requests."""

import time

import pytest
from click.testing import CliRunner

from fateboard import accounts, share_links
from fateboard.cli import board as commands
from fateboard.errors import Refused
from fateboard.sessions import Sessions, Throttle
from fateboard.settings import SettingsError
from fateboard.shapes import JobKey
from fateboard.testing.scripted_jobs import BIG, HOSTILE
from tests.board_asked import HOSTILE_ONE, ONE, code
from tests.board_site import build, client, signed_in


def test_without_accounts_this_machine_may_do_everything(tmp_path, fake_flow):
    browser = client(tmp_path, fake_flow)
    told = browser.get("/api/v1/session").get_json()
    assert told["local"] is True
    assert told["access"] == "admin"
    assert browser.get(ONE).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080"])
def test_without_accounts_other_names_of_this_machine_are_refused(tmp_path, fake_flow, host):
    answer = client(tmp_path, fake_flow).get(ONE, headers={"Host": host})
    assert code(answer) == (403, "wrong_host")


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:80"])
def test_loopback_names_are_answered(tmp_path, fake_flow, host):
    assert client(tmp_path, fake_flow).get(ONE, headers={"Host": host}).status_code == 200


def test_beyond_loopback_nothing_is_served_without_an_account(tmp_path, fake_flow):
    browser = client(tmp_path, fake_flow, host="0.0.0.0")
    assert code(browser.get(ONE)) == (503, "no_account")


MATRIX = [
    ("get", ONE, "viewer"),
    ("get", "/api/v1/jobs", "viewer"),
    ("get", f"{ONE}/dsl", "viewer"),
    ("get", f"{ONE}/logs/partyInfo", "viewer"),
    ("get", "/api/v1/server", "viewer"),
    ("get", "/api/v1/events?topics=jobs", "viewer"),
    ("put", f"{ONE}/notes", "operator"),
    ("post", f"{ONE}/cancel", "operator"),
    ("post", f"{ONE}/rerun", "operator"),
    ("post", "/api/v1/share", "operator"),
]
BODY = {"notes": "x", "job_id": BIG, "role": "guest", "party_id": "9999", "days": 1}


@pytest.mark.parametrize(("method", "path", "access"), MATRIX)
def test_access(tmp_path, fake_flow, method, path, access):
    made = build(tmp_path, fake_flow)
    viewer = signed_in(made, "vera", "viewer")
    operator = signed_in(made, "otto", "operator")

    def asked(browser):
        body = {} if method == "get" else {"json": BODY}
        return getattr(browser, method)(path, **body)

    assert code(asked(made.test_client())) == (401, "sign_in")
    assert asked(operator).status_code == 200
    expected = (200, None) if access == "viewer" else (403, "not_allowed")
    assert code(asked(viewer)) == expected


def test_pages_messages_and_health_are_open(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    accounts.add(tmp_path / "board", "ann", "admin", "ann-password")
    browser = made.test_client()
    assert browser.get("/api/v1/messages/en").status_code == 200
    assert browser.get("/healthz").get_json()["flow_up"] is True
    assert code(browser.get("/api/v1/session")) == (401, "sign_in")


def test_no_hint_which_users_exist(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    accounts.add(tmp_path / "board", "ann", "admin", "ann-password")
    browser = made.test_client()
    told = [
        browser.post("/api/v1/session", json={"username": name, "password": "wrong-one"})
        for name in ("ann", "bob")
    ]
    assert {answer.status_code for answer in told} == {401}
    assert told[0].data == told[1].data


def test_the_sixth_failure_waits(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    accounts.add(tmp_path / "board", "ann", "admin", "ann-password")
    browser = made.test_client()
    for _ in range(5):
        wrong = {"username": "ann", "password": "wrong-one"}
        assert browser.post("/api/v1/session", json=wrong).status_code == 401
    right = {"username": "ann", "password": "ann-password"}
    answer = browser.post("/api/v1/session", json=right)
    assert code(answer) == (429, "sign_in_slowed")
    assert answer.get_json()["error"]["retry_after_s"] > 0
    assert int(answer.headers["Retry-After"]) >= 1


def test_throttle_counts_users_and_addresses_apart():
    throttle = Throttle()
    for at in range(5):
        throttle.attempt(f"user{at}", "10.0.0.1")
    with pytest.raises(Refused):
        throttle.attempt("another", "10.0.0.1")
    for at in range(5):
        throttle.attempt("ann", f"10.0.1.{at}")
    with pytest.raises(Refused):
        throttle.attempt("ann", "10.0.2.1")
    throttle.attempt("zoe", "10.0.3.1")


def test_throttle_forgets_after_success():
    throttle = Throttle()
    for _ in range(20):
        throttle.attempt("ann", "10.0.0.1")
        throttle.succeeded("ann", "10.0.0.1")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:9999"},
    ],
)
def test_requests_of_other_sites_change_nothing(tmp_path, fake_flow, headers):
    browser = client(tmp_path, fake_flow)
    before = fake_flow.counts["job/stop"]
    answer = browser.post(f"{ONE}/cancel", json={}, headers=headers)
    assert code(answer) == (403, "wrong_origin")
    assert fake_flow.counts["job/stop"] == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_forms_of_other_sites_change_nothing(tmp_path, fake_flow, kind):
    browser = client(tmp_path, fake_flow)
    answer = browser.post(f"{ONE}/cancel", data="{}", content_type=kind)
    assert code(answer) == (415, "not_json")


def test_our_own_page_may_change_things(tmp_path, fake_flow):
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert (
        client(tmp_path, fake_flow).post(f"{ONE}/cancel", json={}, headers=headers).status_code
        == 200
    )


def test_the_cookie_is_for_this_site_and_no_script(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    accounts.add(tmp_path / "board", "ann", "admin", "ann-password")
    right = {"username": "ann", "password": "ann-password"}
    plain = made.test_client().post("/api/v1/session", json=right)
    cookie = plain.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    safe = made.test_client().post("/api/v1/session", json=right, base_url="https://localhost")
    assert "Secure" in safe.headers["Set-Cookie"]


def test_sign_out_ends_the_session_everywhere(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    ann = signed_in(made, "ann")
    token = ann.get_cookie("distaff_board_8080").value
    assert ann.delete("/api/v1/session", json={}).status_code == 204
    thief = made.test_client()
    thief.set_cookie("distaff_board_8080", token)
    assert code(thief.get(ONE)) == (401, "sign_in")


def test_a_removed_user_and_a_changed_password_end_sessions(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    ann, bob = signed_in(made, "ann"), signed_in(made, "bob")
    accounts.add(tmp_path / "board", "ann", "viewer", "another-password")
    assert code(ann.get(ONE)) == (401, "sign_in")
    assert bob.get(ONE).status_code == 200
    accounts.remove(tmp_path / "board", "bob")
    assert code(bob.get(ONE)) == (401, "sign_in")


def test_sessions_survive_a_restart_and_end_when_idle(tmp_path, fake_flow):
    ann = signed_in(build(tmp_path, fake_flow), "ann")
    token = ann.get_cookie("distaff_board_8080").value
    again = client(tmp_path, fake_flow)
    again.set_cookie("distaff_board_8080", token)
    assert again.get(ONE).status_code == 200
    assert token not in (tmp_path / "board" / "sessions.json").read_text()
    assert (tmp_path / "board" / "sessions.json").stat().st_mode & 0o077 == 0


def test_idle_sessions_end(tmp_path):
    sessions = Sessions(tmp_path, 0.05)
    token = sessions.begin("ann", "mark")
    assert sessions.find(token).user == "ann"
    time.sleep(0.06)
    assert sessions.find(token) is None


def test_nobody_is_let_in_by_a_broken_users_file(tmp_path, fake_flow):
    browser = client(tmp_path, fake_flow)
    (tmp_path / "board" / "users.json").write_text("{broken")
    assert code(browser.get(ONE)) == (503, "accounts_broken")


def test_a_share_link_shows_one_job_and_changes_nothing(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    operator = signed_in(made, "otto", "operator")
    body = {"job_id": BIG, "role": "guest", "party_id": "9999", "days": 7}
    url = operator.post("/api/v1/share", json=body).get_json()["url"]
    guest = made.test_client()
    opened = guest.get(url.removeprefix("http://localhost"))
    assert opened.status_code == 303
    assert f"job_id={BIG}" in opened.headers["Location"]
    assert guest.get("/api/v1/session").get_json()["job"] == f"{BIG}/guest/9999"
    assert guest.get(ONE).status_code == 200
    assert guest.get("/api/v1/jobs").get_json()["total"] == 1
    missing = guest.get("/api/v1/jobs/2020/guest/9999")
    other = guest.get(HOSTILE_ONE)
    assert code(other) == (404, "no_job")
    assert other.data == missing.data
    refused = [
        guest.get("/api/v1/compare?jobs=a:b:c,d:e:f"),
        guest.get("/api/v1/events?topics=jobs"),
        guest.get(f"/api/v1/events?topics=job:{HOSTILE}/guest/9999"),
        guest.get(f"{HOSTILE_ONE}/logs/partyInfo"),
        guest.get(f"{HOSTILE_ONE}/components/reader_0/view"),
        guest.get(f"{ONE}/logs.tar.gz"),
    ]
    assert {code(answer) for answer in refused} == {(404, "no_job")}
    assert code(guest.post(f"{ONE}/cancel", json={})) == (403, "not_allowed")
    assert code(guest.post("/api/v1/share", json=body)) == (403, "not_allowed")


def test_a_shared_job_hides_its_other_parties(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    operator = signed_in(made, "otto", "operator")
    live = "202601010000000000001"
    body = {"job_id": live, "role": "guest", "party_id": "9999", "days": 7}
    url = operator.post("/api/v1/share", json=body).get_json()["url"]
    guest = made.test_client()
    guest.get(url.removeprefix("http://localhost"))
    path = f"/api/v1/jobs/{live}"
    assert len(operator.get(f"{path}/guest/9999").get_json()["siblings"]) == 2
    assert guest.get(f"{path}/guest/9999").get_json()["siblings"] == []
    assert code(guest.get(f"{path}/host/10000")) == (404, "no_job")


def test_whoever_is_signed_in_keeps_the_session_when_opening_a_link(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    operator = signed_in(made, "otto", "operator")
    body = {"job_id": BIG, "role": "guest", "party_id": "9999", "days": 7}
    url = operator.post("/api/v1/share", json=body).get_json()["url"]
    operator.get(url.removeprefix("http://localhost"))
    assert operator.get("/api/v1/session").get_json()["user"] == "otto"


def test_share_links_expire_and_cannot_be_forged(tmp_path, monkeypatch):
    key = JobKey(job_id="1", role="guest", party_id="9999")
    token, until = share_links.made(tmp_path, key, 1)
    assert share_links.opened(tmp_path, token).job == key
    with pytest.raises(Refused):
        share_links.opened(tmp_path, token[:-2] + ("aa" if token[-2:] != "aa" else "bb"))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(Refused):
        share_links.opened(other, token)
    monkeypatch.setattr(time, "time", lambda: until + 1)
    with pytest.raises(Refused):
        share_links.opened(tmp_path, token)


@pytest.mark.parametrize("days", [0, -1, 91])
def test_share_links_last_between_a_day_and_ninety(tmp_path, days):
    with pytest.raises(Refused):
        share_links.made(tmp_path, JobKey(job_id="1", role="g", party_id="9"), days)


def test_actions_are_logged_without_secrets(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    operator = signed_in(made, "otto", "operator")
    made.test_client().post(
        "/api/v1/session", json={"username": "my-secret-typed-here", "password": "hunter2222"}
    )
    operator.post(f"{ONE}/cancel", json={})
    operator.get(f"{ONE}/dsl")
    operator.get("/api/v1/jobs")
    told = (tmp_path / "board" / "audit.log").read_text()
    acts = ["signed in", "sign in failed", "canceled", "downloaded"]
    assert [act for act in acts if f'"act":"{act}"' in told] == acts
    assert len(told.splitlines()) == 4
    assert "my-secret" not in told
    assert "hunter" not in told


def test_accounts_say_what_is_allowed(tmp_path):
    with pytest.raises(accounts.AccountError, match="8 to"):
        accounts.add(tmp_path, "ann", "admin", "short")
    with pytest.raises(accounts.AccountError, match="user name"):
        accounts.add(tmp_path, "../ann", "admin", "long-enough")
    with pytest.raises(accounts.AccountError, match="no user 'bob'"):
        accounts.remove(tmp_path, "bob")
    accounts.add(tmp_path, "ann", "admin", "long-enough")
    text = accounts.path_in(tmp_path).read_text()
    assert "long-enough" not in text
    assert accounts.path_in(tmp_path).stat().st_mode & 0o077 == 0


def test_users_by_the_command_line(tmp_path):
    runner = CliRunner()

    def run(*words, given=None):
        return runner.invoke(commands, ["user", *words, "--home", str(tmp_path)], input=given)

    assert "no users" in run("list").output
    added = run("add", "ann", "--access", "operator", "--password-stdin", given="ann-password\n")
    assert added.exit_code == 0
    assert run("list").output == "ann  operator\n"
    typed = run("add", "bob", given="bob-password\nbob-password\n")
    assert typed.exit_code == 0
    assert "bob-password" not in typed.output
    short = run("add", "eve", "--password-stdin", given="short\n")
    assert short.exit_code == 1
    assert "8 to 1024" in short.output
    assert run("remove", "ann").exit_code == 0
    assert run("remove", "ann").exit_code == 1
    assert run("list").output == "bob  viewer\n"


def test_a_new_sign_in_ends_the_session_before(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow)
    ann = signed_in(made, "ann")
    before = ann.get_cookie("distaff_board_8080").value
    ann.post("/api/v1/session", json={"username": "ann", "password": "ann-password"})
    thief = made.test_client()
    thief.set_cookie("distaff_board_8080", before)
    assert code(thief.get(ONE)) == (401, "sign_in")
    assert ann.get(ONE).status_code == 200


def test_the_board_does_not_listen_beyond_loopback_without_an_account(tmp_path, fake_flow):
    from fateboard.__main__ import check_reach

    def reached(**given):
        made = build(tmp_path, fake_flow, host="0.0.0.0", **given).extensions["board"]
        check_reach(made.settings, made.accounts)

    with pytest.raises(SettingsError, match="distaff board user add NAME --access admin"):
        reached()
    with pytest.raises(SettingsError):
        reached(username="admin", password="admin")
    reached(username="admin", password="changed-it")
    accounts.add(tmp_path / "board", "ann", "admin", "ann-password")
    reached()


def test_the_default_password_of_fate_is_pointed_at(tmp_path, fake_flow):
    made = build(tmp_path, fake_flow, username="admin", password="admin")
    browser = made.test_client()
    right = {"username": "admin", "password": "admin"}
    told = browser.post("/api/v1/session", json=right).get_json()
    assert told["access"] == "admin"
    assert told["notices"][0]["text"]["code"] == "session.default_password"
