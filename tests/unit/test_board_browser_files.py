"""The board's browser files: every message in both languages, no way for markup to come in."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

BOARD = Path(__file__).parents[2] / "fateboard"
STATIC = BOARD / "static"
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
LANGUAGES = {"en", "zh-CN"}
DECLARED = set(json.loads((STATIC / "messages" / "declared.json").read_text("utf-8")))
"""Sentences of other packages, which no script or builder names: see test_board_declared.py."""
PLACE = re.compile(r"\{(\w+)\}")
SAID = re.compile(r'(?<![\w.$])t\(\s*"([^"]+)"')
SAID_BY_VARIABLE = re.compile(r"(?<![\w.$])t\(\s*(?![\s\"])[^)]")
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write\b|srcdoc"
    r"|\beval\(|new Function\b|javascript:|createContextualFragment|DOMParser"
)


def catalogue() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in sorted((STATIC / "messages").glob("*.json")):
        area = json.loads(path.read_text("utf-8"))
        assert not found.keys() & area.keys(), f"{path.name} repeats codes of another area"
        found |= area
    return found


def python_calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(BOARD.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield str(path.relative_to(BOARD)), node


def literal(call: ast.Call, at: int) -> str | None:
    argument = call.args[at] if len(call.args) > at else None
    value = argument.value if isinstance(argument, ast.Constant) else None
    return value if isinstance(value, str) else None


def said_in_scripts() -> dict[str, str]:
    """{code: a script that says it}."""
    return {code: path.name for path in SCRIPTS for code in SAID.findall(path.read_text("utf-8"))}


def said_in_python() -> dict[str, str]:
    found = {}
    for path, call in python_calls():
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in ("msg", "Text") and (code := literal(call, 0)):
            found[code] = path
    return found


def test_every_message_is_written_in_both_languages() -> None:
    known = catalogue()
    missing = {c: w for c, w in (said_in_scripts() | said_in_python()).items() if c not in known}
    assert not missing, f"no catalogue has {missing}"
    assert [code for code, by_language in known.items() if by_language.keys() != LANGUAGES] == []
    assert [code for code in DECLARED if known[code]["en"] != code] == []
    blank = [
        code for code, by_language in known.items() if not all(map(str.strip, by_language.values()))
    ]
    assert blank == []


def test_translations_have_the_same_places() -> None:
    different = {
        code: texts
        for code, texts in catalogue().items()
        if set(PLACE.findall(texts["en"])) != set(PLACE.findall(texts["zh-CN"]))
    }
    assert different == {}


def test_chinese_is_chinese() -> None:
    """A template without a Chinese character is a name, a number or an oversight."""
    plain = {
        code: texts["zh-CN"]
        for code, texts in catalogue().items()
        if not re.search(r"[\u4e00-\u9fff]", texts["zh-CN"])
        and len(re.findall(r"[a-z]{2,}", PLACE.sub("", texts["zh-CN"]))) > 2
    }
    assert plain == {}


def test_no_message_is_unused() -> None:
    """Faults of the server are said by their code alone: ``fault.<code>``."""
    sources = [p.read_text("utf-8") for p in [*SCRIPTS, *sorted(BOARD.rglob("*.py"))]]
    quoted = set(re.findall(r'"([\w.-]+)"', "\n".join(sources)))

    def used(code: str) -> bool:
        return code in quoted or re.sub(r"^fault\.|\.hint$", "", code) in quoted

    assert [code for code in catalogue().keys() - DECLARED if not used(code)] == []


def test_scripts_name_messages_literally() -> None:
    """Else the tests above could not see them."""
    found = {
        path.name: hits
        for path in SCRIPTS
        if path.name != "i18n.js" and (hits := SAID_BY_VARIABLE.findall(path.read_text("utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_nothing_becomes_markup_or_code(path: Path) -> None:
    assert FORBIDDEN.findall(path.read_text("utf-8")) == []


def test_pages_load_nothing_from_elsewhere() -> None:
    """No address of another origin in scripts, styles or the page; licences may name theirs."""
    files = [*SCRIPTS, *(STATIC / "css").glob("*.css"), STATIC / "index.html"]
    found = {
        path.name: hits
        for path in files
        if (hits := re.findall(r"https?://(?!www\.w3\.org/)[^\s\"'`)]*", path.read_text("utf-8")))
    }
    assert found == {}
    assert "<script>" not in (STATIC / "index.html").read_text("utf-8")


def test_every_colour_has_a_dark_one() -> None:
    style = (STATIC / "css" / "board.css").read_text("utf-8")
    root = style[style.index(":root {") : style.index("}", style.index(":root {"))]
    plain = re.findall(r"--([\w-]+): (?:#|rgb)", root)
    assert plain == []
    assert len(re.findall(r"--series-\d+: light-dark\(", root)) == 12


def imported(path: Path, found: set[Path]) -> set[Path]:
    """All that a script imports at once, itself included."""
    if path not in found and path.exists():
        found.add(path)
        for name in re.findall(r'(?:\bfrom|\bimport)\s*"(\.[^"]+)"', path.read_text("utf-8")):
            imported((path.parent / name).resolve(), found)
    return found


def test_the_page_asks_at_once_for_what_it_starts_with() -> None:
    """Else the browser finds each script only after the one that imports it."""
    page = (STATIC / "index.html").read_text("utf-8")
    preloaded = set(re.findall(r'rel="modulepreload" href="([^"]+)"', page))
    needed = {str(path.relative_to(STATIC)) for path in imported(STATIC / "js" / "main.js", set())}
    assert preloaded == needed - {"js/main.js"}
    assert not any(name.startswith("js/blocks") or "echarts" in name for name in needed)
