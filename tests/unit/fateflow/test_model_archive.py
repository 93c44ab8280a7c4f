"""Models that travel: what an archive holds, what is taken in, and what never is."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import random
import zipfile

import msgspec
import pytest
from job_samples import lr_job
from site_samples import finish, fitted, lr_conf, site_at

from fateflow.errors import ArgumentError, DownloadError
from fateflow.scheduler import model_archive, model_files, models, submit
from fateflow.store import models as rows


@pytest.fixture
def trained(tmp_path):
    """(site, model id, deployed version)."""
    site = site_at(tmp_path / "home")
    data = submit.submit(site, lr_job(), lr_conf())
    finish(site, site.parties.created())
    model_id, version = data["model_info"].values()
    return site, model_id, models.deploy(site, model_id, version)["model_version"]


def form(model_id: str, version: str, **more: object) -> dict:
    named = {"model_id": model_id, "model_version": version, "role": "guest", "party_id": "9999"}
    return {**named, **more}


def exported(trained) -> tuple[str, bytes]:
    site, model_id, version = trained
    return model_archive.export(site, model_id, version, "guest", "9999")


def taken_in(site, given: dict, content: bytes | None, **more: object) -> dict:
    file = None if content is None else io.BytesIO(content)
    return model_archive.import_(site, {**given, **more}, file, "10.0.0.1")


def status_of(site, given: dict, content: bytes | None, **more: object) -> tuple[int, str]:
    with pytest.raises(DownloadError) as caught:
        taken_in(site, given, content, **more)
    assert caught.value.retcode == caught.value.http_status
    return caught.value.http_status, str(caught.value)


def with_member(content: bytes, name: str, what: bytes) -> bytes:
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, what)
    return buffer.getvalue()


def with_pipeline(content: bytes, changes: dict) -> bytes:
    """The archive with another pipeline.json."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            member = old.read(name)
            if name == "pipeline.json":
                member = msgspec.json.encode({**msgspec.json.decode(member), **changes})
            new.writestr(name, member)
    return buffer.getvalue()


def test_checkpoints_travel_along(trained, tmp_path):
    site, model_id, version = trained
    at = model_files.folder(site.settings, "guest", "9999", model_id, version)
    step = "checkpoint/lr_0/3#round/model.json"
    model_files.write_json(at / step, fitted("HeteroLR", "step 3"))
    fresh = site_at(tmp_path / "fresh")
    taken_in(fresh, form(model_id, version), exported(trained)[1])
    there = model_files.folder(fresh.settings, "guest", "9999", model_id, version)
    assert (there / step).read_bytes() == (at / step).read_bytes()


def test_an_archive_is_named_by_party_and_version_and_is_the_same_each_time(trained):
    _, model_id, version = trained
    name, content = exported(trained)
    assert name == f"guest#9999#{model_id}_{version}.zip"
    assert exported(trained)[1] == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [
            "define/define_meta.json",
            "import_model.json",
            "models/lr_0/model/model.json",
            "models/transform_0/model/model.json",
            "pipeline.json",
        ]
        meta = msgspec.json.decode(archive.read("define/define_meta.json"))
    assert meta["component_define"]["lr_0"] == {"module_name": "HeteroLR"}
    assert "HeteroLRParam" in meta["model_proto"]["lr_0"]["model"]


def test_the_digest_of_an_export_is_remembered(trained):
    site, model_id, version = trained
    content = exported(trained)[1]
    with site.database.read() as session:
        row = rows.one(session, "guest", "9999", model_id, version)
    assert row.archive_sha256 == hashlib.sha256(content).hexdigest()


def test_an_absent_model_is_answered_404(trained):
    site, model_id, _ = trained
    with pytest.raises(DownloadError) as caught:
        model_archive.export(site, model_id, "1", "guest", "9999")
    assert caught.value.http_status == 404


def test_a_model_taken_in_by_a_fresh_site_predicts_there(trained, tmp_path):
    _, model_id, version = trained
    fresh = site_at(tmp_path / "fresh", party="9999")
    content = exported(trained)[1]
    answer = taken_in(fresh, form(model_id, version), content)
    assert answer == {"job_id": version, **form(model_id, version)}
    with fresh.database.read() as session:
        row = rows.one(session, "guest", "9999", model_id, version)
    assert (row.imported, row.parent, row.archive_from_ip) == (1, False, "10.0.0.1")
    conf = models.predict_conf(fresh, model_id, version)
    submit.submit(fresh, {}, conf)
    assert [r.role for r in fresh.parties.created()] == ["host", "arbiter", "guest"]
    assert model_archive.export(fresh, model_id, version, "guest", "9999")[1] == content


def test_a_model_that_is_there_is_replaced_only_by_force(trained):
    site, model_id, version = trained
    content = exported(trained)[1]
    assert status_of(site, form(model_id, version), content) == (409, "Model already exists.")
    taken_in(site, form(model_id, version), content, force_update="1")


