"""SampleWeight: by class as scikit-learn, by column its values; who has no weights passes."""

import logging

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.utils.class_weight import compute_sample_weight

from federatedml import archive, lr_model, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.sample_weight import SampleWeight, SampleWeightModel
from federatedml.data import layout, shown
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.params import parse
from federation import GUEST, HOST, Party

X = np.array([[1.0, 5.0, 0.5], [0.0, 6.0, 1.5], [2.0, 7.0, 2.0], [3.0, 8.0, 0.0]])


def frame(x=X, label=(0, 1, 1, 1), pack=np.asarray, **more):
    names = [f"x{i}" for i in range(x.shape[1])]
    schema = FrameSchema(header=names, anonymous_header=[f"guest_9_{n}" for n in names])
    ids = pa.array([f"r{i}" for i in range(x.shape[0])])
    label = np.array(label) if isinstance(label, (tuple, list)) else label
    return Frame(ids, pack(x), schema, label=label, **more)


def weighed(data, role=GUEST, model=None, **parameters):
    me = Party(role, "9")
    ctx = Ctx(me, [me], None)
    ctx.name = "sample_weight_0"
    component = SampleWeight(parse(SampleWeight.Params, parameters, "SampleWeight#sample_weight_0"))
    named = [NamedData("i_0", "data", data)] if data is not None else []
    outputs = runner.run(component, ctx, Inputs({"data": named}, model=model))
    return outputs.data[0], outputs.model, ctx.report


@settings(deadline=None, max_examples=50)
@given(y=st.lists(st.integers(-2, 3), min_size=1, max_size=40))
def test_balanced_weights_are_those_of_scikit_learn(y):
    out, _, _ = weighed(frame(np.ones((len(y), 1)), y), class_weight="balanced")
    np.testing.assert_allclose(out.weight, compute_sample_weight("balanced", y))


@pytest.mark.parametrize(
    ("label", "named"),
    [
        ((0, 1, 1, 1), {"0": 2, "1": 0.5}),
        ((0.0, 1.0, 1.0, 1.0), {"0": 2, "1.0": 0.5}),
        (pa.array(["no", "yes", "yes", "yes"]), {"no": 2, "yes": 0.5}),
    ],
    ids=["int", "float", "text"],
)
def test_each_row_has_the_weight_of_its_label(label, named):
    out, model, report = weighed(frame(label=label), class_weight=named)
    assert out.weight.tolist() == [2.0, 0.5, 0.5, 0.5]
    assert out.schema.weight_name == "weight"
    assert out.x is not None
    assert (out.x == X).all()
    kind, points, said = report.metrics["train", "sample_weight"]
    assert (kind, points) == ("SAMPLE_WEIGHT", [("sample_weight", 0)])
    assert said["weight_mode"] == "class weight"
    assert list(said["class_weight"].values()) == [2.0, 0.5]
    assert model.param.class_weight == said["class_weight"]


def test_the_model_has_fates_names_and_survives_its_file(tmp_path):
    _, model, _ = weighed(frame(), class_weight={"0": 1, "1": 2})
    assert msgspec.to_builtins(model) == {
        "meta": {"sampleWeightName": "", "normalize": False, "needRun": True},
        "param": {
            "header": ["x0", "x1", "x2"],
            "weightMode": "class weight",
            "classWeight": {"0": 1.0, "1": 2.0},
        },
    }
    archive.save(tmp_path / "model.json", "SampleWeight", model)
    assert archive.load(tmp_path / "model.json") == model
    assert (SampleWeightModel.meta_name, SampleWeightModel.param_name) == (
        "SampleWeightModelMeta",
        "SampleWeightModelParam",
    )


