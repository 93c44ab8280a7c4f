"""OneHotEncoder: equal to scikit-learn's, for whole numbers and text, sparse as dense."""

import logging

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_parties import frame, kept, ran
from scipy import sparse
from sklearn.preprocessing import OneHotEncoder as Twin

from federatedml import onehot
from federatedml.components.onehot_encoder import OneHotEncoder
from federatedml.data import layout
from federatedml.errors import BadData, BadModel, BadParameters


def dense(x):
    return x.toarray() if sparse.issparse(x) else x


def numbers(seed, n=25):
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [rng.integers(-3, 4, size=n), rng.integers(0, 2, size=n), np.full(n, 7), rng.normal(size=n)]
    ).astype(float)
    x[0] = [0, 1, 7, 0.5]
    return x


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_whole_numbers_are_encoded_as_by_scikit_learn_dense_or_sparse(seed, is_sparse):
    x, new = numbers(seed), numbers(seed + 1)
    twin = Twin(handle_unknown="ignore", sparse_output=False).fit(x[:, :3])
    kind = sparse.csr_matrix if is_sparse else np.asarray
    found, model, _ = ran(OneHotEncoder, frame(kind(x)), transform_col_indexes=[0, 1, 2])
    assert sparse.issparse(found.x) == is_sparse
    np.testing.assert_array_equal(
        dense(found.x), np.column_stack([twin.transform(x[:, :3]), x[:, 3]])
    )
    later, _, _ = ran(OneHotEncoder, frame(kind(new)), model)
    np.testing.assert_array_equal(
        dense(later.x), np.column_stack([twin.transform(new[:, :3]), new[:, 3]])
    )


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["b", "a", "", "Zoë", "1", "a b"]), min_size=1, max_size=12),
    st.lists(st.sampled_from(["b", "a", "unseen"]), min_size=1, max_size=5),
)
def test_texts_are_encoded_as_by_scikit_learn(words, later):
    twin = Twin(handle_unknown="ignore", sparse_output=False)
    wanted = twin.fit_transform(np.array(words, dtype=object)[:, None])

    def table(texts):
        return frame(np.full((len(texts), 1), np.nan), ["w"], {"w": pa.array(texts)})

    found, model, _ = ran(OneHotEncoder, table(words))
    np.testing.assert_array_equal(found.x, wanted)
    assert found.texts is None
    assert found.schema.header == [f"w_{word}" for word in sorted(set(words))]
    again, _, _ = ran(OneHotEncoder, table(later), model)
    np.testing.assert_array_equal(again.x, twin.transform(np.array(later, dtype=object)[:, None]))


def test_new_columns_stand_in_the_old_ones_place_sorted_and_have_anonymous_names():
    x = np.array([[0.5, 10, 1], [0.25, 9, -1]])
    found, model, report = ran(OneHotEncoder, frame(x), transform_col_names=["c1", "c2"],
                               transform_col_indexes=None)  # fmt: skip
    assert found.schema.header == ["c0", "c1_9", "c1_10", "c2_-1", "c2_1"]
    assert found.schema.anonymous_header == [
        "guest_9999_x0", "guest_9999_x1_0", "guest_9999_x1_1", "guest_9999_x2_0", "guest_9999_x2_1",
    ]  # fmt: skip
    assert found.x.tolist() == [[0.5, 0, 1, 0, 1], [0.25, 1, 0, 1, 0]]
    assert report.told == {"original_dimension": 3, "transferred_dimension": 5}
    assert layout.from_arrow(layout.to_arrow(found)).schema == found.schema
    assert msgspec.to_builtins(model) == {
        "meta": {"transformColNames": ["c1", "c2"], "header": ["c0", "c1", "c2"], "needRun": True},
        "param": {
            "colMap": {
                "c1": {"values": ["9", "10"], "transformedHeaders": ["c1_9", "c1_10"]},
                "c2": {"values": ["-1", "1"], "transformedHeaders": ["c2_-1", "c2_1"]},
            },
            "resultHeader": ["c0", "c1_9", "c1_10", "c2_-1", "c2_1"],
        },
    }


def test_the_model_survives_its_file_and_finds_columns_in_any_order(tmp_path):
    x = numbers(1)
    found, model, _ = ran(OneHotEncoder, frame(x), transform_col_indexes=[0, 1])
    again = kept(OneHotEncoder, model, tmp_path)
    assert again == model
    names = ["c3", "more", "c1", "c0", "c2"]
    moved = frame(np.column_stack([x[:, 3], x[:, 0], x[:, 1], x[:, 0], x[:, 2]]), names)
    later, _, report = ran(OneHotEncoder, moved, again)
    np.testing.assert_array_equal(later.x, found.x)
    assert later.schema.header == found.schema.header
    assert report.told == {"transferred_dimension": len(found.schema.header)}


def test_stored_categories_are_never_run_as_code():
    word = "__import__('os').abort()"
    table = frame(np.full((1, 1), np.nan), ["w"], {"w": pa.array([word])})
    _, model, _ = ran(OneHotEncoder, table)
    again, _, _ = ran(OneHotEncoder, table, model)
    assert again.x.tolist() == [[1.0]]


