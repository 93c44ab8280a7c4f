"""DataStatistics: measures by column as FATE shows them, and what is refused."""

import logging

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from plain_parties import G, frame, kept
from scipy import sparse, stats

from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.data_statistics import DataStatistics, StatisticsParam
from federatedml.data.frame import FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths.statistics import SUMMARY
from federatedml.params import parse
from federatedml.runner import run

X = np.array([[1.0, 5.0, 0.0], [2.0, np.nan, 0.0], [4.0, 7.0, 0.0], [9.0, 8.0, 6.0]])


def ran(x=X, names=None, /, *, data=None, model=None, **params):
    """The outputs, and the report."""
    ctx = Ctx(G, [G], None)
    ctx.name = "statistic_0"
    component = DataStatistics(parse(StatisticsParam, params, "DataStatistics#statistic_0"))
    data = data if data is not None else frame(x, names)
    given = Inputs({"data": [NamedData("before_0", "data", data)]}, model=model)
    return run(component, ctx, given), ctx.report


def test_the_model_has_fates_names_and_an_entry_for_each_measure():
    outputs, report = ran(statistics=["95%", "coefficient_of_variance", "stddev"])
    fields = msgspec.to_builtins(outputs.model)
    measures = [*SUMMARY, "95%"]
    assert fields["meta"] == {
        "statistics": measures,
        "staticColumns": ["c0", "c1", "c2"],
        "quantileError": 0.0001,
        "needRun": True,
    }
    results = fields["param"].pop("selfValues")["results"]
    assert fields["param"] == {"hostValues": {}, "modelName": "statistic_model"}
    assert [one["valueName"] for one in results] == measures
    assert all(one["colNames"] == ["c0", "c1", "c2"] for one in results)
    assert results[-1]["values"] == [9.0, 8.0, 6.0]
    assert results[measures.index("missing_count")]["values"] == [0.0, 1.0, 0.0]
    assert (outputs.data, report.metrics) == ([], {})


def test_the_summary_tells_measures_by_column_and_counts_as_whole_numbers():
    _, report = ran(statistics=["count", "variance", "50%"])
    assert set(report.told) == {"c0", "c1", "c2"}
    told = report.told["c1"]
    assert set(told) == {*SUMMARY, "count", "variance", "50%"}
    assert told["missing_count"] == 1
    assert type(told["missing_count"]) is type(told["count"]) is int
    assert told["missing_ratio"] == 0.25
    assert told["median"] == told["50%"] == 7.0
    assert told["variance"] == pytest.approx(np.var([5.0, 7.0, 8.0]))
    assert told["skewness"] == pytest.approx(stats.skew([5.0, 7.0, 8.0]))


def values(model, measure):
    """As a reader of the model takes them: by column."""
    one = next(one for one in model.param.self_values.results if one.value_name == measure)
    return dict(zip(one.col_names, map(float, one.values), strict=True))


def test_a_model_tells_each_measure_by_column_after_it_was_kept(tmp_path):
    outputs, _ = ran()
    model = kept(DataStatistics, outputs.model, tmp_path)
    assert values(model, "max") == {"c0": 9.0, "c1": 8.0, "c2": 6.0}
    assert model == outputs.model


def test_without_bias_skewness_and_kurtosis_are_corrected():
    _, report = ran(X[:, :1], bias=False)
    assert report.told["c0"]["skewness"] == pytest.approx(stats.skew(X[:, 0], bias=False))
    assert report.told["c0"]["kurtosis"] == pytest.approx(stats.kurtosis(X[:, 0], bias=False))


def test_columns_are_chosen_by_index_and_by_name_together():
    assert ran(column_indexes=[2], column_names=["c0"])[0].model.meta.static_columns == ["c0", "c2"]
    assert ran(column_indexes=None, column_names=["c1"])[0].model.meta.static_columns == ["c1"]


def test_columns_of_another_party_are_left_out_while_there_are_some_of_ones_own(caplog):
    outputs, _ = ran(column_indexes=[1, 12], column_names=["x3"])
    assert outputs.model.meta.static_columns == ["c1"]
    assert "not of this party" in caplog.text
    for indexes, names in (([], ["x3"]), ([12], []), ([3], ["x3"]), (None, ["x3"])):
        with pytest.raises(BadParameters, match=r"has none of the columns.* it has 3") as refusal:
            ran(column_indexes=indexes, column_names=names)
        assert "c0" not in str(refusal.value)
    assert "'c0', 'c1', 'c2'" in caplog.text
    with pytest.raises(BadData, match="no column to describe"):
        ran(column_indexes=[])


