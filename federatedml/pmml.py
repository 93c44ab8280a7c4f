"""Models as PMML 4.4, an XML of the Data Mining Group that is read without running any code.

The writer is closed: trees and regressions, and a chain of models in which the last one turns the
scores of the others into a prediction. Numbers are Python's shortest text of a double.

Source: PMML 4.4.1, TreeModel, MiningModel (segments "sum" and "modelChain"), Regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from federatedml.lightgbm_text import feature_names
from federatedml.linear_export import Linear
from federatedml.maths.glm import Floats
from federatedml.maths.trees import LEAF
from federatedml.tree_ensemble import Addend, Ensemble, addends

NAMESPACE = "http://www.dmg.org/PMML-4_4"


def of_trees(ensemble: Ensemble, target: str = "y") -> str:
    """Boosted trees: for each output a sum of trees, then what the objective makes of the sums.

    Raises ValueError as ``addends`` does, or if the target is called as a feature.
    """
    names = feature_names(ensemble.names)
    root, labels = _document(names, target, _tree_labels(ensemble))
    if ensemble.zero_as_missing:
        for field in root.iterfind("DataDictionary/DataField"):
            if field.get("name") != target:
                SubElement(field, "Value", value="0", property="missing")
    parts, scores = addends(ensemble), [f"score({i})" for i in range(ensemble.n_outputs)]
    chain = _chain(root, names, target, classifies=bool(labels))
    for i, score in enumerate(scores):
        of_output = [part for part in parts if part.output == i]
        _summed(_segment(chain), names, of_output, score)
    if not labels:
        link = "exp" if ensemble.objective == "tweedie" else "none"
        _regression(_segment(chain), scores, target, _identity(scores), normalization=link)
    elif len(scores) == 1:
        _two_classes(_segment(chain), scores, target, (np.ones(1), 0.0), labels)
    else:
        tables = list(zip(labels, np.eye(len(scores)), np.zeros(len(scores)), strict=True))
        _regression(_segment(chain), scores, target, tables, normalization="softmax")
    return _text(root)


def of_linear(linear: Linear, target: str = "y") -> str:
    """A logistic regression; for several classes one model against the rest each, whose
    probabilities are divided by their sum. Raises ValueError if the target is called as a feature.
    """
    names = feature_names(linear.names)
    root, labels = _document(names, target, [str(label) for label in linear.classes])
    if len(linear.coef) == 1:
        _two_classes(root, names, target, (linear.coef[0], float(linear.intercept[0])), labels)
        return _text(root)
    chain = _chain(root, names, target, classifies=True)
    chances = [f"chance({i})" for i in range(len(labels))]
    for chance, coef, intercept in zip(chances, linear.coef, linear.intercept, strict=True):
        one = _regression(
            _segment(chain), names, None, [(None, coef, float(intercept))], normalization="logit"
        )
        _output(one, chance)
    tables = list(zip(labels, np.eye(len(labels)), np.zeros(len(labels)), strict=True))
    _regression(_segment(chain), chances, target, tables, normalization="simplemax")
    return _text(root)


Table = tuple[str | None, Floats, float]
"""A linear function: the class it speaks for, its coefficients (k,), its intercept."""


def _tree_labels(ensemble: Ensemble) -> list[str]:
    """The labels, of two classes the second is the positive one; none for a regression."""
    if ensemble.objective != "cross_entropy":
        return []
    n = max(ensemble.n_outputs, 2)
    return list(ensemble.classes) if len(ensemble.classes) == n else [str(i) for i in range(n)]


def _document(
    names: Sequence[str], target: str, labels: Sequence[str]
) -> tuple[Element, Sequence[str]]:
    if target in names:
        raise ValueError(f"the target cannot be called as the feature {target!r}: name another")
    root = Element("PMML", xmlns=NAMESPACE, version="4.4")
    SubElement(SubElement(root, "Header"), "Application", name="Distaff")
    fields = SubElement(root, "DataDictionary", numberOfFields=str(len(names) + 1))
    if labels:
        field = SubElement(fields, "DataField", name=target, optype="categorical")
        field.set("dataType", "string")
        for label in labels:
            SubElement(field, "Value", value=label)
    else:
        SubElement(fields, "DataField", name=target, optype="continuous", dataType="double")
    for name in names:
        SubElement(fields, "DataField", name=name, optype="continuous", dataType="double")
    return root, labels


def _schema(model: Element, names: Sequence[str], target: str | None) -> None:
    schema = SubElement(model, "MiningSchema")
    if target is not None:
        SubElement(schema, "MiningField", name=target, usageType="target")
    for name in names:
        SubElement(schema, "MiningField", name=name)


def _chain(root: Element, names: Sequence[str], target: str, *, classifies: bool) -> Element:
    """A model whose segments run one after the other; the last one's prediction counts."""
    kind = "classification" if classifies else "regression"
    model = SubElement(root, "MiningModel", functionName=kind)
    _schema(model, names, target)
    return SubElement(model, "Segmentation", multipleModelMethod="modelChain")


