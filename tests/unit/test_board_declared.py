"""What our own code declares is said in the reader's language; other texts stay as they are."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import federatedml
from fateboard import declared, disclosure
from fateboard.blocks import Label, Text
from fateboard.messages import FOLDER, catalogues, filled
from fateflow.api import audit
from fateflow.domain import resources
from federatedml.crypto import lattice_params, ou, paillier
from federatedml.protocols import cipher_aggregation, secure_aggregation
from federatedml.protocols.roll_call import Terms
from federation import Message
from federation.party import Party, Role

ROOT = Path(federatedml.__path__[0])
ENGLISH_WORD = re.compile(r"(?<![\w.])[a-z]{3,}(?![\w.])")
"""Names of parameters and roles stay; so does what stands in a gap."""
NAMES = {"guest", "host", "arbiter", "sqn", "raw", "ecdh", "gain", "ckks", "docs"}


def wires() -> Iterator[Message]:
    for info in pkgutil.walk_packages(federatedml.__path__, "federatedml."):
        wire = getattr(importlib.import_module(info.name), "Wire", None)
        yield from (one for one in vars(wire or object).values() if isinstance(one, Message))


def catalogue() -> set[str]:
    return set(json.loads((FOLDER / "declared.json").read_text("utf-8")))


def chinese(label: Label) -> str:
    assert isinstance(label, Text), f"not in static/messages/declared.json: {label!r}"
    return filled(catalogues()["zh-CN"], label.code, label.args)


def left_in_english(text: str) -> list[str]:
    return [word for word in ENGLISH_WORD.findall(text) if word not in NAMES]


def test_every_message_says_in_chinese_what_it_reveals() -> None:
    declarations = {message.reveals for message in wires()}
    assert len(declarations) > 100
    missing = [text for text in declarations if not isinstance(declared.label(text), Text)]
    assert missing == []
    english = {text: left_in_english(chinese(declared.label(text))) for text in declarations}
    assert [text for text, words in english.items() if len(words) > 1] == []


def warnings() -> Iterator[str]:
    """As ``audit/report`` tells them: of code that protects, or of what others learn."""
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).parts).removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "LOG.warning":
                template = ast.literal_eval(node.args[0])
                said = re.sub(r"%\.?\d*[a-z]", "7", template)
                if module.startswith(audit._PROTECTING) or audit._TELLING.search(said):
                    yield said


def test_every_warning_about_protection_is_said_in_chinese() -> None:
    found = list(warnings())
    assert len(found) > 15
    assert [text for text in found if not isinstance(declared.label(text), Text)] == []


def schemes() -> Iterator[str]:
    sites = [Party(Role.GUEST, "1"), Party(Role.HOST, "2"), Party(Role.HOST, "3")]
    terms = Terms(tuple(sites), threshold=2, time_limit_s=1.0, component="c")
    yield secure_aggregation.describe(terms)
    yield cipher_aggregation.describe(terms)
    yield lattice_params.parameters(word_bits=64).describe()
    for keygen in (paillier.keygen, ou.keygen):
        yield keygen(1024)[0].describe()
        yield keygen(2048)[0].describe()


def test_every_scheme_is_described_in_chinese() -> None:
    for text in schemes():
        assert left_in_english(chinese(declared.label(text))) == [], text


def test_no_declaration_is_left_of_what_nobody_says() -> None:
    whole = {code for code in catalogue() if "{" not in code}
    said = {message.reveals for message in wires()} | set(warnings())
    assert whole - said == {"less than 80 bits of security"}


def test_why_a_job_waits_is_said_in_chinese() -> None:
    queue = [resources.Need("1", 8, 0), resources.Need("2", 3, 10)]
    verdicts = resources.admit(queue, 10, 9, resources.PATIENCE_MS)
    _, scaled_down = resources.scaled(8, 2, 4)
    for text in [*(verdict.reason for verdict in verdicts), scaled_down]:
        assert left_in_english(chinese(declared.label(text))) == [], text
    nested = declared.label("for party host 10000: waiting for 4 cores (have 2)")
    assert chinese(nested) == "等待参与方 host 10000：等待 4 个核（现有 2 个）"


def test_what_others_wrote_stays_as_it_is() -> None:
    for text in ("", "Nothing", "anything: at all", "{bits}", "<img src=x>", "a" * 5_000, "auc"):
        assert declared.label(text) == text
    assert isinstance(declared.label("7 bits of security"), Text)


def test_hostile_texts_are_looked_at_quickly() -> None:
    for text in ("for party " + " : " * 190, "a: below 1 " * 50, "the site of " + " is also " * 60):
        assert declared.label(text) == text


def test_a_record_tells_which_messages_tell_something() -> None:
    row = {"component": "c", "message": "m", "direction": "out", "kind": "plain"}
    lines = disclosure.shown(
        {"lines": [{**row, "reveals": said} for said in ("nothing", "number of rows", "mine")]}
    ).lines
    assert [line.telling for line in lines] == [False, True, True]
    assert [line.reveals for line in lines] == [Text("nothing"), Text("number of rows"), "mine"]