def test_abnormal_values_are_left_out_texts_of_numbers_too():
    _, report = ran(abnormal_list=["9", 1, "NA"], statistics="count")
    assert report.told["c0"]["count"] == 2
    assert (report.told["c0"]["min"], report.told["c0"]["max"]) == (2.0, 4.0)
    assert report.told["c0"]["missing_count"] == 0


def test_a_sparse_table_counts_its_zeros():
    dense, thin = ran()[1].told, ran(sparse.csr_matrix(X))[1].told
    for name in dense:
        assert thin[name] == pytest.approx(dense[name])


def test_a_column_without_values_is_told_as_missing_and_nothing_else(tmp_path, caplog):
    x = np.column_stack([X[:, 0], np.full(4, np.nan)])
    outputs, report = ran(x, ["age", "income"])
    told = report.told["income"]
    assert (told["missing_ratio"], told["missing_count"]) == (1.0, 4)
    assert {told[name] for name in SUMMARY if not name.startswith("missing")} == {"NaN"}
    assert np.isnan(values(kept(DataStatistics, outputs.model, tmp_path), "mean")["income"])
    assert values(outputs.model, "mean")["age"] == 4.0
    assert "'income'" in caplog.text


@pytest.mark.parametrize(
    ("x", "what"),
    [
        (np.full((3, 2), np.nan), "no value in guest_9999_x0, guest_9999_x1"),
        (np.array([[1.0, np.inf], [2.0, 3.0]]), "too large values in guest_9999_x1;"),
        (np.array([[1.5e308, 1.0], [1.5e308, 2.0]]), "too large values in guest_9999_x0;"),
        (np.empty((0, 2)), "no rows"),
        (np.empty((2, 0)), "no column to describe"),
    ],
)
def test_tables_that_nothing_describes_are_refused_with_anonymous_names(x, what, caplog):
    with pytest.raises(BadData, match=what) as refusal, caplog.at_level(logging.ERROR):
        ran(x, ["age", "income"][: x.shape[1]])
    assert "age" not in str(refusal.value)
    assert "income" not in str(refusal.value)
    if "guest" in what:  # its owner reads in the log which they are
        assert "'age'" in caplog.text or "'income'" in caplog.text


def test_text_and_twins_are_refused():
    words = frame(X[:, :2], ["a", "city"], {"city": pa.array(list("abcd"))})
    with pytest.raises(BadData, match="guest_9999_x1 is text"):
        ran(data=words)
    assert ran(data=words, column_indexes=[0])[0].model.meta.static_columns == ["a"]
    with pytest.raises(BadData, match="same name"):
        ran(X, ["a", "b", "a"])


def test_what_is_no_table_of_instances_is_refused():
    ctx = Ctx(G, [G], None)
    ctx.name = "statistic_0"
    with pytest.raises(BadData, match="statistic_0 takes instances"):
        run(DataStatistics(StatisticsParam()), ctx, Inputs({"data": []}))


@pytest.mark.parametrize("statistics", ["mode", "101%", ["mean", "1005%"], ["95 %"]])
def test_unknown_measures_are_refused_with_those_there_are(statistics):
    with pytest.raises(BadParameters, match=r"is no measure; there are: summary, .*skewness.*100%"):
        parse(StatisticsParam, {"statistics": statistics}, "DataStatistics#statistic_0")


def test_what_is_asked_for_is_added_to_the_summary_once():
    given = {"statistics": ["summary", "mean", "5%", "5%"]}
    assert parse(StatisticsParam, given, "x").measures == [*SUMMARY, "5%"]
    assert parse(StatisticsParam, {}, "x").measures == list(SUMMARY)


def test_later_data_change_nothing(tmp_path):
    model = kept(DataStatistics, ran()[0].model, tmp_path)
    outputs, report = ran(X[:1], model=model)
    assert outputs.model is model
    assert report.told == {}
    with pytest.raises(BadModel, match="needs a model of DataStatistics"):
        ran(model=object())


def test_a_table_without_anonymous_names_is_refused_by_numbers():
    data = frame(np.array([[np.inf], [1.0]]), ["age"])
    bare = type(data)(data.ids, data.x, FrameSchema(header=["age"]))
    with pytest.raises(BadData, match="values in column 0;"):
        ran(data=bare)