def test_missing_and_unseen_values_are_zero_everywhere_and_only_counted_in_the_log(caplog):
    x = np.array([[1.0], [np.nan], [2]])
    found, model, _ = ran(OneHotEncoder, frame(x))
    assert found.x.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert found.schema.header == ["c0_1", "c0_2"]
    with caplog.at_level(logging.INFO):
        later, _, _ = ran(OneHotEncoder, frame(np.array([[77.5], [2], [np.nan], [88]])), model)
    assert later.x.tolist() == [[0, 0], [0, 1], [0, 0], [0, 0]]
    assert "2 values of 'c0' were not in training" in caplog.text
    assert "1 values of 'c0' are missing" in caplog.text
    assert "77" not in caplog.text


def test_minus_zero_is_zero():
    found, _, _ = ran(OneHotEncoder, frame(np.array([[0.0], [-0.0]])))
    assert found.schema.header == ["c0_0"]


def test_text_that_is_not_encoded_stays_text():
    texts = {"v": pa.array(["p", "q"]), "w": pa.array(["x", "y"])}
    given = frame(np.full((2, 2), np.nan), ["v", "w"], texts)
    found, model, _ = ran(OneHotEncoder, given, transform_col_indexes=[1])
    assert found.schema.header == ["v", "w_x", "w_y"]
    assert found.texts.to_pydict() == {"v": ["p", "q"]}
    assert np.isnan(found.x[:, 0]).all()
    assert found.x[:, 1:].tolist() == [[1, 0], [0, 1]]
    later, _, _ = ran(OneHotEncoder, given, model)
    assert later.texts.equals(found.texts)


def test_no_columns_chosen_is_the_same_table():
    x = numbers(2)
    found, model, _ = ran(OneHotEncoder, frame(x), transform_col_indexes=[])
    np.testing.assert_array_equal(found.x, x)
    assert model.param.col_map == {}


def test_a_table_too_wide_to_be_dense_becomes_sparse(monkeypatch):
    x = numbers(3)[:, :2]
    before, _, _ = ran(OneHotEncoder, frame(x))
    monkeypatch.setattr(onehot, "MAX_DENSE", 100)
    found, _, _ = ran(OneHotEncoder, frame(x))
    assert sparse.issparse(found.x)
    np.testing.assert_array_equal(found.x.toarray(), before.x)


def test_the_limit_of_categories_is_1024():
    x = np.arange(1024.0)[:, None]
    found, _, _ = ran(OneHotEncoder, frame(x))
    assert found.x.shape == (1024, 1024)
    with pytest.raises(BadData, match="more than 1024 categories in guest_9999_x0;"):
        ran(OneHotEncoder, frame(np.arange(1025.0)[:, None]))


@pytest.mark.parametrize(
    ("x", "names", "said"),
    [
        ([[1, 0.5], [1, 2]], None, "guest_9999_x1 has values that are no whole numbers"),
        ([[1, np.inf], [1, 2]], None, "guest_9999_x1 has values that are no whole numbers"),
        ([[1, np.nan], [1, np.nan]], None, "all values are missing in guest_9999_x1"),
        ([[1, 2], [1, 2]], ["a", "a"], "guest_9999_x0, guest_9999_x1 have the same name"),
        (np.empty((0, 1)), None, "all values are missing in guest_9999_x0"),
    ],
)
def test_columns_that_are_no_categories_are_named_by_their_anonymous_names(x, names, said, caplog):
    x = np.asarray(x, float)
    with pytest.raises(BadData, match=f"part_0: .*{said}"):
        ran(OneHotEncoder, frame(x, names))
    own = (names or [f"c{i}" for i in range(x.shape[1])])[-1]
    assert f"is {own!r}" in caplog.text


def test_new_names_that_are_taken_are_refused():
    ran(OneHotEncoder, frame(np.ones((2, 2)), ["a", "a_1"]))
    with pytest.raises(BadData, match="guest_9999_x0, guest_9999_x1 names that are taken"):
        ran(OneHotEncoder, frame(np.ones((2, 2)), ["a", "a_1"]), transform_col_indexes=[0])


def test_what_does_not_fit_the_model_is_refused(caplog):
    words = frame(np.full((2, 1), np.nan), ["w"], {"w": pa.array(["u", "v"])})
    _, model, _ = ran(OneHotEncoder, words)
    with pytest.raises(BadModel, match="was text in training and holds numbers now"):
        ran(OneHotEncoder, frame(np.eye(2)[:, :1], ["w"]), model)
    with pytest.raises(BadModel, match="lacks 1 of the 1 columns"):
        ran(OneHotEncoder, frame(np.eye(1), ["v"]), model)
    assert "'w'" in caplog.text
    with pytest.raises(BadModel, match="needs a model of OneHotEncoder"):
        ran(OneHotEncoder, words, object())
    with pytest.raises(BadParameters, match="no column 'z'"):
        ran(OneHotEncoder, words, transform_col_names=["z"])
