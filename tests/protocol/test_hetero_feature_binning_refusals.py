"""HeteroFeatureBinning: what is refused, in words that say whose fault it is and what to do."""

from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from federatedml.component import Ctx
from federatedml.components import hetero_feature_binning
from federatedml.components.hetero_feature_binning import HostBins
from federatedml.crypto import lattice, lattice_sums, paillier
from federatedml.data.frame import FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import binning
from federatedml.params_shared import EncryptParam
from federatedml.protocols import label_sums
from federatedml.protocols.label_sums import Classes
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests.protocol.binning_parties import BANK, G, frame, frames, labels, params, played

# Parameters.


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bin_num": 0}, r"bin_num.*>= 1"),
        ({"method": "quantil"}, "allowed: quantile, bucket, optimal"),
        ({"skip_static": True, "method": "optimal"}, "skip_static counts no labels"),
        ({"skip_static": True, "transform_param": {"transform_type": "woe"}}, "no WOE"),
        ({"encrypt_param": {"method": None}}, "labels in the clear"),
        ({"adjustment_factor": 0}, "adjustment_factor"),
        ({"split_points_by_col_name": {"a": [2, 1]}}, "by_col_name.a: .*ascend"),
        ({"split_points_by_index": {"0": []}}, "by_index.0: .*at least one"),
        (
            {"method": "optimal", "bin_num": 2, "optimal_binning_param": {"max_bin_pct": 0.3}},
            "at least 4 bins; bin_num is 2",
        ),
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bin_names": ["h9"], "bin_indexes": []}, "there is no column 'h9'"),
        ({"bin_indexes": [5]}, "no column 5; the table has columns 0 to 4"),
        ({"category_names": ["q"]}, "there is no column 'q'"),
        (
            {"bin_indexes": [1], "transform_param": {"transform_cols": [0]}},
            "transform_param: column 0 is not binned",
        ),
        (
            {"bin_indexes": [0, 1], "split_points_by_col_name": {"h1": [1.0]}},
            "column 0 is binned but without split points",
        ),
        (
            {"bin_indexes": [1], "split_points_by_index": {"0": [1.0], "1": [1.0]}},
            "column 0 is given split points but not binned",
        ),
        (
            {"split_points_by_index": {"0": [1.0]}, "split_points_by_col_name": {"h0": [1.0]}},
            "column 'h0' has split points by index and by name",
        ),
        ({"split_points_by_index": {"one": [1.0]}}, "'one' is no column number"),
        ({"transform_param": {"transform_type": "woe"}}, "a host knows no labels"),
    ],
)
def test_columns_and_wishes_that_do_not_go_together_are_refused(given, said):
    with pytest.raises(BadParameters, match=said):
        played({G: params(), BANK: params(**given)}, frames())


def test_a_host_cannot_bin_optimally_alone():
    p = {G: params(local_only=True), BANK: params(local_only=True, method="optimal")}
    with pytest.raises(BadParameters, match="local_only a host learns nothing"):
        played(p, frames())


@pytest.mark.parametrize("name", ["skip_static", "local_only"])
def test_parties_must_agree_on_whether_labels_are_counted(name):
    with pytest.raises(BadParameters, match=f"{name} is true here and false at the guest"):
        played({G: params(), BANK: params(**{name: True})}, frames())


# Data.


def refused(data, said, **given):
    with pytest.raises(BadData, match=said):
        played(params(**given), data)


@pytest.mark.parametrize("pack", [lambda x: x, sparse.csr_matrix], ids=["dense", "sparse"])
def test_a_column_without_any_value_is_named(pack):
    data = frames(missing=False)
    x = data[BANK].x.copy()
    x[:, 1] = np.nan
    for method in ("quantile", "bucket", "optimal"):
        refused({**data, BANK: frame(pack(x), "h")}, "column 1 is without any value", method=method)
    played(params(bin_indexes=[0, 2]), {**data, BANK: frame(pack(x), "h")})


def test_a_column_with_infinite_values_is_named():
    data = frames()
    data[G].x[3, 1] = -np.inf
    refused(data, "column 1 is infinite in some rows")


def test_a_column_of_texts_is_named():
    data = frames()
    words = pa.table({"g2": ["a"] * 80})
    refused({**data, G: replace(data[G], texts=words)}, "column 2 is text")


def test_an_error_that_all_parties_read_has_anonymous_names(caplog):
    data = frames(missing=False)
    anonymous = [f"host_10000_x{i}" for i in range(5)]
    schema = msgspec.structs.replace(data[BANK].schema, anonymous_header=anonymous)
    data[BANK] = replace(data[BANK], schema=schema)
    data[BANK].x[3, 1] = np.inf
    with pytest.raises(BadData, match="host_10000_x1 is infinite") as refusal:
        played(params(), data)
    assert "h1" not in str(refusal.value)
    assert "host_10000_x1 is 'h1'" in caplog.text