@pytest.mark.parametrize("pack", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_a_column_becomes_the_weight_and_is_no_feature_any_more(pack):
    out, model, report = weighed(frame(pack=pack), sample_weight_name="x2", class_weight="balanced")
    assert out.weight.tolist() == [0.5, 1.5, 2.0, 0.0]
    assert sparse.issparse(out.x) == (pack is sparse.csr_matrix)
    x = out.x.toarray() if sparse.issparse(out.x) else out.x
    assert (x == X[:, :2]).all()
    assert x.flags.c_contiguous
    assert out.schema.header == model.param.header == ["x0", "x1"]
    assert out.schema.anonymous_header == ["guest_9_x0", "guest_9_x1"]
    assert shown.header(out) == ["id", "label", "weight", "x0", "x1"]
    again = layout.from_arrow(layout.to_arrow(out))
    assert again.weight.tolist() == out.weight.tolist()
    said = report.metrics["train", "sample_weight"][2]
    assert (said["weight_mode"], said["sample_weight_name"]) == ("sample weight name", "x2")
    out, _, _ = weighed(frame(pack=pack), sample_weight_name="x2", normalize=True)
    assert out.weight.tolist() == [0.5, 1.5, 2.0, 0.0]


def test_a_normalised_column_has_the_mean_one():
    out, _, _ = weighed(frame(), sample_weight_name="x1", normalize=True)
    np.testing.assert_allclose(out.weight, X[:, 1] / X[:, 1].mean())


def test_rows_to_predict_are_weighed_as_in_training_or_not_at_all():
    _, model, _ = weighed(frame(), class_weight="balanced")
    out, kept, _ = weighed(frame(label=(1, 1, 1, 0)), model=model, class_weight="balanced")
    np.testing.assert_allclose(out.weight, [2 / 3, 2 / 3, 2 / 3, 2.0])
    assert kept == model
    assert weighed(frame(label=None), model=model)[0].weight is None
    _, model, _ = weighed(frame(), sample_weight_name="x0")
    out, _, _ = weighed(frame(), model=model)
    assert (out.weight.tolist(), out.schema.header) == (X[:, 0].tolist(), ["x1", "x2"])
    unweighted = frame(X[:1] * 0, label=None)
    assert weighed(unweighted, model=model)[0].weight.tolist() == [0.0]
    other = frame()
    lacking = Frame(other.ids, X[:, :1], FrameSchema(header=["y"]))
    assert weighed(lacking, model=model)[0] is lacking


def test_a_host_without_labels_or_column_passes_its_data_through(caplog):
    data = frame(label=None)
    with caplog.at_level(logging.WARNING):
        for given_ in ({"class_weight": "balanced"}, {"sample_weight_name": "other"}, {}):
            assert weighed(data, HOST, **given_)[0] is data
    assert caplog.text.count("passes through") == 3
    assert weighed(None, HOST)[0] is None
    labelled = frame()
    assert weighed(labelled, HOST, class_weight="balanced")[0].weight is not None


def test_negative_weights_are_let_through_with_a_warning(caplog):
    data = frame(np.array([[-1.0], [3.0], [1.0], [1.0]]))
    with caplog.at_level(logging.WARNING):
        assert weighed(data, sample_weight_name="x0")[0].weight.tolist() == [-1.0, 3.0, 1.0, 1.0]
    assert "1 of 4 weights are negative" in caplog.text


def test_negative_weights_are_for_trainers_that_take_them():
    data = frame(weight=np.array([-1.0, 3.0, 1.0, 1.0]))
    rescaled = lr_model.row_weights(data, "sshe_linr_0", signed=True)
    assert rescaled.tolist() == [-1.0, 3.0, 1.0, 1.0]
    with pytest.raises(BadData, match=r"lr_0: .*not negative"):
        lr_model.row_weights(data, "lr_0")
    with pytest.raises(BadData, match="sum up to more than 0"):
        lr_model.row_weights(frame(weight=np.array([-1.0, 1.0, 0.0, 0.0])), "lr_0", signed=True)


@pytest.mark.parametrize(
    ("data", "parameters", "said"),
    [
        (frame(), {"class_weight": {"0": 1}}, "nothing of 1 of the 2 labels"),
        (frame(), {"class_weight": {"a": 1, "b": 2}}, "nothing of 2 of the 2 labels"),
        (frame(label=None), {"class_weight": "balanced"}, "needs labels"),
        (frame(label=(np.nan, 1.0, 1.0, 1.0)), {"class_weight": "balanced"}, "1 rows have no"),
        (frame(), {"sample_weight_name": "x9"}, "0 times among 3"),
        (frame(X * np.nan), {"sample_weight_name": "x0"}, "guest_9_x0 .* 4 of 4 .*missing"),
        (frame(-X), {"sample_weight_name": "x0"}, "guest_9_x0 .* do not sum up"),
        (
            frame(texts=pa.table({"x0": ["a", "b", "c", "d"]})),
            {"sample_weight_name": "x0"},
            "holds texts",
        ),
        (None, {"class_weight": "balanced"}, "takes instances"),
    ],
)
def test_what_gives_no_weights_is_refused(data, parameters, said):
    with pytest.raises(BadData, match=f"sample_weight_0: .*{said}"):
        weighed(data, **parameters)


def test_another_model_is_refused():
    with pytest.raises(BadModel, match="none of SampleWeight"):
        weighed(frame(), model=object())


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"class_weight": {"0": -1}}, "class_weight"),
        ({"class_weight": {}}, "names no label"),
        ({"class_weight": {"0": float("inf")}}, "finite"),
        ({"class_weight": "even"}, "class_weight"),
        ({"sample_weight_name": ""}, "name of a column"),
        ({"sample_weight": "x"}, "did you mean"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(parameters, said):
    with pytest.raises(BadParameters, match=said):
        parse(SampleWeight.Params, parameters, "SampleWeight#sample_weight_0")
