"""What `distaff up` refuses before it starts anything, and the modes of what it makes."""

import contextlib
import fcntl
import os
import socket
import stat

import pytest
from click.testing import CliRunner

from fateflow.node import cli
from fateflow.node.processes import health, prepare, processes
from fateflow.settings import Settings


def refused(*arguments):
    """The last line of an `up` that fails, which must be all that is told."""
    done = CliRunner().invoke(cli.main, ["up", *map(str, arguments)])
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit)
    return done.output.strip().splitlines()[-1]


def test_a_home_too_long_for_sockets_is_refused_before_anything_is_made(tmp_path):
    home = tmp_path / ("x" * 110)
    assert "bytes too long" in refused("--home", home)
    assert not home.exists()


@pytest.mark.parametrize("content", ["{bad", '{"port": "x"}', "[1]"])
def test_a_settings_file_that_is_none_is_named(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    assert "settings.json" in refused("--home", tmp_path)


def test_a_port_out_of_range_is_refused(tmp_path):
    assert "65535" in refused("--home", tmp_path, "--port", 99999)


@pytest.fixture
def taken():
    """A port that something listens on, and three that are free."""
    with contextlib.ExitStack() as open_ports:
        probes = [open_ports.enter_context(socket.socket()) for _ in range(4)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in probes]
        for probe in probes[1:]:
            probe.close()
        probes[0].listen()
        yield ports


def test_a_port_of_the_board_that_is_taken_is_refused_with_ways_out(tmp_path, taken):
    used, port, gateway, _ = taken
    ports = ("--port", port, "--gateway-port", gateway, "--board-port", used)
    told = refused("--home", tmp_path, *ports)
    assert str(used) in told
    assert "--board-port" in told
    assert "--no-board" in told
    assert not (tmp_path / "settings.json").exists()


def test_a_port_that_is_given_twice_is_refused(tmp_path, taken):
    _, port, gateway, _ = taken
    ports = ("--port", port, "--gateway-port", gateway, "--board-port", port)
    told = refused("--home", tmp_path, *ports)
    assert "--port and --board-port are both" in told


def test_without_a_board_there_is_no_process_of_it(tmp_path):
    with_one = [p.name for p in processes(Settings(home=str(tmp_path)))]
    without = [p.name for p in processes(Settings(home=str(tmp_path), board=False))]
    assert with_one == [*without, "board"]
    assert "board" not in health(Settings(home=str(tmp_path), board=False, port=1))


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "run").write_text("")
    assert "run: " in refused("--home", tmp_path)


def test_one_home_is_started_once(tmp_path):
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another `distaff up`" in refused("--home", tmp_path)
    assert not (tmp_path / "settings.json").exists()


def test_a_home_is_for_its_owner_alone(tmp_path):
    (tmp_path / "fateflow.db").write_bytes(b"")
    (tmp_path / "fateflow.db").chmod(0o644)
    before = os.umask(0o022)
    try:
        prepare(Settings(home=str(tmp_path)))
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert modes.pop("fateflow.db") == 0o600
    assert modes.pop("settings.json") == 0o600
    assert set(modes.values()) == {0o700}
    assert stat.S_IMODE((tmp_path / "run" / "gateway.secret").stat().st_mode) == 0o600


def test_the_boards_own_commands_are_part_of_distaff(tmp_path):
    options = ["--home", str(tmp_path)]
    add = ["board", "user", "add", "ann", "--password-stdin", *options]
    done = CliRunner().invoke(cli.main, add, input="a long password\n")
    assert (done.exit_code, done.output) == (0, "ann may sign in (viewer)\n")
    assert "ann" in CliRunner().invoke(cli.main, ["board", "user", "list", *options]).output
    assert "board" in CliRunner().invoke(cli.main, ["--help"]).output
