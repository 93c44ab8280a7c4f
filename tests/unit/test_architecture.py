"""The architecture, as a test: who may import whom, how large a file may be, what is forbidden."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BELOW = {
    "eggroll": set(),
    "federation": {"eggroll"},
    "federatedml": {"federation", "eggroll"},
    "fateflow": {"federatedml", "federation", "eggroll"},
    "serving": {"federatedml", "federation"},
    "fateboard": set(),
}
SCIENCE = {"federatedml", "eggroll", "numpy", "pyarrow", "pandas", "scipy", "sklearn"}
WORKER_SIDE = {"main.py", "calls.py", "reporting.py"}
GENERATED = ("_pb2.py", "_pb2_grpc.py")  # and Alembic's migrations/versions
LONG_FILES: dict[str, str] = {}  # path: reason


@cache
def sources():
    return [
        file
        for package in BELOW
        for file in (ROOT / package).rglob("*.py")
        if not file.name.endswith(GENERATED) and "versions" not in file.parts
    ]


@cache
def statements(file):
    """A module's imports and functions, wherever in it they are."""
    wanted = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(file.read_text("utf8"))
    return [node for node in ast.walk(tree) if isinstance(node, wanted)]


def imported(file):
    """Full names a module imports, imports inside functions included."""
    for node in statements(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def relative(file):
    return str(file.relative_to(ROOT))


def test_packages_import_only_downwards():
    wrong = [
        f"{relative(file)} imports {name}"
        for file in sources()
        for name in {n.partition(".")[0] for n in imported(file)} & BELOW.keys()
        if name not in BELOW[file.relative_to(ROOT).parts[0]] | {file.relative_to(ROOT).parts[0]}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_server_process_imports_no_science():
    wrong = [
        f"{relative(file)} imports {name}"
        for file in (ROOT / "fateflow").rglob("*.py")
        if not (file.parent.name == "worker" and file.name in WORKER_SIDE)
        for name in imported(file)
        if name.partition(".")[0] in SCIENCE
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_unpickles():
    wrong = [
        relative(file)
        for file in sources()
        for name in imported(file)
        if name.partition(".")[0] in {"pickle", "dill", "shelve", "marshal"}
    ]
    assert not wrong, "\n".join(wrong)


def test_files_fit_one_sitting():
    long = {relative(f): len(f.read_text("utf8").splitlines()) for f in sources()}
    wrong = [f"{f}: {n} lines" for f, n in long.items() if n > 500 and f not in LONG_FILES]
    assert not wrong, "\n".join(wrong)


def test_functions_fit_one_glance():
    wrong = [
        f"{relative(file)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for file in sources()
        for node in statements(file)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno - node.lineno + 1 > 60
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("word", ["utils", "common", "helpers", "misc", "consts", "manager"])
def test_no_module_is_named_after_nothing(word):
    assert not [relative(f) for f in sources() if word in (f.stem, f.parent.name)]