def test_a_foreign_party_no_file_a_wrong_hash_and_another_model_are_refused(trained, tmp_path):
    _, model_id, version = trained
    fresh = site_at(tmp_path / "fresh")
    content = exported(trained)[1]
    given = form(model_id, version)
    assert status_of(fresh, given, None)[0] == 400
    assert "not the given hash" in status_of(fresh, given, content, hash="00")[1]
    assert "holds model" in status_of(fresh, given, content, model_version="1")[1]
    wrong = status_of(fresh, given, content, role="host", party_id=10000)
    assert wrong == (400, "the archive is that of guest 9999, not of host 10000")
    absent = status_of(fresh, {"role": "guest"}, content)
    assert absent == (400, "required argument are missing: party_id,model_id,model_version;")
    other = site_at(tmp_path / "other", party="10000")
    assert status_of(other, given, content) == (400, "this site is not party 9999")
    hashed = hashlib.sha256(content).hexdigest()
    taken_in(fresh, given, content, hash=hashed.upper())


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/etc/evil", "models/../../x/model.json", "models/a/b/c/model.json",
     "models/a/b/model.pkl", "checkpoint/a/x#y/model.json", "run.sh"],
)  # fmt: skip
def test_members_that_lead_elsewhere_are_refused_and_nothing_is_written(trained, tmp_path, name):
    _, model_id, version = trained
    fresh = site_at(tmp_path / "fresh")
    content = with_member(exported(trained)[1], name, b"{}")
    status, text = status_of(fresh, form(model_id, version), content)
    assert status == 400
    assert "no part of a model" in text
    assert not fresh.settings.models.exists()
    assert not (tmp_path / "evil.json").exists()


def test_an_archive_that_unpacks_too_large_is_refused(trained, tmp_path, monkeypatch):
    _, model_id, version = trained
    fresh = site_at(tmp_path / "fresh")
    content = exported(trained)[1]
    bomb = with_member(content, "checkpoint/lr_0/1#r/model.json", b" " * 300_000)
    monkeypatch.setattr(model_archive, "MAX_BYTES", 100_000)
    assert "unpacks to over 100000" in status_of(fresh, form(model_id, version), bomb)[1]
    monkeypatch.setattr(model_archive, "MAX_BYTES", 1000)
    assert "is over 1000 bytes" in status_of(fresh, form(model_id, version), content)[1]
    monkeypatch.undo()
    monkeypatch.setattr(model_archive, "MAX_FILES", 2)
    assert "over 2 files" in status_of(fresh, form(model_id, version), content)[1]


def test_a_damaged_archive_is_refused(trained, tmp_path):
    _, model_id, version = trained
    fresh = site_at(tmp_path / "fresh")
    given = form(model_id, version)
    content = exported(trained)[1]
    assert "no readable zip" in status_of(fresh, given, b"PK not a zip")[1]
    flipped = bytearray(content)
    flipped[60] ^= 0xFF
    assert status_of(fresh, given, bytes(flipped))[0] == 400
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert "no pipeline.json" in status_of(fresh, given, empty.getvalue())[1]
    assert "a party id is a number" in status_of(fresh, given, content, party_id="x")[1]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("pipeline.json", b"{}")
    assert "unusual way" in status_of(fresh, given, packed.getvalue())[1]
    for changes, told in (
        ({"roles": {"guest": [1]}}, "party 9999 is not in role guest"),
        ({"train_dsl": {}}, "the archive's DSL is damaged"),
    ):
        assert told in status_of(fresh, given, with_pipeline(content, changes))[1]
    broken = with_member(content, "models/x_0/model/model.json", b'{"module": 1}')
    assert "damaged" in status_of(fresh, given, broken)[1]
    assert not fresh.settings.models.exists()


def test_a_name_that_is_a_path_is_never_followed(trained):
    site, model_id, _ = trained
    with pytest.raises(ArgumentError, match="only letters"):
        model_archive.export(site, model_id, "../../x", "guest", "9999")


def test_contents_are_handed_over_by_component_alias_and_name(trained):
    site, model_id, version = trained
    party_model = f"guest~9999~{model_id.replace('#', '~')}"
    found = model_archive.transfer(site, party_model, version)
    assert set(found) == {
        "pipeline.pipeline:Pipeline",
        "lr_0.model:HeteroLRMeta",
        "lr_0.model:HeteroLRParam",
        "transform_0.model:DataTransformMeta",
        "transform_0.model:DataTransformParam",
    }
    content = msgspec.json.decode(base64.b64decode(found["lr_0.model:HeteroLRParam"]))
    assert content == {"weight": {"x0": 1.5}}
    with pytest.raises(DownloadError) as caught:
        model_archive.transfer(site, party_model, "1")
    assert caught.value.http_status == 404


def test_no_damaged_byte_makes_the_import_fail_other_than_by_refusing(trained, tmp_path):
    _, model_id, version = trained
    fresh = site_at(tmp_path / "fresh")
    content = exported(trained)[1]
    given = form(model_id, version, force_update="1")
    rng = random.Random(7)
    for _ in range(60):
        damaged = bytearray(content)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        with contextlib.suppress(DownloadError):
            taken_in(fresh, given, bytes(damaged))
