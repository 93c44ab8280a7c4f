"""An evaluator of the part of PMML that we write, from the standard's words, row by row."""

import math
from xml.etree import ElementTree

NS = {"p": "http://www.dmg.org/PMML-4_4"}


def evaluated(text: str, row: dict[str, float | None]) -> dict[str, float]:
    """{"": prediction} of a regression, probabilities by label of a classification."""
    root = ElementTree.fromstring(text)
    known = {}
    for field in root.iterfind("p:DataDictionary/p:DataField", NS):
        name, value = field.get("name"), row.get(field.get("name"))
        gone = [float(v.get("value")) for v in field.iterfind("p:Value[@property='missing']", NS)]
        known[name] = None if value is None or math.isnan(value) or value in gone else value
    return _model(root[-1], known)


def _model(model, known):
    kind = model.tag.partition("}")[2]
    known = {f.get("name"): known.get(f.get("name")) for f in model.find("p:MiningSchema", NS)}
    return {"MiningModel": _mining, "TreeModel": _tree, "RegressionModel": _regression}[kind](
        model, known
    )


def _mining(model, known):
    segmentation = model.find("p:Segmentation", NS)
    parts = [segment[1] for segment in segmentation]
    if segmentation.get("multipleModelMethod") == "sum":
        return {"": sum(_model(part, known)[""] for part in parts)}
    for part in parts:
        said = _model(part, {**known})
        for field in part.iterfind("p:Output/p:OutputField[@feature='predictedValue']", NS):
            known[field.get("name")] = said[""]
    return said


def _tree(model, known):
    assert model.get("missingValueStrategy") == "defaultChild"
    node = model.find("p:Node", NS)
    while children := node.findall("p:Node", NS):
        for child in children:
            asked = child.find("p:SimplePredicate", NS)
            value, limit = known[asked.get("field")], float(asked.get("value"))
            if value is None:
                goes = child.get("id") == node.get("defaultChild")
            elif asked.get("operator") == "lessOrEqual":
                goes = value <= limit
            else:
                assert asked.get("operator") == "greaterThan"
                goes = value > limit
            if goes:
                break
        node = child
    return {"": float(node.get("score"))}


def _regression(model, known):
    score = {}
    for table in model.iterfind("p:RegressionTable", NS):
        parts = [
            float(p.get("coefficient")) * known[p.get("name")]
            for p in table.iterfind("p:NumericPredictor", NS)
        ]
        score[table.get("targetCategory", "")] = sum(parts, float(table.get("intercept")))
    way = model.get("normalizationMethod")
    if model.get("functionName") == "regression":
        by = {"none": lambda u: u, "exp": math.exp, "logit": lambda u: 1 / (1 + math.exp(-u))}
        return {"": by[way](score[""])}
    if way == "logit":
        (first, u), (second, _) = score.items()
        return {first: 1 / (1 + math.exp(-u)), second: 1 - 1 / (1 + math.exp(-u))}
    top = max(score.values())
    powers = score if way == "simplemax" else {k: math.exp(u - top) for k, u in score.items()}
    return {label: power / sum(powers.values()) for label, power in powers.items()}
