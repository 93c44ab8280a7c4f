"""What feature selection reads in models of other components, by FATE's names of their parts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from federatedml.component import Model
from federatedml.data import naming
from federatedml.data.frame import FrameSchema
from federatedml.errors import BadModel
from federatedml.maths import filters
from federatedml.maths.filters import Merge
from federatedml.maths.glm import Floats
from federatedml.selection_params import (
    FAST_SBT,
    HETERO_SBT,
    HOMO_SBT,
    IV,
    PEARSON,
    PSI,
    STATISTIC,
    Step,
)
from federation import HOST, Party

LOG = logging.getLogger(__name__)

MAKERS = {
    IV: "HeteroFeatureBinning",
    STATISTIC: "DataStatistics",
    PSI: "PSI",
    PEARSON: "HeteroPearson",
    HETERO_SBT: "HeteroSecureBoost",
    HOMO_SBT: "HomoSecureBoost",
    FAST_SBT: "HeteroFastSecureBoost",
}


class Sources:
    """A party's isometric models. me: the party. component: who asks, for errors."""

    def __init__(self, isometric: Mapping[str, Model], me: Party, component: str) -> None:
        """Raises BadModel for two of a kind: a filter could not tell which it is to go by."""
        self.me, self.component = me, component
        self._found: dict[str, tuple[str, Any]] = {}
        for name, model in isometric.items():
            param: Any = getattr(model, "param", None)
            kind = str(getattr(param, "model_name", ""))
            kind = FAST_SBT if kind.startswith(FAST_SBT) else kind
            if kind not in MAKERS:
                LOG.warning("%s: no filter goes by the model of %s", component, name)
            elif kind in self._found:
                raise BadModel(
                    f"{component}: isometric_model has two models of {MAKERS[kind]}, of "
                    f"{self._found[kind][0]} and {name}; give one of them"
                )
            else:
                self._found[kind] = (name, param)

    def need(self, kind: str, method: str) -> None:
        """Raises BadModel if there is no model of this kind."""
        if kind not in self._found:
            raise BadModel(
                f"{self.component}: {method} goes by a model of {MAKERS[kind]}, and there is none "
                "in isometric_model: add that component's model output to it"
            )

    def values(self, step: Step, schema: FrameSchema, at: Sequence[int]) -> Floats:
        """(k,) what the step's metric is of each of these columns of this party; nan of one of
        which the metric says nothing. Raises BadModel for columns that the model does not have."""
        name, param = self._found[step.model]
        if step.model == IV:
            return self._iv(step.merge, schema, at)
        known = self._known(step, name, param)
        return self._of_columns(name, step.metric, known, schema, at)

    def _known(self, step: Step, name: str, param: Any) -> dict[str, float]:
        """What the step's metric is of this party's columns, by name."""
        if step.model == STATISTIC:
            return self._statistic(name, param, step.metric)
        if step.model == PSI:
            return dict(param.total_score)
        if step.model == PEARSON:
            return self._vif(name, param)
        return self._importance(param)

    def _iv(self, merge: Merge, schema: FrameSchema, at: Sequence[int]) -> Floats:
        name, param = self._found[IV]
        by_label = self._labelled(name, param)
        known = [{n: c.iv for n, c in of.binning_result.items()} for of in by_label]
        each = [self._of_columns(name, "iv", of, schema, at) for of in known]
        return filters.merged(np.array(each).reshape(len(each), len(at)), merge)

    def iv_of_host(self, merge: Merge, host: Party, names: Sequence[str]) -> Floats:
        """(k,) the same of a host's columns, by their anonymous names."""
        name, param = self._found[IV]
        n_labels = len(self._labelled(name, param))
        theirs = [
            of.binning_result
            for of in param.multi_class_result.host_results
            if of.party_id == host.party_id and of.role == HOST
        ]
        if names and len(theirs) != n_labels:
            raise BadModel(
                f"{self.component}: {name} has no iv of host {host.party_id}; run it without "
                "local_only, or give select_federated false"
            )
        lacking = [n for n in names if any(n not in of for of in theirs)]
        if lacking:
            raise BadModel(
                f"{self.component}: {name} has no iv of {naming_of(lacking)} of host "
                f"{host.party_id}; have it bin these columns, or leave them out of that host's "
                "select_col_indexes and select_names"
            )
        each = [[of[n].iv for n in names] for of in theirs]
        return filters.merged(np.array(each).reshape(max(1, len(theirs)), len(names)), merge)

    def correlations(self, schema: FrameSchema, at: Sequence[int]) -> Floats:
        """(k, k) of these columns of this party; nan for constant ones."""
        name, param = self._found[PEARSON]
        places = self._places(name, param.names, schema, at)
        local = _floats(param.local_corr).reshape(-1, max(1, len(param.names)))
        return local[np.ix_(places, places)]

    def correlations_with_host(
        self, schema: FrameSchema, at: Sequence[int], names: Sequence[str]
    ) -> Floats:
        """(k, m) of the guest's columns with the host's, by their anonymous names."""
        name, param = self._found[PEARSON]
        if not (len(at) and len(names)):
            return np.empty((len(at), len(names)))
        if not param.corr or len(param.all_names) < 2:
            raise BadModel(
                f"{self.component}: {name} has no correlations with a host's columns; run it with "
                "cross_parties, or give correlation_param.select_federated false"
            )
        theirs = {n: i for i, n in enumerate(param.all_names[1].names)}
        if lacking := [n for n in names if n not in theirs]:
            raise BadModel(
                f"{self.component}: {name} has no correlations of {naming_of(lacking)}; have it "
                "take these columns, or leave them out of that host's select_col_indexes"
            )
        places = self._places(name, param.names, schema, at)
        cross = _floats(param.corr).reshape(len(param.names), -1)
        return cross[np.ix_(places, [theirs[n] for n in names])]

    def _labelled(self, name: str, param: Any) -> Any:
        """This party's results, one for each label beside all others."""
        if not param.multi_class_result.labels:
            raise BadModel(
                f"{self.component}: {name} has no iv: it counted no labels; run it without "
                "skip_static"
            )
        return param.multi_class_result.results

    def _statistic(self, name: str, param: Any, metric: str) -> dict[str, float]:
        results = param.self_values.results
        for one in results:
            if one.value_name == metric:
                return dict(zip(one.col_names, map(float, one.values), strict=True))
        known = ", ".join(one.value_name for one in results)
        raise BadModel(
            f"{self.component}: {name} has no {metric}; it has: {known}. Add it to that "
            "component's statistics"
        )

    def _vif(self, name: str, param: Any) -> dict[str, float]:
        if not param.local_vif:
            raise BadModel(f"{self.component}: {name} has no vif; run it with calc_local_vif")
        return dict(zip(param.names, _floats(param.local_vif).tolist(), strict=True))

    def _importance(self, param: Any) -> dict[str, float]:
        """0 for columns that no tree asks about. Other parties' columns are left out."""
        found = dict.fromkeys(param.feature_name_fid_mapping.values(), 0.0)
        is_homo = param.model_name == HOMO_SBT
        own = (f"{self.me.role}:{self.me.party_id}", "hostLocal")
        for one in param.feature_importances:
            if (is_homo or one.sitename in own) and one.fullname in found:
                found[one.fullname] = float(one.importance)
        return found

    def _of_columns(
        self,
        name: str,
        metric: str,
        known: Mapping[str, float],
        schema: FrameSchema,
        at: Sequence[int],
    ) -> Floats:
        if lacking := [i for i in at if schema.header[i] not in known]:
            raise BadModel(
                f"{self.component}: {name} has no {metric} of "
                f"{naming.named(schema, lacking, self.component)}; have it take these columns, or "
                "leave them out of select_col_indexes and select_names"
            )
        return np.array([known[schema.header[i]] for i in at], dtype=np.float64)

    def _places(
        self, name: str, names: Sequence[str], schema: FrameSchema, at: Sequence[int]
    ) -> list[int]:
        where = {column: float(i) for i, column in enumerate(names)}
        found = self._of_columns(name, "correlations", where, schema, at)
        return [int(place) for place in found]


def naming_of(names: Sequence[str]) -> str:
    """Anonymous names in an error."""
    first = ", ".join(names[: naming.N_NAMED])
    return f"{first}, ... ({len(names)})" if len(names) > naming.N_NAMED else first


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array(values, dtype=np.float64)
