"""Small models made by hand, and what they say by plain Python: nothing here uses plans."""

import math

from serving.model import ComponentModel, PartyModel, Pipeline

HEADER = ["a0", "a1", "a2"]


def component(meta_name, meta, param):
    return ComponentModel(f"{meta_name}Meta", f"{meta_name}Param", meta, param)


def transform(header=None, **meta):
    """A DataTransform that replaces nothing unless ``imputerMeta`` says so."""
    param = {"header": header or HEADER}
    if "fill" in meta:
        param["imputerParam"] = {"missingReplaceValue": meta.pop("fill")}
        meta["imputerMeta"] = {"isImputer": True, "missingValue": ["", "nan", "-7"]}
    return component("DataTransform", {"inputFormat": "dense", **meta}, param)


def scale(header, lower, upper):
    kept = {
        name: {"columnLower": low, "columnUpper": high}
        for name, low, high in zip(header, lower, upper, strict=True)
    }
    meta = {"method": "min_max_scale", "mode": "cap", "scaleColumn": header,
            "featUpper": ["1"] * len(header), "featLower": ["None"] * len(header)}  # fmt: skip
    return component("Scale", meta, {"colScaleParam": kept, "header": header})


def lr(weight, intercept=0.0, **param):
    made = {"weight": weight, "intercept": intercept, "header": list(weight), **param}
    return component("HeteroLogisticRegression", {}, made)


def tree(nodes, splits, missing):
    return {"tree": nodes, "splitMaskdict": splits, "missingDirMaskdict": missing}


def node(at, site="", fid=-1, left=-1, right=-1, weight=0.0, missing=1):
    return {
        "id": at, "sitename": site, "fid": fid, "weight": weight, "isLeaf": left < 0,
        "leftNodeid": left, "rightNodeid": right, "missingDir": missing,
    }  # fmt: skip


def boosted(trees, names, **more):
    param = {
        "treeNum": len(trees), "trees": trees, "initScore": [0.1], "treeDim": 1, "numClasses": 2,
        "classes": ["0", "1"], "featureNameFidMapping": dict(enumerate(names)), **more,
    }  # fmt: skip
    return component("BoostingTreeModel", {"learningRate": 0.3}, param)


def party(components, models, role="guest", conf=None, hosts=(10000,)):
    """components: name -> (module, what it reads or None); models: by component."""
    dsl = {}
    for name, (module, before) in components.items():
        data = {"data": {"data": [f"{before}.data"]}} if before else {}
        dsl[name] = {"module": module, "input": {**data, "model": [f"pipeline.{name}.model"]}}
    party_id = "9999" if role == "guest" else str(hosts[0])
    pipeline = Pipeline(
        role=role, party_id=party_id, model_id="m", model_version="1",
        roles={"guest": [9999], "host": list(hosts)}, inference_dsl={"components": dsl},
        train_runtime_conf={"component_parameters": {"common": conf or {}}},
    )  # fmt: skip
    named = {f"{name}.model": model for name, model in models.items()}
    return PartyModel(pipeline=pipeline, models=named, sha256="0")


def chain(*steps, **more):
    """A pipeline of (name, module, model), one behind the other."""
    components, before = {"reader_0": ("Reader", None)}, "reader_0"
    for name, module, _ in steps:
        components[name], before = (module, before), name
    return party(components, {name: m for name, _, m in steps if m is not None}, **more)


def walked(trees, values, names, mine, theirs):
    """Leaf weights of one row by walking node by node. theirs(tree, node) -> goes left."""
    found = []
    for t, one in enumerate(trees):
        at = 0
        while not one["tree"][at]["isLeaf"]:
            here = one["tree"][at]
            if here["sitename"] == mine:
                value = values.get(names[here["fid"]])
                if value is None or math.isnan(value):
                    left = one["missingDirMaskdict"][at] == -1
                else:
                    left = value <= one["splitMaskdict"][at]
            else:
                left = theirs(t, at)
            at = here["leftNodeid"] if left else here["rightNodeid"]
        found.append(one["tree"][at]["weight"])
    return found
