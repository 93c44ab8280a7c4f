"""Pipelines trained and predicted in one process, and their models as plans serve them."""

import json

import msgspec
import numpy as np
import pyarrow as pa

from federatedml import catalog, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.data.frame import Predictions, RawSchema, RawTable
from federatedml.params import parse
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run
from serving.model import ComponentModel, PartyModel, Pipeline
from serving.plans import compile as compile_plan
from serving.plans import parts

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
JUDGE = Party(ARBITER, "10000")

catalog.catalog()  # compiled functions are made in one thread, not in every party's

FAST = {"encrypt_param": {"method": "Paillier", "key_length": 512}}
"""Too short to be safe, long enough for the plaintexts."""


class Step:
    """A component of a pipeline. given: parameters of all parties, or by party."""

    def __init__(self, name, module, given=None, *, arbiter=False):
        self.name, self.module, self.given, self.arbiter = name, module, given or {}, arbiter

    def parameters(self, me):
        return self.given.get(me, {}) if set(self.given) & {G, BANK, SHOP} else self.given

    @property
    def trains(self):
        return self.module.lower().startswith(("hetero", "homo", "local")) and not any(
            word in self.module.lower() for word in ("binning", "selection", "onehot")
        )


def raw(rows, ids=None):
    """A table as uploaded, of rows as dicts of texts."""
    names = list(rows[0])
    columns = {name: pa.array([str(row[name]) for row in rows]) for name in names}
    key = pa.array(ids or [f"r{i}" for i in range(len(rows))])
    return RawTable(key, pa.table(columns), RawSchema(header=",".join(names), sid="id"))


def wide(lines, delimiter=","):
    """A table of rows that name their fields."""
    key = pa.array([f"r{i}" for i in range(len(lines))])
    schema = RawSchema(sid="id", wide=True, delimiter=delimiter)
    return RawTable(key, pa.table({"value": lines}), schema)


def played(steps, tables, models=None):
    """Run all steps over each party's table; what every step gives each party, {} at the arbiter.
    models: of a training, by step; then the tables are predicted."""
    data, found, alone = dict(tables), {}, models is None
    for step in steps:
        there = [*tables, *([JUDGE] if step.arbiter else [])]
        kind = ("train_data" if alone else "test_data") if step.trains else "data"

        def party(me, step=step, kind=kind):
            def play(ctx):
                ctx.name, ctx.job = step.name, {"job_type": "train" if alone else "predict"}
                component = catalog.find(step.module)
                given = {} if me == JUDGE else step.parameters(me)
                if me == JUDGE:
                    given = step.parameters(G)
                made = component(parse(component.Params, given, f"{step.module}#{step.name}"))
                named = [] if me == JUDGE else [NamedData("before_0", "data", data[me])]
                model = None if alone else models[step.name].get(me)
                if data.get(me, 1) is None:
                    named = []
                return runner.run(made, ctx, Inputs({kind: named}, model=model))

            return play

        results = run({me: party(me) for me in there}, Ctx)
        results = results[0] if isinstance(results, tuple) else results
        found[step.name] = results
        for me in tables:
            given = results[me].data
            data[me] = given[0] if given else None
    return found


def models_of(found):
    return {name: {me: out.model for me, out in by.items()} for name, by in found.items()}