def test_columns_of_one_name_are_refused():
    """A model knows columns by their names: one would have the other's bins."""
    data = frames()
    schema = FrameSchema(header=["h0", "h1", "h1", "h3", "h4"])
    refused({**data, BANK: replace(data[BANK], schema=schema)}, "column 1, column 2 have the same")
    apart = params(bin_indexes=[0, 1, 3])
    played({G: params(), BANK: apart}, {**data, BANK: replace(data[BANK], schema=schema)})


def test_an_empty_table_is_refused():
    refused({me: f.take(np.arange(0)) for me, f in frames().items()}, "there are no rows")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (None, "label is not there"),
        (np.full(80, np.nan), "missing or infinite in some rows"),
        (np.r_[np.inf, np.arange(79.0) % 2], "missing or infinite in some rows"),
        (np.ones(80, dtype=np.int64), "label has one value only"),
        (pa.array(["a", None] * 40), "missing or infinite in some rows"),
    ],
)
def test_labels_that_cannot_be_counted_are_refused(label, said):
    data = frames()
    refused({**data, G: replace(data[G], label=label)}, said)


def test_a_number_that_was_measured_is_no_label():
    data = frames(300)
    refused({**data, G: replace(data[G], label=np.arange(300) * 0.5)}, "300 values, 256 at most")


@pytest.mark.parametrize("who", [G, BANK])
def test_optimal_binning_and_woe_are_for_two_labels(who):
    data = frames(n_classes=3)
    wishes = {"method": "optimal"}
    said = "method optimal, which tells two labels apart; here are 3"
    with pytest.raises(BadData, match=said):
        played({me: params(**(wishes if me == who else {})) for me in data}, data)
    if who == G:
        woe = params(transform_param={"transform_type": "woe"})
        with pytest.raises(BadData, match="woe is for two labels; here are 3"):
            played({G: woe, BANK: params()}, data)


def test_rows_of_the_parties_must_be_the_same():
    data = frames()
    refused({**data, BANK: data[BANK].take(np.arange(79, -1, -1))}, "Intersection")


# Later data.


@pytest.fixture(scope="module")
def models():
    data = frames(missing=False)
    results, _ = played(params(category_indexes=[3]), data)
    return {me: outputs.model for me, (outputs, _) in results.items()}


def test_later_data_must_have_all_columns(models):
    new = frames(missing=False)
    new[BANK] = frame(new[BANK].x[:, :3], "h")
    with pytest.raises(
        BadData, match="lacks 2 of the 5 columns that were binned; this party's log"
    ):
        played(params(), new, models, "test_data")


@pytest.mark.parametrize("pack", [lambda x: x, sparse.csr_matrix], ids=["dense", "sparse"])
def test_categories_that_the_training_did_not_have_are_refused(models, pack):
    new = frames(missing=False)
    new[BANK].x[:2, 3] = 17.0
    new[BANK] = frame(pack(new[BANK].x), "h")
    with pytest.raises(BadData, match="column 3 has in 2 rows categories"):
        played(params(category_indexes=[3]), new, models, "test_data")


def test_missing_values_have_no_woe_if_the_training_had_none(models):
    new = frames(missing=True)
    woe = params(transform_param={"transform_type": "woe"})
    with pytest.raises(
        BadData, match="column 0 has missing values, of which the training had none"
    ):
        played({G: woe, BANK: params()}, new, models, "test_data")


def test_a_host_model_without_woe_gives_none(models):
    woe = params(transform_param={"transform_type": "woe"})
    with pytest.raises(BadModel, match="this one has none"):
        played({G: params(), BANK: woe}, frames(missing=False), models, "test_data")


def test_later_data_is_counted_under_one_scheme(models):
    ou = params(encrypt_param={"method": "OU", "key_length": 512})
    with pytest.raises(BadParameters, match="means OU here and another scheme at the guest"):
        played({G: params(), BANK: ou}, frames(missing=False), models, "test_data")


def test_a_model_of_another_component_is_refused():
    with pytest.raises(BadModel, match="none of HeteroFeatureBinning"):
        played(params(), frames(), dict.fromkeys((G, BANK), object()), "test_data")


# What a peer may not send.


def sound():
    return HostBins(
        names=["host_10000_x0", "host_10000_x1"],
        n_points=np.array([2, 1]),
        rows=np.array([3, 2, 0, 4, 1]),
        merges=np.array([True, False]),
        metric="iv",
        bin_num=3,
        min_pct=0.1,
        max_pct=1.0,
        mixture=True,
    )


def test_sound_bins_are_taken():
    rows = hetero_feature_binning._checked_rows(BANK, sound(), 5)
    assert [r.tolist() for r in rows] == [[3, 2, 0], [4, 1]]


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["a"]},
        {"names": ["a", "a"]},
        {"n_points": np.array([2, 0])},
        {"n_points": np.array([2, 2])},
        {"n_points": np.array([[2], [1]])},
        {"merges": np.array([True])},
        {"rows": np.array([6, -1, 0, 4, 1])},
        {"rows": np.array([3, 2, 1, 4, 1])},
        {"n_points": np.array([2**62, 2**62 + 3]), "merges": np.array([True, False])},
        {"n_points": np.array([70_000, 1]), "rows": np.r_[5, np.zeros(70_000, int), 5, 0]},
        {"n_points": np.array([4, 1]), "rows": np.array([2**62] * 4 + [5, 4, 1])},
    ],
)
def test_bins_of_a_host_that_do_not_fit_together_are_refused(change):
    with pytest.raises(ProtocolViolation):
        hetero_feature_binning._checked_rows(BANK, msgspec.structs.replace(sound(), **change), 5)


