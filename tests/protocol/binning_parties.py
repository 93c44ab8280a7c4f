"""Parties of feature binning with random columns, and what a pandas twin says of them."""

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.hetero_feature_binning import HeteroFeatureBinning
from federatedml.data.frame import Frame, FrameSchema
from federatedml.params import parse
from federatedml.runner import run as run_component
from federation import GUEST, HOST, Party
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
NAME = "hetero_feature_binning_0"


def columns(n, seed, *, missing=True):
    """(n, 5): normal, skewed, constant, categorical, with zeros; some values missing."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [
            rng.normal(size=n),
            np.round(np.exp(2 * rng.normal(size=n)), 2),
            np.full(n, 3.0),
            rng.integers(0, 3, n),
            np.where(rng.random(n) < 0.7, 0.0, rng.normal(size=n)),
        ]
    )
    if missing:
        x[rng.random(n) < 0.2, 0] = np.nan
    return x


def labels(n, seed, n_classes=2):
    rng = np.random.default_rng(seed)
    return np.r_[np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)]


def as_sparse(x):
    made = sparse.csr_matrix(np.where(np.isnan(x), 7e300, x))
    made.data[made.data == 7e300] = np.nan
    return made


def frame(x, names, label=None):
    schema = FrameSchema(header=[f"{names}{i}" for i in range(x.shape[1])], sid_name="uid")
    return Frame(pa.array([f"r{i}" for i in range(x.shape[0])]), x, schema, label=label)


def frames(n=80, hosts=(BANK,), n_classes=2, pack=lambda x: x, seed=0, **more):
    """A frame for each party."""
    found = {G: frame(pack(columns(n, seed, **more)), "g", labels(n, seed, n_classes))}
    for i, host in enumerate(hosts, 1):
        found[host] = frame(pack(columns(n, seed + i, **more)), "h")
    return found


def params(**given):
    return parse(HeteroFeatureBinning.Params, given, "HeteroFeatureBinning#binning_0")


def played(p, data, models=None, kind="data"):
    """(outputs, report) of every party and the transcript. p: parameters of all, or by party."""

    def party(me):
        def play(ctx):
            ctx.name = NAME
            own = p[me] if isinstance(p, dict) else p
            model = models[me] if models else None
            inputs = Inputs({kind: [NamedData("i_0", "data", data[me])]}, model=model)
            return run_component(HeteroFeatureBinning(own), ctx, inputs), ctx.report

        return play

    return run({me: party(me) for me in data}, Ctx)


def dense(data):
    return data.x.toarray() if sparse.issparse(data.x) else data.x


def bins_of(values, points):
    """(n,) numbers of bins by pandas; missing values have the number after the last."""
    edges = np.array([-np.inf, *points[:-1], np.inf])
    found = pd.cut(pd.Series(values), edges, labels=False)
    return found.fillna(len(points)).astype(int).to_numpy()


def twin(values, points, event, adjustment=0.5):
    """What the guest should know of a column: one row a bin."""
    bins = bins_of(values, points)
    rows = pd.crosstab(bins, event).reindex(columns=[True, False], fill_value=0)
    n_bins = len(points) + bool(np.isnan(values).any())
    rows = rows.reindex(range(n_bins), fill_value=0)
    e, ne = rows[True], rows[False]
    more = np.where((e == 0) | (ne == 0), adjustment, 0)
    found = pd.DataFrame({"event": e, "other": ne})
    found["rate"], found["other_rate"] = (e + more) / e.sum(), (ne + more) / ne.sum()
    found["woe"] = np.log(found["rate"] / found["other_rate"])
    found["iv"] = (found["rate"] - found["other_rate"]) * found["woe"]
    return found


def check(shown, wanted):
    """A column of a model against its twin."""
    assert list(map(int, shown.event_count_array)) == wanted["event"].tolist()
    assert list(map(int, shown.non_event_count_array)) == wanted["other"].tolist()
    for own, name in (
        (shown.event_rate_array, "rate"),
        (shown.non_event_rate_array, "other_rate"),
        (shown.woe_array, "woe"),
        (shown.iv_array, "iv"),
    ):
        np.testing.assert_allclose(own, wanted[name], atol=1e-12)
    assert abs(shown.iv - wanted["iv"].sum()) < 1e-12
    assert int(shown.bin_nums) == len(wanted)
