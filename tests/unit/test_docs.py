"""Pages that are written from the code are what the code says."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_messages_is_what_the_components_declare():
    script = runpy.run_path(str(ROOT / "docs" / "protocols.py"))
    told = (ROOT / "docs" / "protocols.md").read_text("utf8")
    assert told == script["page"](), "run python docs/protocols.py"


def test_every_page_that_the_docs_link_to_is_there():
    missing = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for part in page.read_text("utf8").split("](")[1:]:
            target = part.partition(")")[0].partition("#")[0]
            if target and "://" not in target and not (page.parent / target).exists():
                missing.append(f"{page.relative_to(ROOT)}: {target}")
    assert not missing, "\n".join(missing)
