"""What fateflow keeps, exports and hands over is one and the same model to the serving side."""

import base64
import io
import zipfile

import msgspec
import pytest
from job_samples import lr_job
from site_samples import finish, lr_conf, site_at

from fateflow.scheduler import model_archive, model_files, models, submit
from serving import model as served
from serving.model import UnreadableModel


@pytest.fixture
def deployed(tmp_path):
    site = site_at(tmp_path / "home")
    data = submit.submit(site, lr_job(), lr_conf())
    finish(site, site.parties.created())
    model_id, version = data["model_info"].values()
    return site, model_id, models.deploy(site, model_id, version)["model_version"]


def forms(deployed):
    """The model's folder, its archive, and what a download holds."""
    site, model_id, version = deployed
    folder = model_files.folder(site.settings, "guest", "9999", model_id, version)
    _, content = model_archive.export(site, model_id, version, "guest", "9999")
    name = f"guest~9999~{model_id.replace('#', '~')}"
    return folder, content, model_archive.transfer(site, name, version)


def test_a_model_is_the_same_wherever_it_comes_from(deployed):
    folder, content, data = forms(deployed)
    found = [served.read(folder), served.from_zip(content), served.from_transfer(data)]
    assert len({one.sha256 for one in found}) == 1
    for one in found:
        assert (one.role, one.party_id, one.hosts) == ("guest", "9999", ("10000",))
        assert set(one.models) == {"lr_0.model", "transform_0.model"}
        assert one.models["lr_0.model"].param == {"weight": {"x0": 1.5}}
    kept = msgspec.json.decode(msgspec.json.encode(found[0]), type=served.PartyModel)
    assert kept == found[0]


def test_a_changed_model_has_another_digest(deployed):
    _, _, data = forms(deployed)
    other = base64.b64encode(b'{"weight": {"x0": 1.25}}').decode()
    changed = {**data, "lr_0.model:HeteroLRParam": other}
    assert served.from_transfer(changed).sha256 != served.from_transfer(data).sha256


def test_damaged_downloads_are_refused_in_words(deployed):
    _, _, data = forms(deployed)
    name = "lr_0.model:HeteroLRParam"
    for changed, told in (
        ({}, "no pipeline.pipeline:Pipeline"),
        ({**data, name: "%"}, "no base64"),
        ({**data, name: base64.b64encode(b"[]").decode()}, "damaged"),
        ({**data, "a.b:Odd": ""}, "no buffer of a model"),
        ({k: v for k, v in data.items() if k != name}, "only one buffer"),
        ({**data, "pipeline.pipeline:Pipeline": ""}, "pipeline.json is damaged"),
    ):
        with pytest.raises(UnreadableModel, match=told):
            served.from_transfer(changed)


def test_damaged_archives_and_folders_are_refused_in_words(deployed, tmp_path):
    _, content, _ = forms(deployed)
    with pytest.raises(UnreadableModel, match="no readable zip"):
        served.from_zip(content[: len(content) // 2])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("models/lr_0/model/model.json", "{}")
    with pytest.raises(UnreadableModel, match=r"no pipeline\.json"):
        served.from_zip(buffer.getvalue())
    with pytest.raises(UnreadableModel, match="No such file"):
        served.read(tmp_path / "nowhere")


@pytest.mark.parametrize(("key", "expected"), [("0", 2), ("1", 1), ("0|1", 2), ("all", 2)])
def test_parameters_are_those_of_the_party(deployed, key, expected):
    folder, _, _ = forms(deployed)
    found = served.read(folder)
    conf = {
        "component_parameters": {
            "common": {"lr_0": {"n": 1, "deep": {"a": 1}}},
            "role": {"guest": {key: {"lr_0": {"n": 2, "deep": {"b": 2}}}}},
        }
    }
    pipeline = msgspec.structs.replace(found.pipeline, train_runtime_conf=conf)
    given = msgspec.structs.replace(found, pipeline=pipeline).parameters("lr_0")
    assert given["n"] == expected
    assert given["deep"] == ({"a": 1, "b": 2} if expected == 2 else {"a": 1})
