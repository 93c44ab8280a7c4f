"""What all tests share: golden files (what a run must produce, kept under tests/golden and reviewed
like code), and how Python behaves while they run."""

import gc
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Containers often ask Python to keep no bytecode; tests start hundreds of processes, and each would
# compile our modules again: 0.7 s of a site's start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No test may fail for being slow on a busy machine, nor for how long its examples took to make.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

FOLDER = Path(__file__).parent / "golden"


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden from this run"
    )


def pytest_collection_finish():
    """Modules and tests live to the end: the collector need not look at them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def golden(request):
    """``golden(name, value)``: the value's JSON equals tests/golden/<name>.json."""

    def check(name, value):
        file = FOLDER / f"{name}.json"
        text = json.dumps(value, indent=1, sort_keys=True) + "\n"
        if request.config.getoption("--update-golden"):
            file.write_text(text)
        assert file.exists(), f"{file.name} is not there: run --update-golden and review it"
        assert text == file.read_text(), (
            f"{file.name} changed; if you meant it, run --update-golden and review the diff"
        )

    return check
