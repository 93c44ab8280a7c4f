"""A component is tested by existing: what it says of itself is there and agrees with its code.

Components that send nothing have no ``Wire`` and no round to describe.
"""

import inspect
import re
import sys

import pytest

from federatedml.catalog import catalog, description
from federatedml.component import Model, Trainer
from federatedml.params import Params, parse, shown
from federation import Message, Role

COMPONENTS = {cls.module: cls for cls in catalog().values()}
HEADS = ("Parties", "Maths", "Round", "Trusts", "Source")


def module_of(component):
    return sys.modules[component.__module__]


def wire_of(component):
    return getattr(module_of(component), "Wire", None)


def messages_of(component):
    return [m for m in vars(wire_of(component) or object).values() if isinstance(m, Message)]


TALKING = sorted(name for name, cls in COMPONENTS.items() if messages_of(cls))


@pytest.fixture(params=TALKING)
def talking(request):
    return COMPONENTS[request.param]


@pytest.fixture(params=sorted(COMPONENTS))
def component(request):
    return COMPONENTS[request.param]


def test_the_docstring_states_the_protocol(talking):
    doc = f"\n{module_of(talking).__doc__}"
    missing = [head for head in HEADS if not re.search(rf"\n{head}[\s:]", doc)]
    assert not missing, f"{talking.module}: add {missing} to the module docstring"


def test_every_message_says_what_it_reveals(talking):
    assert [m.name for m in messages_of(talking) if not m.reveals.strip()] == []


def test_every_message_declares_a_type(talking):
    untyped = [m.name for m in messages_of(talking) if not hasattr(m, "__orig_class__")]
    assert untyped == []


def test_every_role_that_talks_has_a_method(talking):
    roles = {role for m in messages_of(talking) for role in m.src | m.dst}
    stages = ("fit", "transform", "predict")
    silent = [
        role
        for role in roles
        if not any(hasattr(talking, f"{s}_{role}") or hasattr(talking, s) for s in stages)
    ]
    assert silent == []


def test_every_step_of_the_round_is_marked_in_the_code(talking):
    doc, code = module_of(talking).__doc__, inspect.getsource(module_of(talking))
    steps = sorted(set(re.findall(r"^ +\((\d+)\) ", doc, flags=re.M)), key=int)
    comments = " ".join(re.findall(r"#.*", code))
    unmarked = [step for step in steps if f"({step})" not in comments]
    assert not unmarked, f"{talking.module}: mark steps {unmarked} with # (n)"


def test_names_on_the_wire_are_unique():
    known = {}
    for name in TALKING:
        for message in messages_of(COMPONENTS[name]):
            assert known.setdefault(message.name, message) is message, message.name


TABLE = {"namespace": "n", "name": "t"}
NEEDED = {  # what has no default, because nobody could guess it
    "CacheLoader": {"cache_key": "k"},
    "Download": {**TABLE, "output_path": "/tmp/t.csv"},
    "ModelLoader": {"model_id": "m", "model_version": "1", "component_name": "c"},
    "Reader": {"table": TABLE},
    "Upload": {**TABLE, "file": "t.csv"},
    "Writer": TABLE,
}


def test_parameters_have_defaults_and_survive_their_json(component):
    assert issubclass(component.Params, Params)
    params = parse(component.Params, NEEDED.get(component.module, {}), component.module)
    assert parse(component.Params, shown(params), component.module) == params


def test_it_has_roles_and_a_model_with_names(component):
    assert component.roles() <= set(Role)
    assert component.roles()
    if component.Model is not None:
        assert issubclass(component.Model, Model)
        assert component.Model.meta_name.endswith("Meta")
        assert component.Model.param_name.endswith("Param")
    elif issubclass(component, Trainer):
        pytest.fail(f"{component.module} trains and declares no Model")


def test_the_catalogue_says_which_trainings_need_an_arbiter():
    needing = {name for name, entry in description().items() if entry["needs_arbiter"]}
    assert needing == {
        "HeteroKmeans", "HeteroLR", "HeteroLinR", "HeteroPoisson", "HomoFeatureBinning",
        "HomoLR", "HomoOneHotEncoder", "HomoSecureBoost",
    }  # fmt: skip
