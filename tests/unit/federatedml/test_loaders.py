"""ModelLoader and CacheLoader hand on what fateflow found, unchanged."""

from __future__ import annotations

import msgspec
import pytest

from federatedml import archive
from federatedml.catalog import find
from federatedml.component import Ctx, Inputs
from federatedml.components.cache_loader import CacheLoader, CacheLoaderParam
from federatedml.components.model_loader import ModelLoader
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.params import parse
from federatedml.runner import run
from federation import GUEST, Party
from federation.transport.inproc import Hub


def ctx(tmp_path) -> Ctx:
    me = Party(GUEST, "9999")
    made = Ctx(me, [me], Hub(), job_id="1", component="loader_0", version=0)
    made.folder = tmp_path
    return made


def model_loader() -> ModelLoader:
    given = {"model_id": "m", "model_version": "1", "component_name": "lr_0", "step_index": 2}
    return ModelLoader(parse(ModelLoader.Params, given, "ModelLoader#loader_0"))


def test_a_model_is_handed_on_as_it_is(tmp_path):
    kept = object()
    outputs = run(model_loader(), ctx(tmp_path), Inputs(model=kept))  # type: ignore[arg-type]
    assert outputs.model is kept
    assert outputs.data == []


def test_nothing_to_load_is_an_error_that_names_the_component(tmp_path):
    with pytest.raises(BadModel, match="no model was found"):
        run(model_loader(), ctx(tmp_path), Inputs())
    with pytest.raises(BadData, match="no cache was found"):
        run(CacheLoader(CacheLoaderParam(cache_key="k")), ctx(tmp_path), Inputs())


def test_a_cache_is_copied_so_that_both_jobs_own_one(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "part").write_bytes(b"kept")
    loader = CacheLoader(CacheLoaderParam(job_id="1", component_name="intersection_0"))
    outputs = run(loader, ctx(tmp_path), Inputs(caches={"intersection_0": tmp_path / "old"}))
    assert outputs.cache is not None
    assert (outputs.cache / "part").read_bytes() == b"kept"
    assert (tmp_path / "old" / "part").exists()


def test_a_cache_loader_needs_a_key_or_a_job_and_component():
    with pytest.raises(BadParameters, match="give cache_key, or job_id and component_name"):
        parse(CacheLoaderParam, {"job_id": "1"}, "CacheLoader#c_0")


def test_a_model_file_names_the_module_that_made_it(tmp_path):
    path = tmp_path / "model.json"
    content = archive.ModelFile(module="HeteroLR", meta_name="M", param_name="P", meta={}, param={})
    path.write_bytes(msgspec.json.encode(content))
    assert archive.module_of(path) == "HeteroLR"
    path.write_bytes(b"{")
    with pytest.raises(BadModel, match="is damaged"):
        archive.module_of(path)


def test_both_are_in_the_catalogue():
    assert find("modelloader") is ModelLoader
    assert find("CacheLoader") is CacheLoader