def _segment(segmentation: Element) -> Element:
    segment = SubElement(segmentation, "Segment", id=str(len(segmentation) + 1))
    SubElement(segment, "True")
    return segment


def _output(model: Element, name: str) -> None:
    """Give a model's prediction a name for later segments: right behind its schema."""
    output = Element("Output")
    field = SubElement(output, "OutputField", name=name, optype="continuous", dataType="double")
    field.set("feature", "predictedValue")
    model.insert(1, output)


def _chances(model: Element, labels: Sequence[str]) -> None:
    """Have a model tell the probability of each class too."""
    output = Element("Output")
    for label in labels:
        field = SubElement(output, "OutputField", name=f"probability({label})", value=label)
        field.attrib |= {"optype": "continuous", "dataType": "double", "feature": "probability"}
    model.insert(1, output)


def _summed(parent: Element, names: Sequence[str], parts: Sequence[Addend], score: str) -> None:
    model = SubElement(parent, "MiningModel", functionName="regression")
    _schema(model, names, None)
    _output(model, score)
    segmentation = SubElement(model, "Segmentation", multipleModelMethod="sum")
    for part in parts:
        _tree(_segment(segmentation), names, part)


def _tree(parent: Element, names: Sequence[str], part: Addend) -> None:
    """A tree. Where a value is missing the row goes to the node's default child."""
    tree = part.tree
    model = SubElement(parent, "TreeModel", functionName="regression")
    model.set("missingValueStrategy", "defaultChild")
    model.set("splitCharacteristic", "binarySplit")
    asked = sorted(set(tree.feature[tree.left != LEAF].tolist()))
    _schema(model, [names[i] for i in asked], None)
    root = SubElement(model, "Node", id="0")
    SubElement(root, "True")
    elements = {0: root}
    for i in range(len(tree)):  # a node is numbered before its children
        node = elements[i]
        if tree.left[i] == LEAF:
            node.set("score", str(float(part.value[i])))
            continue
        left, right = int(tree.left[i]), int(tree.right[i])
        node.set("defaultChild", str(left if tree.missing_left[i] else right))
        field, value = names[tree.feature[i]], str(float(tree.threshold[i]))
        for child, operator in ((left, "lessOrEqual"), (right, "greaterThan")):
            elements[child] = SubElement(node, "Node", id=str(child))
            SubElement(
                elements[child], "SimplePredicate", field=field, operator=operator, value=value
            )


def _two_classes(
    parent: Element,
    fields: Sequence[str],
    target: str,
    positive: tuple[Floats, float],
    labels: Sequence[str],
) -> None:
    """The second class by the logistic function of its table, the first one is the rest."""
    rest, chosen = labels
    tables: list[Table] = [(chosen, *positive), (rest, np.zeros(len(fields)), 0.0)]
    _regression(parent, fields, target, tables, normalization="logit")


def _identity(fields: Sequence[str]) -> list[Table]:
    return [(None, np.ones(len(fields)), 0.0)]


def _regression(
    parent: Element,
    fields: Sequence[str],
    target: str | None,
    tables: Sequence[Table],
    *,
    normalization: str,
) -> Element:
    is_classes = tables[0][0] is not None
    kind = "classification" if is_classes else "regression"
    model = SubElement(parent, "RegressionModel", functionName=kind)
    model.set("normalizationMethod", normalization)
    _schema(model, fields, target)
    for label, coef, intercept in tables:
        table = SubElement(model, "RegressionTable", intercept=str(float(intercept)))
        if label is not None:
            table.set("targetCategory", label)
        for name, weight in zip(fields, coef.tolist(), strict=True):
            if weight or not is_classes:
                SubElement(table, "NumericPredictor", name=name, coefficient=str(weight))
    if is_classes:
        _chances(model, [str(label) for label, _, _ in tables])
    return model


def _text(root: Element) -> str:
    indent(root, " ")
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"
