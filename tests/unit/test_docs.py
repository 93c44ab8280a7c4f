"""Pages that are written from the code are what the code says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_messages_is_what_the_components_declare():
    done = subprocess.run(
        [sys.executable, "docs/protocols.py", "--check"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_page_that_the_docs_link_to_is_there():
    missing = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for part in page.read_text("utf8").split("](")[1:]:
            target = part.partition(")")[0].partition("#")[0]
            if target and "://" not in target and not (page.parent / target).exists():
                missing.append(f"{page.relative_to(ROOT)}: {target}")
    assert not missing, "\n".join(missing)