def party_model(me, steps, found, parties):
    """What fateflow deploys for a party."""
    components, models, before = {"reader_0": {"module": "Reader"}}, {}, "reader_0"
    for step in steps:
        kind = "test_data" if step.trains else "data"
        node = {
            "module": step.module,
            "input": {
                "data": {kind: [f"{before}.data"]},
                "model": [f"pipeline.{step.name}.model"],
            },
        }
        components[step.name], before = node, step.name
        model = found[step.name][me].model
        if model is not None:
            fields = json.loads(msgspec.json.encode(model))
            models[f"{step.name}.model"] = ComponentModel(
                type(model).meta_name, type(model).param_name, fields["meta"], fields["param"]
            )
    roles = {}
    for one in parties:
        roles.setdefault(one.role.value, []).append(int(one.party_id))
    by_role = {}
    for one in parties:
        index = str(roles[one.role.value].index(int(one.party_id)))
        own = {step.name: dict(step.parameters(one)) for step in steps}
        by_role.setdefault(one.role.value, {})[index] = own
    conf = {"component_parameters": {"role": by_role}}
    pipeline = Pipeline(
        role=me.role.value,
        party_id=me.party_id,
        model_id="model",
        model_version="1",
        roles=roles,
        inference_dsl={"components": components},
        train_runtime_conf=conf,
    )
    return PartyModel(pipeline=pipeline, models=models, sha256="0")


class Served:
    """The plans of all parties of one training."""

    def __init__(self, steps, tables, **options):
        self.steps, self.found = steps, played(steps, tables)
        self.parties = list(tables)
        self.models = {me: party_model(me, steps, self.found, self.parties) for me in self.parties}
        self.plans = {me: compile_plan(m, **options) for me, m in self.models.items()}

    def offline(self, tables):
        """What the guest's last components say of other rows."""
        found = played(self.steps, tables, models_of(self.found))
        return [by[G].data[0] for by in found.values() if by[G].data]

    def online(self, rows, form="columns", **options):
        """Scores of rows, by party; form: rows of level 0, rows of level 1, or columns."""
        plan = self.plans[G]
        state = plan.local(plan.parse(rows[G], **options))
        answers, problems = {}, {}
        for host in plan.hosts:
            me = next(p for p in self.parties if p.party_id == host and p.role == HOST)
            theirs = self.plans[me]
            assert plan.fingerprints(host) == {
                name: theirs.fingerprints(host)[name] for name in plan.fingerprints(host)
            }
            key, setup = plan.setup(host)
            if setup:
                assert theirs.take(setup) == key
            part = theirs.part(theirs.parse(rows[me], **options), key)
            problems |= part.problems
            if form == "columns":
                told = json.loads(json.dumps(parts.columns(part)))
                answers[host] = plan.read_columns(host, told, part.n_rows)
                continue
            told = [
                json.loads(json.dumps(parts.row(part, i, compact=form == "compact")))
                for i in range(part.n_rows)
            ]
            answers[host] = plan.read_rows(host, told)
        return plan.merge(state, answers, problems)


def assert_same(served, rows, tol=1e-6, tables=None):
    """Online equals offline for all rows, whatever the form; each row alone equals itself in the
    batch bit for bit. tables: the same rows as uploaded, where they are none of dicts. Gives the
    online scores, and what was said offline."""
    tables = tables or {me: raw(of) for me, of in rows.items()}
    bare = {
        me: [{k: v for k, v in row.items() if k != "y"} for row in of] for me, of in rows.items()
    }
    said = served.offline(tables)
    predictions = [one for one in said if isinstance(one, Predictions)]
    expected = predictions[-1]
    scores = served.online(bare)
    assert not scores.problems
    np.testing.assert_allclose(scores.detail, expected.detail, rtol=0, atol=tol)
    if scores.labels is not None:
        result = expected.result
        listed = result.to_pylist() if isinstance(result, pa.Array) else result.tolist()
        assert scores.labels == listed
        assert list(scores.classes) == list(expected.classes)
    assert_one_path(served, bare, scores)
    return scores, said


def assert_one_path(served, bare, scores):
    """Every form of the hosts' answers, and every row by itself, gives the same bits."""
    for form in ("rows", "compact"):
        assert np.array_equal(served.online(bare, form).detail, scores.detail)
    for i in range(scores.n_rows):
        single = served.online({me: [of[i]] for me, of in bare.items()}, "compact")
        assert np.array_equal(single.detail[0], scores.detail[i])
        assert single.row(0) == scores.row(i)