@pytest.mark.parametrize("change", [{"metric": "auc"}, {"bin_num": 0}, {"max_pct": 0.0}])
def test_rules_of_a_host_that_do_not_exist_are_refused(change):
    with pytest.raises(ProtocolViolation, match="rules"):
        hetero_feature_binning._rules(BANK, msgspec.structs.replace(sound(), **change), 0.5)


@pytest.mark.parametrize("ends", [[], [[1], [0]], [[0]], [[1, 0]], [[-1, 1]], [[2]], [[]], [[[1]]]])
def test_ends_that_are_not_of_a_hosts_bins_are_refused(ends):
    told = [np.array(last, dtype=np.int64) for last in ends]
    ctx = Ctx(BANK, [G, BANK], None)
    with pytest.raises(ProtocolViolation, match="not the ends"):
        hetero_feature_binning._checked_ends(ctx, told, sound())


N = 40
OF = binning.binned(np.arange(float(N))[:, None], [0], [np.array([9.0, 19.0, 39.0])])
ROWS = [np.array([10, 10, 20, 0])]
CLASSES = Classes(labels(N, 0).astype(np.int32), 2)


def asked(guest, param=None):
    """A guest that plays as told beside a host that answers."""
    answer = param or EncryptParam()
    return run({G: guest, BANK: lambda ctx: label_sums.answered(ctx, answer, OF, ROWS)}, Ctx)


def test_a_host_sums_under_no_weaker_key_than_it_asks_for():
    public, _ = paillier.keygen(256)

    def guest(ctx):
        ctx.remote(label_sums.Wire.integer_key, public)

    with pytest.raises(ProtocolViolation, match="256 bits; encrypt_param asks here for Paillier"):
        asked(guest, EncryptParam(method="Paillier", key_length=512))
    with pytest.raises(ProtocolViolation, match="asks here for OU"):
        asked(guest, EncryptParam(method="OU", key_length=128))


def test_a_host_sums_in_no_more_room_than_counts_need():
    """More room, and a guest could pack many answers into one sum."""
    params_, _ = lattice_sums.shape(N, 1, 40)

    def guest(ctx):
        ctx.remote(label_sums.Wire.lattice_key, lattice.keygen(params_).public)

    with pytest.raises(ProtocolViolation, match="other parameters"):
        asked(guest)


@pytest.mark.parametrize(("n", "bits"), [(1, 22), (2**21 - 1, 22), (2**21, 23), (2**30, 32)])
def test_sums_have_a_bit_more_than_the_number_of_rows(n, bits):
    assert label_sums._word_bits(n) == bits


@pytest.mark.parametrize("n_words", [0, 256])
def test_a_host_counts_no_more_classes_than_a_label_has(n_words):
    secret = lattice.keygen(lattice_sums.shape(N, 1, 22)[0])
    _, cut = lattice_sums.shape(N, 2, 22)
    one = lattice_sums.sealed(secret, CLASSES.words[:, 0].copy(), cut)

    def guest(ctx):
        ctx.remote(label_sums.Wire.lattice_key, secret.public)
        ctx.remote(label_sums.Wire.sealed_classes, [one] * n_words)

    with pytest.raises(ProtocolViolation, match=f"words of {n_words + 1} classes"):
        asked(guest)


def test_ciphertexts_of_another_key_are_refused():
    mine, other = (lattice.keygen(lattice_sums.shape(N, 1, 22)[0]) for _ in range(2))
    _, cut = lattice_sums.shape(N, 2, 22)

    def guest(ctx):
        ctx.remote(label_sums.Wire.lattice_key, mine.public)
        sealed = lattice_sums.sealed(other, CLASSES.words[:, 0].copy(), cut)
        ctx.remote(label_sums.Wire.sealed_classes, [sealed])

    with pytest.raises(ProtocolViolation):
        asked(guest)


@pytest.mark.parametrize("method", ["Lattice", "Paillier"])
def test_a_guest_believes_no_sums_that_its_rows_cannot_have(method):
    """The host counts other rows than those it told of."""
    param = EncryptParam(method=method, key_length=256)
    told = [np.array([1, 1, 38, 0])]

    def host(ctx):
        label_sums.answered(ctx, param, OF, told)

    def guest(ctx):
        return label_sums.counted(ctx, param, CLASSES, {BANK: told})

    with pytest.raises(ProtocolViolation, match="sums that no rows have"):
        run({G: guest, BANK: host}, Ctx)
