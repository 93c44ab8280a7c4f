"""One party that runs a plain component on a table, for the tests of several of them."""

import pyarrow as pa

from federatedml import archive, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.data.frame import Frame, FrameSchema
from federatedml.params import parse
from federation import GUEST, Party

G = Party(GUEST, "9999")


def frame(x, names=None, texts=None, **more):
    """texts: columns of text by name; they must be among the names, their place in x is nan."""
    n, k = x.shape
    names = names or [f"c{i}" for i in range(k)]
    return Frame(
        pa.array([f"id{i}" for i in range(n)]),
        x,
        FrameSchema(header=names, anonymous_header=[f"guest_9999_x{i}" for i in range(k)]),
        texts=pa.table(texts) if texts else None,
        **more,
    )


def ran(component, data, model=None, /, **params):
    """The data, model and report that come of it."""
    ctx = Ctx(G, [G], None)
    ctx.name = "part_0"
    made = component(parse(component.Params, params, f"{component.module}#part_0"))
    given = Inputs({"data": [NamedData("before_0", "data", data)]}, model=model)
    outputs = runner.run(made, ctx, given)
    return outputs.data[0], outputs.model, ctx.report


def kept(component, model, folder):
    """The model after it was written and read again."""
    archive.save(folder / "model.json", component.module, model)
    return archive.load(folder / "model.json")
