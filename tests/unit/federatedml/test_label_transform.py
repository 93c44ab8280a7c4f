"""LabelTransform: labels there and back, of every type; models as FATE shows them."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml import archive, runner, scoring
from federatedml.component import Ctx, Inputs, NamedData, Silent
from federatedml.components.label_transform import LabelTransform
from federatedml.data.frame import Frame, FrameSchema, Values
from federatedml.data.predicting import predictions
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.params import parse
from federation import GUEST, HOST, Party


def frame(label):
    n = 4 if label is None else len(label)
    label = np.array(label) if isinstance(label, list) else label
    schema = FrameSchema(header=["x0"], label_name="y")
    return Frame(pa.array([f"r{i}" for i in range(n)]), np.ones((n, 1)), schema, label=label)


def transformed(data, role=GUEST, model=None, **parameters):
    me = Party(role, "9")
    ctx = Ctx(me, [me], None)
    ctx.name = "label_transform_0"
    params = parse(LabelTransform.Params, parameters, "LabelTransform#label_transform_0")
    named = [NamedData("i_0", "data", data)] if data is not None else []
    inputs = Inputs({"data": named}, model=model)
    outputs = runner.run(LabelTransform(params), ctx, inputs)
    return outputs.data[0], outputs.model, ctx.report


def labels(data):
    return data.label.to_pylist() if isinstance(data.label, pa.Array) else data.label.tolist()


def test_an_encoder_swaps_labels_and_the_model_is_fates(tmp_path):
    out, model, report = transformed(frame([0, 1, 1]), label_encoder={"0": 1, "1": 0})
    assert (labels(out), out.label.dtype, out.schema.label_type) == ([1, 0, 0], np.int64, "int")
    assert msgspec.to_builtins(model) == {
        "meta": {"needRun": True},
        "param": {
            "labelEncoder": {"0": "1", "1": "0"},
            "encoderKeyType": {"0": "int", "1": "int"},
            "encoderValueType": {"0": "int", "1": "int"},
        },
    }
    assert report.metrics == {
        ("train", "label_transform"): (
            "LABEL_TRANSFORM",
            [("label_transform", 0)],
            {"label_encoder": {"0": 1, "1": 0}},
        )
    }
    archive.save(tmp_path / "model.json", "LabelTransform", model)
    assert archive.load(tmp_path / "model.json") == model
    again, _, _ = transformed(frame([1, 0]), model=model)
    assert labels(again) == [0, 1]


@settings(deadline=None, max_examples=50)
@given(
    y=st.one_of(
        st.lists(st.integers(-5, 5), min_size=1, max_size=30),
        st.lists(st.sampled_from([0.5, -1.25, 3.0, 7.0]), min_size=1, max_size=30),
        st.lists(st.sampled_from(["b", "a", "ä", "10", "9"]), min_size=1, max_size=30),
    )
)
def test_without_an_encoder_labels_are_numbered_in_their_order_and_found_again(y):
    column = pa.array(y) if isinstance(y[0], str) else y
    out, model, _ = transformed(frame(column))
    known = sorted(set(y))
    assert labels(out) == [known.index(label) for label in y]
    if len(known) > 1:
        p = np.eye(len(known))[labels(out)]
        scores = p[:, 1] if len(known) == 2 else p
        said = predictions(out, scores, list(range(len(known))))
        back, _, _ = transformed(said, model=model)
        assert labels(back) == y
        assert back.classes == known
        result = back.result.to_pylist() if isinstance(back.result, pa.Array) else back.result
        assert list(result) == y


def test_predictions_get_their_old_labels_back_and_are_scored_as_before():
    _, model, _ = transformed(frame([0, 1]), label_encoder={"0": 1, "1": 0})
    p = np.array([0.9, 0.2, 0.6, 0.3])
    said = predictions(frame([1, 0, 0, 1]), p, [0, 1])
    back, kept, _ = transformed(said, model=model)
    assert kept == model
    assert (labels(back), back.result.tolist(), back.classes) == (
        [0, 1, 1, 0],
        [0, 1, 0, 1],
        [1, 0],
    )
    assert back.score.tolist() == p.tolist()
    truth, score = scoring.truth(back, "key", 1)
    assert (truth.tolist(), score.tolist()) == ([0, 1, 1, 0], (1 - p).tolist())
    told = [
        scoring.score_briefly(Silent(), of, "train")["auc"] for of in (said, back)
    ]  # fmt: skip
    assert told[0] == pytest.approx(told[1])


def test_clusters_get_their_old_labels_back():
    _, model, _ = transformed(frame(pa.array(["low", "high"])))
    columns = pa.table({"label": [0, 1], "predicted_label": [1, 7], "type": ["train", "train"]})
    table = Values(pa.array(["a", "b"]), columns.slice(0, 1), content="cluster_result")
    back, _, _ = transformed(table, model=model)
    assert back.columns.to_pylist() == [
        {"label": "high", "predicted_label": "low", "type": "train"}
    ]
    with pytest.raises(BadData, match="texts and others numbers"):
        transformed(Values(pa.array(["a", "b"]), columns), model=model)


def test_labels_without_a_word_in_the_encoder_stay():
    out, _, _ = transformed(frame([0, 1, 2, 5]), label_encoder={"0": 10, "1": 20})
    assert labels(out) == [10, 20, 2, 5]
    out, _, _ = transformed(frame([0, 1, 2, 2]), label_encoder={"0": 0.5})
    assert labels(out) == [0.5, 1.0, 2.0, 2.0]
    assert out.schema.label_type == "float"
    out, _, _ = transformed(frame([0, 1]), label_encoder={"0": 5, "other": 7})
    assert labels(out) == [5, 1]


def test_a_label_that_this_party_has_no_rows_of_is_known_in_new_rows():
    _, model, _ = transformed(frame([0, 0, 0]), label_encoder={"0": 1, "1": 0})
    assert labels(transformed(frame([0, 1]), model=model)[0]) == [1, 0]
    _, model, _ = transformed(frame([0, 2, 0]), label_list=[2, 1, 0])
    assert labels(transformed(frame([1, 2]), model=model)[0]) == [1, 2]


def test_texts_become_numbers_and_numbers_texts():
    out, model, _ = transformed(frame(pa.array(["n", "y", "n"])), label_encoder={"n": -1, "y": 1})
    assert (labels(out), out.label.dtype) == ([-1, 1, -1], np.int64)
    assert model.param.encoder_key_type == {"n": "str", "y": "str"}
    out, model, _ = transformed(frame([0.0, 1.0]), label_encoder={"0": "bad", "1": "good"})
    assert labels(out) == ["bad", "good"]
    assert out.schema.label_type == "str"
    assert labels(transformed(frame([1.0, 0.0]), model=model)[0]) == ["good", "bad"]


def test_rows_without_labels_pass_at_a_host_and_at_predict():
    data = frame(None)
    assert transformed(data, HOST)[0] is data
    assert transformed(None, HOST)[0] is None
    _, model, _ = transformed(frame([3, 4]))
    assert transformed(data, model=model)[0] is data
    assert transformed(None, HOST, model=model)[0] is None
    said = predictions(frame(None), np.array([0.9, 0.1, 0.2, 0.8]), [0, 1])
    back, _, _ = transformed(said, model=model)
    assert (back.label, back.result.tolist()) == (None, [4, 3, 3, 4])


@pytest.mark.parametrize(
    ("data", "parameters", "said"),
    [
        (frame(None), {}, "has no label"),
        (frame([np.nan, 1.0]), {}, "1 rows have no label"),
        (frame(pa.array(["a", None])), {}, "1 rows have no label"),
        (frame(pa.array(["a", "b"])), {"label_encoder": {"a": 0}}, "texts and others numbers"),
        (frame([0, 1]), {"label_encoder": {"a": 0}}, "names none of the 2 labels"),
        (None, {}, "takes instances or predictions"),
    ],
)
def test_labels_that_cannot_be_transformed_are_refused(data, parameters, said):
    with pytest.raises(BadData, match=f"label_transform_0: .*{said}"):
        transformed(data, **parameters)


def test_an_encoder_that_makes_one_label_of_two_cannot_be_undone():
    out, model, _ = transformed(frame([0, 1, 2]), label_encoder={"0": 0, "1": 1, "2": 1})
    assert labels(out) == [0, 1, 1]
    with pytest.raises(BadModel, match="made one label of several"):
        transformed(predictions(out, np.array([0.1, 0.9, 0.8]), [0, 1]), model=model)
    with pytest.raises(BadModel, match="none of LabelTransform"):
        transformed(out, model=object())


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"label_encoder": {}}, "names no label"),
        ({"label_list": [0, 0]}, "twice"),
        ({"label_list": [0], "label_encoder": {"0": 1, "1": 0}}, "no more and no less"),
        ({"label_encoder": {"0": [1]}}, "label_encoder"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(parameters, said):
    with pytest.raises(BadParameters, match=said):
        parse(LabelTransform.Params, parameters, "LabelTransform#label_transform_0")
