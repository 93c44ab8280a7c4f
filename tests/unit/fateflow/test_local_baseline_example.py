"""examples/local_baseline is a job that a node accepts, for every party."""

import json
from pathlib import Path

import pytest

from fateflow.domain import conf as domain_conf
from fateflow.domain import dsl as domain_dsl
from federatedml.catalog import find
from federatedml.local_options import ESTIMATORS
from federatedml.params import parse

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "local_baseline"


def read(name):
    return json.loads((EXAMPLE / name).read_text("utf8"))


@pytest.mark.parametrize("role", ["guest", "host", "arbiter"])
def test_every_component_takes_its_parameters(role):
    dag, conf = domain_dsl.parse(read("dsl.json")), domain_conf.parse(read("conf.json"))
    assert domain_conf.configured_components(conf) <= set(dag.components)
    for name, node in dag.components.items():
        given = domain_conf.component_parameters(conf, name, role, 0)
        component = find(node.module)
        if role in {r.value for r in component.roles()} and given:
            parse(component.Params, given, f"{node.module}#{name}")
    idle = {name for name in dag.components if name.startswith("local_baseline") and role == "host"}
    for name in idle:
        assert domain_conf.component_parameters(conf, name, role, 0)["need_run"] is False


def test_the_page_names_every_estimator():
    page = (ROOT / "docs" / "howto" / "compare-with-a-local-model.md").read_text("utf8")
    assert [name for name in ESTIMATORS if f" {name}" not in page.replace("\n", " ")] == []
