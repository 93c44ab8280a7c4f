import joblib
import lightgbm
import numpy as np
import pytest

from federatedml import archive, lr_model, model_export
from federatedml.catalog import find
from federatedml.component import Model
from federatedml.errors import BadModel
from federatedml.lr_model import LRMeta
from tests.unit.federatedml.pmml_reader import evaluated
from tests.unit.federatedml.sample_ensembles import (
    awkward_rows,
    random_ensemble,
    stored_parts,
    stored_whole,
)


def kept(folder, module: str, model: Model, meta_name: str = "") -> str:
    """A model as a component's file; boosting models get the class of their module."""
    kinds = [find(module).Model, *find(module).Model.__subclasses__()]
    kind = next(k for k in kinds if not meta_name or k.meta_name == meta_name)
    path = folder / "model.json"
    archive.save(path, module, kind(meta=model.meta, param=model.param))
    return str(path)


def linear(names, *, intercept=0.5) -> Model:
    weights = np.arange(1.0, len(names) + 1)
    part = lr_model.single(names, np.append(weights, intercept), has_intercept=True, iters=3)
    return find("HomoLR").Model(meta=LRMeta(), param=lr_model.as_param([part], [0, 1]))


def test_homo_lr_becomes_a_joblib_file_of_its_own_accord_or_pmml(tmp_path):
    path = kept(tmp_path, "HomoLR", linear(["a", "b"]))
    (done,) = model_export.convert([("homo_lr_0", "model", path)], None, str(tmp_path / "to"))
    file = tmp_path / "to" / "homo_lr_0" / "model" / "sklearn.joblib"
    assert done == {
        "component_name": "homo_lr_0",
        "model_alias": "model",
        "module": "HomoLR",
        "converted_model_path": str(file),
    }
    assert file.stat().st_mode & 0o777 == 0o600
    assert joblib.load(file).coef_.tolist() == [[1.0, 2.0]]
    (done,) = model_export.convert([("homo_lr_0", "model", path)], "PMML", str(tmp_path / "to"))
    text = (file.parent / "model.pmml").read_text("utf8")
    assert evaluated(text, {"a": -0.5, "b": 0.0}) == {"1": 0.5, "0": 0.5}
    assert len(list(file.parent.iterdir())) == 2


def test_several_components_are_converted_and_others_left(tmp_path):
    one = kept(tmp_path / "1", "HomoLR", linear(["a"]))
    two = kept(tmp_path / "2", "HeteroLR", linear(["a"]))
    listed = [("hetero_lr_0", "model", two), ("homo_lr_0", "m", one), ("homo_lr_1", "m", one)]
    done = model_export.convert(listed, "scikit-learn", str(tmp_path))
    assert [entry["component_name"] for entry in done] == ["homo_lr_0", "homo_lr_1"]


def test_what_cannot_be_converted_is_refused_with_what_can(tmp_path):
    homo = kept(tmp_path / "1", "HomoLR", linear(["a"]))
    hetero = kept(tmp_path / "2", "HeteroLR", linear(["a"]))
    with pytest.raises(BadModel, match=r"'pytorch' does not fit.*HomoLR to sklearn or pmml"):
        model_export.convert([("homo_lr_0", "model", homo)], "pytorch", str(tmp_path))
    with pytest.raises(BadModel, match=r"it holds HeteroLR; possible: HomoLR to sklearn or pmml;"):
        model_export.convert([("hetero_lr_0", "model", hetero)], None, str(tmp_path))
    with pytest.raises(BadModel, match="it holds no fitted component"):
        model_export.convert([], None, str(tmp_path))


def test_a_vertical_regression_is_merged_as_json_or_pmml(tmp_path):
    guest = kept(tmp_path / "g", "HeteroLR", linear(["a", "b"]))
    host = kept(tmp_path / "h", "HeteroLR", linear(["a"], intercept=0.0))
    row = {"a": 1.0, "b": 0.0, "host_10000_a": -1.5}
    text = model_export.merge(guest, {"10000": host}, "logistic_regression", "pmml", {})
    assert evaluated(text, row) == {"1": 0.5, "0": 0.5}
    text = model_export.merge(
        guest, {"10000": host}, "LR", "sklearn", {"include_guest_coef": False}
    )
    assert '"a"' in text
    assert '"b"' not in text


@pytest.mark.parametrize("form", ["lgb", "pmml"])
def test_a_vertical_boosting_is_merged(tmp_path, form):
    rng = np.random.default_rng(0)
    owners = ["guest:9999", "host:10000", "host:10000"]
    ensemble = random_ensemble(rng, "cross_entropy", n_features=3)
    while not len(ensemble.trees):
        ensemble = random_ensemble(rng, "cross_entropy", n_features=3)
    parts = stored_parts(ensemble, owners)
    guest, host = (
        kept(tmp_path / site[:4], "HeteroSecureBoost", part, f"HeteroSecureBoostingTree{name}Meta")
        for (site, part), name in zip(parts.items(), ("Guest", "Host"), strict=True)
    )
    text = model_export.merge(guest, {"10000": host}, "secureboost", form, {"target_name": "risk"})
    x, chance = awkward_rows(rng, ensemble, 50), None
    if form == "pmml":
        rows = [dict(zip(ensemble.names, row.tolist(), strict=True)) for row in x]
        chance = [evaluated(text, row)["1"] for row in rows]
        assert 'name="risk"' in text
    else:
        chance = lightgbm.Booster(model_str=text).predict(x)
    np.testing.assert_allclose(chance, 1 / (1 + np.exp(-ensemble.score(x)[:, 0])), rtol=1e-12)


def test_a_horizontal_boosting_becomes_lightgbm_text(tmp_path):
    rng = np.random.default_rng(1)
    ensemble = random_ensemble(rng, "cross_entropy", 3)
    path = kept(tmp_path, "HomoSecureBoost", stored_whole(ensemble))
    (done,) = model_export.convert([("sbt_0", "model", path)], None, str(tmp_path))
    assert done["converted_model_path"].endswith("sbt_0/model/lgb.txt")
    x = awkward_rows(rng, ensemble)
    booster = lightgbm.Booster(model_file=done["converted_model_path"])
    np.testing.assert_allclose(booster.predict(x, raw_score=True), ensemble.score(x), atol=1e-9)


def test_kinds_formats_and_parts_that_do_not_fit_are_refused(tmp_path):
    path = kept(tmp_path, "HeteroLR", linear(["a"]))
    for kind, form, said in (
        ("forest", "pmml", "model_type 'forest' is none of secureboost, logistic_regression"),
        ("lr", "lightgbm", "a logistic_regression model becomes sklearn or pmml"),
        ("secureboost", "sklearn", "a secureboost model becomes lightgbm or pmml"),
        ("secureboost", "pmml", "is a HeteroLR at the guest; a secureboost model comes from Het"),
    ):
        with pytest.raises(BadModel, match=said):
            model_export.merge(path, {"10000": path}, kind, form, {})
    with pytest.raises(BadModel, match="cannot be called as the feature 'a'"):
        model_export.merge(path, {"10000": path}, "lr", "pmml", {"target_name": "a"})
