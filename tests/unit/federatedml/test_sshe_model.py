"""Shared weights in a model's JSON."""

import numpy as np
import pytest

from federatedml import sshe_model
from federatedml.crypto import rings
from federatedml.errors import BadModel
from federatedml.lr_model import SingleModel
from federation import GUEST, HOST


def model(names, words):
    return SingleModel(encrypted_weight=sshe_model.texts(names, words))


def test_shares_survive_their_text():
    words = rings.random((4,), 128)
    names = sshe_model.peer_names(HOST, 4)
    np.testing.assert_array_equal(sshe_model.shares(model(names, words), names, "x"), words)
    assert sshe_model.n_shared(model(names, words), HOST) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cipherText", str(1 << 128)),
        ("cipherText", "-1"),
        ("cipherText", "weight"),
        ("exponent", "-20"),
        ("publicKey", {"n": "77"}),
        ("publicKey", None),
    ],
)
def test_texts_that_are_no_shares_are_refused(field, value):
    broken = model(["a"], rings.random((1,), 128))
    broken.encrypted_weight["a"][field] = value
    with pytest.raises(BadModel, match="no shares of these 1 columns"):
        sshe_model.shares(broken, ["a"], "x")
    with pytest.raises(BadModel, match="no shares"):
        sshe_model.shares(broken, ["b"], "x")


def test_a_model_tells_whose_weights_it_hides():
    words = rings.random((3,), 128)
    own, host, guest = ["x0", "x1", sshe_model.INTERCEPT], "host[0]", "guest[0]"
    assert sshe_model.begun(None, own, HOST) == ""
    assert sshe_model.begun(SingleModel(weight={"x0": 1.0}), own, HOST) == ""
    assert sshe_model.begun(model([host], words[:1]), own, HOST) == "host"
    assert sshe_model.begun(model(["x0", "x1", host], words), own, HOST) == "all"
    assert sshe_model.begun(model(["x0"], words[:1]), ["x0"], GUEST) == "host"
    assert sshe_model.begun(model(["x0", guest], words[:2]), ["x0"], GUEST) == "all"
    assert sshe_model.own_names(["x0", "x1"], has_intercept=True) == own
