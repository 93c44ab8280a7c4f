"""HeteroFeatureSelection: its model, summary, messages, and later data."""

import msgspec
import numpy as np

from federatedml import archive
from federation import codec
from tests.protocol.selection_parties import (
    BANK,
    SHOP,
    G,
    anonymous,
    frames,
    iv_of,
    left,
    params,
    played,
)


def everything():
    """A run with several filters at a guest and two hosts."""
    data = frames({G: 3, BANK: 3, SHOP: 2})
    values = {G: [0.9, 0.1, 0.4], BANK: [0.05, 0.8, 0.2], SHOP: [0.3, 0.2]}
    p = params(
        filter_methods=["manually", "iv_filter", "iv_top_k"],
        manually_param={"filter_out_indexes": [0]},
        iv_param={"threshold": 0.15},
        iv_top_k_param={"k": 3},
    )
    return data, *played(p, data, iv_of(data, values))


def test_the_model_has_fates_names_and_nesting():
    _, results, _ = everything()
    shown = msgspec.to_builtins(results[G][0].model)
    assert shown["meta"]["filterMethods"] == ["manually", "iv_filter", "iv_top_k"]
    assert shown["meta"]["cols"] == ["a0", "a1", "a2"]
    assert shown["meta"]["needRun"]
    assert shown["meta"]["filterMetas"][1:] == [
        {
            "metrics": "iv", "filterType": kind, "takeHigh": True, "threshold": threshold,
            "selectFederated": True, "filterOutNames": "",
        }
        for kind, threshold in (("threshold", 0.15), ("top_k", 3.0))
    ]  # fmt: skip
    param = shown["param"]
    assert param["header"] == ["a0", "a1", "a2"]
    assert param["colNameToAnonymDict"] == dict(zip(param["header"], anonymous(G, 3), strict=True))
    assert param["finalLeftCols"] == {"originalCols": param["header"], "leftCols": {"a2": True}}
    assert param["colNames"] == ["a2", "a1", "a0"]
    bank, shop = anonymous(BANK, 3), anonymous(SHOP, 2)
    assert param["hostColNames"] == [
        {"colNames": [bank[1], bank[2]], "partyId": "10000"},
        {"colNames": [shop[1]], "partyId": "10001"},
    ]
    assert param["results"][1] == {
        "filterName": "iv_threshold",
        "featureValues": {"a1": 0.1, "a2": 0.4},
        "leftCols": {"originalCols": ["a1", "a2"], "leftCols": {"a2": True}},
        "hostFeatureValues": [
            {"featureValues": {bank[1]: 0.8, bank[2]: 0.2}}, {"featureValues": {shop[1]: 0.2}},
        ],
        "hostLeftCols": [
            {"originalCols": bank[1:], "leftCols": {bank[1]: True, bank[2]: True}},
            {"originalCols": shop[1:], "leftCols": {shop[1]: True}},
        ],
    }  # fmt: skip


def test_a_hosts_model_has_no_value_that_the_labels_made():
    _, results, _ = everything()
    param = results[BANK][0].model.param
    assert [r.feature_values for r in param.results] == [{}, {}, {}]
    assert [r.host_feature_values for r in param.results] == [[], [], []]
    (names,) = param.host_col_names
    assert (names.party_id, names.col_names) == ("10000", anonymous(BANK, 3))


def test_the_summary_has_every_filter_and_all():
    _, results, _ = everything()
    told = results[BANK][1].told
    assert list(told) == ["manually", "iv_threshold", "iv_top_k", "all"]
    assert told["manually"]["last_col_nums"] == told["all"]["last_col_nums"] == 3
    assert told["all"]["left_col_names"] == left(results)[BANK]


def test_parties_exchange_exactly_the_declared_messages(golden):
    data, _, transcript = everything()
    lines = sorted(
        [s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value)]
        for s in transcript
    )
    golden("hetero_feature_selection_two_hosts", lines)
    own = {name for frame in data.values() for name in frame.schema.header}
    for s in transcript:
        assert not own & set(getattr(s.value, "names", []))


def test_later_data_has_the_same_columns(tmp_path):
    data, results, _ = everything()
    models = {}
    for me, (outputs, _) in results.items():
        path = tmp_path / f"{me.party_id}.json"
        archive.save(path, "HeteroFeatureSelection", outputs.model)
        models[me] = archive.load(path)
    later = frames({G: 3, BANK: 3, SHOP: 2}, n=7, seed=9)
    again, transcript = played(params(), later, models=models)
    assert left(again) == left(results)
    assert not transcript
    at = [data[BANK].schema.header.index(name) for name in left(again)[BANK]]
    np.testing.assert_array_equal(again[BANK][0].data[0].x, later[BANK].x[:, at])
