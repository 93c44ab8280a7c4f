"""Which component's rows are kept: the one whose scores a serving gives."""

import pytest

from fateflow.domain import dsl as dsls
from fateflow.scheduler.kept_rows import scoring_component


def pipeline(*models):
    """A DSL of a reader, a transform and models that are trained on it."""
    components = {
        "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
        "data_transform_0": {
            "module": "DataTransform",
            "input": {"data": {"data": ["reader_0.data"]}},
            "output": {"data": ["data"], "model": ["model"]},
        },
    }
    for name, module in models:
        components[name] = {
            "module": module,
            "input": {"data": {"train_data": ["data_transform_0.data"]}},
            "output": {"data": ["data"], "model": ["model"]},
        }
    return {"components": components}


LR, BASELINE = ("hetero_lr_0", "HeteroLR"), ("local_baseline_0", "LocalBaseline")


@pytest.mark.parametrize(
    ("trained", "deployed", "expected"),
    [
        ((LR,), (LR,), "hetero_lr_0"),
        ((LR, BASELINE), (LR, BASELINE), "hetero_lr_0"),
        ((BASELINE,), (BASELINE,), "local_baseline_0"),
        ((("hetero_lr_1", "HeteroLR"), LR), (LR, ("hetero_lr_1", "HeteroLR")), "hetero_lr_1"),
        ((LR,), (), ""),
    ],
)
def test_the_last_model_of_the_pipeline_that_both_parties_score(trained, deployed, expected):
    train = dsls.parse(pipeline(*trained))
    assert scoring_component(train, pipeline(*deployed)) == expected
