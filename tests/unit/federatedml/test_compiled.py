"""Machine code is as new as every file it is made of."""

import importlib
import os
import sys

import pytest

from federatedml.compiled import compiled

HEAD = "from federatedml.compiled import compiled\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where modules can be written and imported from."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("a_helper", "a_caller"):
        sys.modules.pop(name, None)


def loaded(name):
    sys.modules.pop("a_helper", None)
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return importlib.import_module(name)


def written(path, text, second):
    path.write_text(HEAD + text)
    os.utime(path, (second, second))  # a coarse clock may not tell two writes apart


def test_a_change_in_a_called_function_of_another_file_compiles_its_callers_anew(folder):
    helper = folder / "a_helper.py"
    written(helper, "@compiled()\ndef add(x):\n    return x + 1\n", 1)
    caller = (
        "from a_helper import add\n@compiled('int64(int64)')\ndef call(x):\n    return add(x)\n"
    )
    written(folder / "a_caller.py", caller, 1)
    first = loaded("a_caller").call
    assert first(1) == 2
    again = loaded("a_caller").call
    assert (again(1), sum(again.stats.cache_hits.values())) == (2, 1)
    written(helper, "@compiled()\ndef add(x):\n    return x + 5\n", 2)
    assert loaded("a_caller").call(1) == 6


def test_only_what_has_no_signature_is_compiled_for_other_types():
    @compiled("int64(int64)")
    def twice(x):
        return 2 * x

    @compiled()
    def half(x):
        return x / 2

    with pytest.raises(TypeError, match="No matching definition"):
        twice("text")
    assert half(3) == half(3.0) == 1.5
