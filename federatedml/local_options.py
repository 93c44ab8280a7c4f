"""The estimators that a LocalBaseline may fit, and the options each takes.

A closed list: names stand in ``ESTIMATORS`` and lead to a class by that table alone, options are
typed and checked when a job is submitted, without importing scikit-learn or LightGBM. Options
have scikit-learn's and LightGBM's names and defaults; those that take code (callables), files,
or a model to go on from are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from federatedml.errors import BadParameters
from federatedml.params import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    Params,
    PositiveFloat,
    PositiveInt,
    parse,
)

Name = Literal[
    "LogisticRegression", "LinearRegression", "Ridge", "Lasso", "ElasticNet", "PoissonRegressor",
    "DecisionTreeClassifier", "DecisionTreeRegressor",
    "RandomForestClassifier", "RandomForestRegressor",
    "ExtraTreesClassifier", "ExtraTreesRegressor",
    "GradientBoostingClassifier", "GradientBoostingRegressor",
    "GaussianNB", "MLPClassifier", "MLPRegressor", "LGBMClassifier", "LGBMRegressor",
]  # fmt: skip

OpenUnit = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Seed = NonNegativeInt | None
ClassWeight = Literal["balanced"] | dict[str, NonNegativeFloat] | None
TreeWeight = Literal["balanced", "balanced_subsample"] | dict[str, NonNegativeFloat] | None
Jobs = int | None
Verbose = int | bool
SplitRows = Annotated[int, msgspec.Meta(ge=2)] | OpenUnit
LeafRows = PositiveInt | OpenUnit
Columns = Literal["sqrt", "log2"] | PositiveInt | Annotated[float, msgspec.Meta(gt=0, le=1)] | None
Half = Annotated[float, msgspec.Meta(ge=0, le=0.5)]
Leaves = Annotated[int, msgspec.Meta(ge=2)] | None

_PENALTIES: dict[str, tuple[str | None, ...]] = {
    "lbfgs": ("l2", None),
    "newton-cg": ("l2", None),
    "newton-cholesky": ("l2", None),
    "sag": ("l2", None),
    "liblinear": ("l1", "l2"),
    "saga": ("l1", "l2", "elasticnet", None),
}


class LogisticRegression(Params, frozen=True, kw_only=True):
    """multi_class: "auto" is one softmax model, but one model for each class with liblinear.
    n_jobs and verbose are accepted and change nothing, as in scikit-learn."""

    penalty: Literal["l1", "l2", "elasticnet", "none"] | None = "l2"
    dual: bool = False
    tol: PositiveFloat = 1e-4
    C: PositiveFloat = 1.0
    fit_intercept: bool = True
    intercept_scaling: PositiveFloat = 1.0
    class_weight: ClassWeight = None
    random_state: Seed = None
    solver: Literal["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"] = "lbfgs"
    max_iter: PositiveInt = 100
    multi_class: Literal["auto", "ovr", "multinomial"] = "auto"
    verbose: Verbose = 0
    n_jobs: Jobs = None
    l1_ratio: Fraction | None = None

    def __post_init__(self) -> None:
        allowed = _PENALTIES[self.solver]
        if self.norm not in allowed:
            words = ", ".join("null" if a is None else a for a in allowed)
            raise ValueError(f"solver {self.solver} has no penalty {self.norm}; allowed: {words}")
        if self.norm == "elasticnet" and self.l1_ratio is None:
            raise ValueError("penalty elasticnet needs l1_ratio, from 0 (l2) to 1 (l1)")
        if self.dual and (self.solver, self.norm) != ("liblinear", "l2"):
            raise ValueError("dual needs solver liblinear and penalty l2")
        if self.solver == "liblinear" and self.multi_class == "multinomial":
            raise ValueError("solver liblinear has no multi_class multinomial; allowed: auto, ovr")

    @property
    def norm(self) -> str | None:
        """The penalty; None for none."""
        return None if self.penalty == "none" else self.penalty

    @property
    def one_vs_rest(self) -> bool:
        """Whether more than two classes are one model each."""
        return self.multi_class == "ovr" or self.solver == "liblinear"


class LinearRegression(Params, frozen=True, kw_only=True):
    fit_intercept: bool = True
    positive: bool = False
    n_jobs: Jobs = None


class Ridge(Params, frozen=True, kw_only=True):
    alpha: NonNegativeFloat = 1.0
    fit_intercept: bool = True
    max_iter: PositiveInt | None = None
    tol: NonNegativeFloat = 1e-4
    solver: Literal["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"] = "auto"
    positive: bool = False
    random_state: Seed = None


class Lasso(Params, frozen=True, kw_only=True):
    alpha: NonNegativeFloat = 1.0
    fit_intercept: bool = True
    max_iter: PositiveInt = 1000
    tol: NonNegativeFloat = 1e-4
    positive: bool = False
    random_state: Seed = None
    selection: Literal["cyclic", "random"] = "cyclic"


class ElasticNet(Lasso, frozen=True, kw_only=True):
    l1_ratio: Fraction = 0.5


class PoissonRegressor(Params, frozen=True, kw_only=True):
    alpha: NonNegativeFloat = 1.0
    fit_intercept: bool = True
    solver: Literal["lbfgs", "newton-cholesky"] = "lbfgs"
    max_iter: PositiveInt = 100
    tol: PositiveFloat = 1e-4
    verbose: NonNegativeInt = 0


class _Tree(Params, frozen=True, kw_only=True):
    max_depth: PositiveInt | None = None
    min_samples_split: SplitRows = 2
    min_samples_leaf: LeafRows = 1
    min_weight_fraction_leaf: Half = 0.0
    random_state: Seed = None
    max_leaf_nodes: Leaves = None
    min_impurity_decrease: NonNegativeFloat = 0.0
    ccp_alpha: NonNegativeFloat = 0.0


Impurity = Literal["gini", "entropy", "log_loss"]
Error = Literal["squared_error", "friedman_mse", "absolute_error", "poisson"]


class DecisionTreeClassifier(_Tree, frozen=True, kw_only=True):
    criterion: Impurity = "gini"
    splitter: Literal["best", "random"] = "best"
    max_features: Columns = None
    class_weight: ClassWeight = None


class DecisionTreeRegressor(_Tree, frozen=True, kw_only=True):
    criterion: Error = "squared_error"
    splitter: Literal["best", "random"] = "best"
    max_features: Columns = None


class _Forest(_Tree, frozen=True, kw_only=True):
    n_estimators: PositiveInt = 100
    bootstrap: bool = True
    max_samples: PositiveInt | OpenUnit | None = None
    n_jobs: Jobs = None
    verbose: Verbose = 0


class RandomForestClassifier(_Forest, frozen=True, kw_only=True):
    criterion: Impurity = "gini"
    max_features: Columns = "sqrt"
    class_weight: TreeWeight = None


class RandomForestRegressor(_Forest, frozen=True, kw_only=True):
    criterion: Error = "squared_error"
    max_features: Columns = 1.0


class ExtraTreesClassifier(RandomForestClassifier, frozen=True, kw_only=True):
    bootstrap: bool = False


class ExtraTreesRegressor(RandomForestRegressor, frozen=True, kw_only=True):
    bootstrap: bool = False


class _Boosting(_Tree, frozen=True, kw_only=True):
    max_depth: PositiveInt | None = 3
    learning_rate: NonNegativeFloat = 0.1
    n_estimators: PositiveInt = 100
    subsample: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    max_features: Columns = None
    validation_fraction: OpenUnit = 0.1
    n_iter_no_change: PositiveInt | None = None
    tol: NonNegativeFloat = 1e-4
    verbose: Verbose = 0


class GradientBoostingClassifier(_Boosting, frozen=True, kw_only=True):
    loss: Literal["log_loss", "exponential"] = "log_loss"


class GradientBoostingRegressor(_Boosting, frozen=True, kw_only=True):
    loss: Literal["squared_error", "absolute_error", "huber", "quantile"] = "squared_error"
    alpha: OpenUnit = 0.9


class GaussianNB(Params, frozen=True, kw_only=True):
    priors: list[Fraction] | None = None
    var_smoothing: NonNegativeFloat = 1e-9


class MLPClassifier(Params, frozen=True, kw_only=True):
    hidden_layer_sizes: list[PositiveInt] | PositiveInt = msgspec.field(
        default_factory=lambda: [100]
    )
    activation: Literal["identity", "logistic", "tanh", "relu"] = "relu"
    solver: Literal["lbfgs", "sgd", "adam"] = "adam"
    alpha: NonNegativeFloat = 1e-4
    batch_size: Literal["auto"] | PositiveInt = "auto"
    learning_rate: Literal["constant", "invscaling", "adaptive"] = "constant"
    learning_rate_init: PositiveFloat = 1e-3
    power_t: NonNegativeFloat = 0.5
    max_iter: PositiveInt = 200
    shuffle: bool = True
    random_state: Seed = None
    tol: PositiveFloat = 1e-4
    momentum: Fraction = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: OpenUnit = 0.1
    beta_1: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.9
    beta_2: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.999
    epsilon: PositiveFloat = 1e-8
    n_iter_no_change: PositiveInt = 10
    max_fun: PositiveInt = 15000


class MLPRegressor(MLPClassifier, frozen=True, kw_only=True):
    pass


class _Lgbm(Params, frozen=True, kw_only=True):
    boosting_type: Literal["gbdt", "dart", "rf"] = "gbdt"
    num_leaves: Annotated[int, msgspec.Meta(ge=2, le=131072)] = 31
    max_depth: int = -1
    learning_rate: PositiveFloat = 0.1
    n_estimators: PositiveInt = 100
    subsample_for_bin: PositiveInt = 200000
    min_split_gain: NonNegativeFloat = 0.0
    min_child_weight: NonNegativeFloat = 1e-3
    min_child_samples: NonNegativeInt = 20
    subsample: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    subsample_freq: NonNegativeInt = 0
    colsample_bytree: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    reg_alpha: NonNegativeFloat = 0.0
    reg_lambda: NonNegativeFloat = 0.0
    random_state: Seed = None
    n_jobs: Jobs = None


class LGBMClassifier(_Lgbm, frozen=True, kw_only=True):
    """objective: of more than two classes; two are always "binary"."""

    objective: Literal["binary", "multiclass", "multiclassova"] | None = None
    class_weight: ClassWeight = None


class LGBMRegressor(_Lgbm, frozen=True, kw_only=True):
    objective: Literal[
        "regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma",
        "tweedie",
    ] | None = None  # fmt: skip


@dataclass(frozen=True)
class Estimator:
    """module, name: where its class is. options: what it takes. is_classifier: whether labels are
    classes. takes_missing: whether features may be nan. family: how it is stored."""

    module: str
    name: str
    options: type[Params]
    family: Literal["linear", "forest", "boosting", "bayes", "network", "lightgbm"]
    takes_missing: bool = False

    @property
    def is_classifier(self) -> bool:
        return self.name.endswith(("Classifier", "LogisticRegression", "NB"))


def _table() -> dict[str, Estimator]:
    linear, trees = "sklearn.linear_model", "sklearn.tree"
    ensemble, network = "sklearn.ensemble", "sklearn.neural_network"
    rows = [
        Estimator(linear, "LogisticRegression", LogisticRegression, "linear"),
        Estimator(linear, "LinearRegression", LinearRegression, "linear"),
        Estimator(linear, "Ridge", Ridge, "linear"),
        Estimator(linear, "Lasso", Lasso, "linear"),
        Estimator(linear, "ElasticNet", ElasticNet, "linear"),
        Estimator(linear, "PoissonRegressor", PoissonRegressor, "linear"),
        Estimator(trees, "DecisionTreeClassifier", DecisionTreeClassifier, "forest", True),
        Estimator(trees, "DecisionTreeRegressor", DecisionTreeRegressor, "forest", True),
        Estimator(ensemble, "RandomForestClassifier", RandomForestClassifier, "forest", True),
        Estimator(ensemble, "RandomForestRegressor", RandomForestRegressor, "forest", True),
        Estimator(ensemble, "ExtraTreesClassifier", ExtraTreesClassifier, "forest"),
        Estimator(ensemble, "ExtraTreesRegressor", ExtraTreesRegressor, "forest"),
        Estimator(ensemble, "GradientBoostingClassifier", GradientBoostingClassifier, "boosting"),
        Estimator(ensemble, "GradientBoostingRegressor", GradientBoostingRegressor, "boosting"),
        Estimator("sklearn.naive_bayes", "GaussianNB", GaussianNB, "bayes"),
        Estimator(network, "MLPClassifier", MLPClassifier, "network"),
        Estimator(network, "MLPRegressor", MLPRegressor, "network"),
        Estimator("lightgbm", "LGBMClassifier", LGBMClassifier, "lightgbm", True),
        Estimator("lightgbm", "LGBMRegressor", LGBMRegressor, "lightgbm", True),
    ]
    return {row.name: row for row in rows}


ESTIMATORS = _table()


def options(name: str, given: dict[str, Any]) -> Any:
    """The typed options of an estimator. Raises ValueError naming what is allowed."""
    struct, where = ESTIMATORS[name].options, f"model_opts of {name}"
    known = [field.encode_name for field in msgspec.structs.fields(struct)]
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(
            f"{where}: no option {', '.join(unknown)}; allowed: {', '.join(sorted(known))}"
        )
    try:
        return parse(struct, given, where)
    except BadParameters as error:
        raise ValueError(where + str(error).removeprefix(f"cpn `{where}`")) from None
