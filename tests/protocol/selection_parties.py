"""Parties of feature selection, with models made by hand in place of components before it."""

import numpy as np
import pyarrow as pa

from federatedml.binning_model import (
    BinnedColumn,
    BinningMeta,
    BinningModel,
    BinningParam,
    MultiClassResult,
    PartyResult,
)
from federatedml.boosting_model import BoostingMeta, BoostingModel, BoostingParam, Importance
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.data_statistics import (
    Measured,
    OnePartyResult,
    StatisticMeta,
    StatisticModel,
    StatisticParam,
)
from federatedml.components.hetero_feature_selection import HeteroFeatureSelection
from federatedml.components.psi import PSIMeta, PSIModel, PsiSummary
from federatedml.data.frame import Frame, FrameSchema
from federatedml.params import parse
from federatedml.pearson_model import (
    Names,
    PearsonModel,
    PearsonModelMeta,
    PearsonModelParam,
    numbers,
)
from federatedml.runner import run as run_component
from federation import GUEST, HOST, Party
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
NAME = "hetero_feature_selection_0"


def frame(x, names, party=G, label=None):
    schema = FrameSchema(
        header=list(names), anonymous_header=anonymous(party, len(names)), sid_name="uid"
    )
    return Frame(pa.array([f"r{i}" for i in range(x.shape[0])]), x, schema, label=label)


def anonymous(party, k):
    return [f"{party.role}_{party.party_id}_x{i}" for i in range(k)]


def frames(n_columns, n=30, seed=0):
    """n_columns: party -> how many columns: a0, a1, ... of the guest, b0, ... of the first host."""
    rng = np.random.default_rng(seed)
    letters = dict(zip([G, BANK, SHOP], "abc", strict=True))
    return {
        me: frame(rng.normal(size=(n, k)), [f"{letters[me]}{i}" for i in range(k)], me)
        for me, k in n_columns.items()
    }


def binning(iv, hosts=None):
    """The guest's model. iv: name -> IV, or a list of IVs of several labels. hosts: the same of
    each host by anonymous names."""
    hosts = hosts or {}

    def results(of, party):
        each = [values if isinstance(values, list) else [values] for values in of.values()]
        n = max([len(values) for values in each], default=n_results)
        return [
            PartyResult(
                binning_result={
                    name: BinnedColumn(iv=values[i], iv_array=[values[i]])
                    for name, values in zip(of, each, strict=True)
                },
                role=party.role.value,
                party_id=party.party_id,
            )
            for i in range(n)
        ]

    n_results = max(
        [len(v) if isinstance(v, list) else 1 for of in (iv, *hosts.values()) for v in of.values()],
        default=1,
    )
    n_labels = 2 if n_results == 1 else n_results
    theirs = [one for host, of in hosts.items() for one in results(of, host)]
    shown = MultiClassResult(
        results=results(iv, G),
        labels=[str(i) for i in range(n_labels)],
        host_results=theirs,
        host_party_ids=[host.party_id for host in hosts],
        has_host_result=bool(hosts),
    )
    return BinningModel(meta=BinningMeta(), param=BinningParam(multi_class_result=shown))


def iv_of(data, values):
    """The guest's binning model. values: party -> list of IV by column."""
    mine = dict(zip(data[G].schema.header, values[G], strict=True))
    theirs = {
        me: dict(zip(frame.schema.anonymous_header, values[me], strict=True))
        for me, frame in data.items()
        if me != G
    }
    return {G: {"binning_0": binning(mine, theirs)}}


def statistics(**measures):
    """measure -> {column: value}."""
    results = [
        Measured(values=list(of.values()), col_names=list(of), value_name=name)
        for name, of in measures.items()
    ]
    return StatisticModel(
        meta=StatisticMeta(statistics=list(measures), static_columns=[]),
        param=StatisticParam(self_values=OnePartyResult(results=results)),
    )


def psi(scores):
    return PSIModel(meta=PSIMeta(), param=PsiSummary(total_score=scores, feature_psi=[]))


def pearson(me, names, local, others=(), cross=None, vif=()):
    """others: anonymous names of the host. cross: (guest's, host's)."""
    return PearsonModel(
        meta=PearsonModelMeta(),
        param=PearsonModelParam(
            party=f"({me.role},{me.party_id})",
            parties=["(guest,9999)", "(host,10000)"],
            shape=len(names),
            shapes=[len(names), len(others)],
            names=list(names),
            corr=numbers(np.asarray(cross, dtype=float)) if cross is not None else [],
            local_corr=numbers(np.asarray(local, dtype=float)),
            all_names=[Names(names=list(names)), Names(names=list(others))],
            local_vif=numbers(np.asarray(vif, dtype=float)),
        ),
    )


def boosting(names, importances, kind="hetero_sbt"):
    """importances: (sitename, name, value)."""
    listed = [
        Importance(sitename=site, fid=0, importance=value, fullname=name)
        for site, name, value in importances
    ]
    return BoostingModel(
        meta=BoostingMeta(),
        param=BoostingParam(
            feature_importances=listed,
            feature_name_fid_mapping=dict(enumerate(names)),
            model_name=kind,
        ),
    )


def params(**given):
    return parse(HeteroFeatureSelection.Params, given, "HeteroFeatureSelection#selection_0")


def played(p, data, isometric=None, models=None):
    """(outputs, report) of every party and the transcript. p, isometric: of all, or by party."""

    def party(me):
        def play(ctx):
            ctx.name = NAME
            inputs = Inputs(
                {"data": [NamedData("i_0", "data", data[me])]},
                model=models[me] if models else None,
                isometric=(isometric or {}).get(me, {}),
            )
            own = p[me] if isinstance(p, dict) else p
            return run_component(HeteroFeatureSelection(own), ctx, inputs), ctx.report

        return play

    return run({me: party(me) for me in data}, Ctx)


def left(results):
    """The columns of the data that comes out, by party."""
    return {me: outputs.data[0].schema.header for me, (outputs, _) in results.items()}
