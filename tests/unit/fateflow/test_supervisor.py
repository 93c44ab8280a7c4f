"""The supervisor's own files."""

from fateflow.node import supervisor
from fateflow.node.processes import prepare
from fateflow.settings import Settings


def test_a_disk_that_takes_no_file_does_not_end_the_site(tmp_path):
    settings = Settings(home=str(tmp_path))
    prepare(settings)
    told = supervisor._tell(settings, b'{"a":1}', b"")
    assert (settings.run / "processes.json").read_bytes() == told == b'{"a":1}'
    (settings.run / ".processes.json").mkdir()  # as good as a full disk: no file can be written
    assert supervisor._tell(settings, b'{"a":2}', told) == told
    assert (settings.run / "processes.json").read_bytes() == told
    (settings.run / ".processes.json").rmdir()
    assert supervisor._tell(settings, b'{"a":2}', told) == b'{"a":2}'
