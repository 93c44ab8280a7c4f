"""How good 50 federated trees are, beside LightGBM on the pooled rows and columns.

The twin is LightGBM with the same algorithm: the same derivatives and start, depth (leaves enough
for all of it), rate, l2, least gain, and no other limits. It is trained twice: on our bins (the bin
numbers stand for the values) and on bins that it chooses itself, as many. FATE's gain has no factor
1/2, as LightGBM's, so the least gain is the same. Every fifth row is held out.
Bars: AUC (two classes) within 0.002 of the twin on our bins, accuracy (more classes) and RMSE
(numbers) within 1 %; ``!`` marks what is worse than that.

`python -m benchmarks.boosting_quality [--data FOLDER] [lattice | paillier | homo ...]`
--data: also FATE's example files, if they are there; nothing of them is kept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.csv
from sklearn import datasets
from sklearn.metrics import accuracy_score, roc_auc_score

from federatedml import params
from federatedml.component import Ctx
from federatedml.components.hetero_secureboost import HeteroSecureBoost
from federatedml.components.homo_secureboost import HomoSecureBoost
from federatedml.data.frame import Frame, FrameSchema, Predictions
from federatedml.maths import boosted_losses, quantiles
from federatedml.maths.boosted_losses import Loss
from federatedml.maths.quantiles import Cuts
from federatedml.protocols import homo_quantiles
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run

CLIENTS = [Party(GUEST, "9999"), *(Party(HOST, str(10_000 + i)) for i in range(3))]
JUDGE = Party(ARBITER, "9998")
TREES, DEPTH, BINS, RATE, L2, MIN_GAIN = 50, 3, 32, 0.3, 0.1, 1e-3
CORES = 2

Split = list[np.ndarray]


@dataclass(frozen=True)
class Problem:
    """x (n, k), y (n,): class numbers, or with n_classes 0 numbers. columns, rows: of each party,
    one after another; rows leave out those that are held out, which come last."""

    name: str
    x: np.ndarray
    y: np.ndarray
    n_classes: int
    n_train: int
    columns: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()

    @property
    def loss(self) -> Loss:
        if self.n_classes:
            return boosted_losses.of_classes(self.n_classes)
        return boosted_losses.of_numbers("lse", [])

    @property
    def parts(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Rows to train on, rows that are held out."""
        n = self.n_train
        return (self.x[:n], self.y[:n]), (self.x[n:], self.y[n:])

    def quality(self, said: np.ndarray, y: np.ndarray) -> float:
        """Of chances (n, classes) or values (n, 1)."""
        if not self.n_classes:
            return float(np.sqrt(np.mean((said[:, 0] - y) ** 2)))
        if self.n_classes == 2:
            return float(roc_auc_score(y, said[:, -1]))
        return float(accuracy_score(y, said.argmax(axis=1)))

    @property
    def measure(self) -> str:
        return "RMSE" if not self.n_classes else "AUC" if self.n_classes == 2 else "accuracy"

    def is_worse(self, ours: float, theirs: float) -> bool:
        """Than the bar allows."""
        if not self.n_classes:
            return ours > 1.01 * theirs
        return ours < (theirs - 0.002 if self.n_classes == 2 else 0.99 * theirs)


@dataclass(frozen=True)
class Trained:
    """said: of both parts. start: the score before any tree."""

    said: Split
    cuts: Cuts
    start: float


# Data.


def drawn(name: str, x: np.ndarray, y: np.ndarray, n_classes: int, **parts: Any) -> Problem:
    """In an order by lot; every fifth row held out."""
    order = np.random.default_rng(11).permutation(len(x))
    n_train = len(x) - len(x) // 5
    return Problem(name, x[order], y[order].astype(float), n_classes, n_train, **parts)


def shares(n: int, count: int) -> tuple[int, ...]:
    """Unequal ones: the guest's is the largest."""
    rest = [n // (count + 1)] * (count - 1)
    return (n - sum(rest), *rest)


def of_scikit_learn() -> list[Problem]:
    """Split vertically between guest and host (diabetes: three hosts)."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    wine, kinds = datasets.load_wine(return_X_y=True)
    digits, shown = datasets.load_digits(n_class=4, return_X_y=True)
    people, progress = datasets.load_diabetes(return_X_y=True)
    made, target = datasets.make_friedman1(3_000, 10, noise=1.0, random_state=1)
    return [
        drawn("breast", x, y, 2, columns=(10, 20)),
        drawn("wine", wine, kinds, 3, columns=(5, 8)),
        drawn("digits 0-3", digits, shown, 4, columns=(32, 32)),
        drawn("diabetes", people, progress, 0, columns=(4, 2, 2, 2)),
        drawn("Friedman 1", made, target, 0, columns=(5, 5)),
    ]


def by_rows(problems: list[Problem]) -> list[Problem]:
    """The same, split between three clients."""
    return [
        Problem(p.name, p.x, p.y, p.n_classes, p.n_train, rows=shares(p.n_train, 3))
        for p in problems
    ]


FATE = {"breast": 2, "default_credit": 2, "vehicle_scale": 4, "student": 0}
"""Data sets of its examples, and their classes."""


def read(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Ids, features, and labels if there are any."""
    table = pyarrow.csv.read_csv(file)
    names = [name for name in table.column_names if name not in ("id", "y")]
    x = np.column_stack([table[name].to_numpy() for name in names]).astype(float)
    return table["id"].to_numpy(), x, table["y"].to_numpy() if "y" in table.column_names else None


def vertical_files(folder: Path) -> Iterator[Problem]:
    for name, n_classes in FATE.items():
        files = [folder / f"{name}_hetero_{role}.csv" for role in ("guest", "host")]
        if all(file.exists() for file in files):
            (ids, x, y), (others, more, _) = map(read, files)
            _, at, there = np.intersect1d(ids, others, return_indices=True)
            columns = (x.shape[1], more.shape[1])
            pooled = np.hstack([x[at], more[there]])
            yield drawn(f"FATE's {name}", pooled, y[at], n_classes, columns=columns)


def horizontal_files(folder: Path) -> Iterator[Problem]:
    for name, n_classes in FATE.items():
        files = [*sorted(folder.glob(f"{name}_homo_[gh]*.csv")), folder / f"{name}_homo_test.csv"]
        if len(files) > 2 and all(file.exists() for file in files):
            parts = [read(file)[1:] for file in files]
            counts = tuple(len(y) for _, y in parts[:-1])
            x, y = (np.concatenate(side) for side in zip(*parts, strict=True))
            yield Problem(f"FATE's {name}", x, y, n_classes, sum(counts), rows=counts)


# Trainings.


def given(problem: Problem, **more: Any) -> dict[str, Any]:
    kind = "classification" if problem.n_classes else "regression"
    return {
        "task_type": kind,
        "objective_param": {"objective": "cross_entropy" if problem.n_classes else "lse"},
        "num_trees": TREES,
        "n_iter_no_change": False,
        "learning_rate": RATE,
        "bin_num": BINS,
        "tree_param": {
            "max_depth": DEPTH,
            "criterion_params": [L2, 0],
            "min_impurity_split": MIN_GAIN,
        },
        **more,
    }


def frame(x: np.ndarray, y: np.ndarray | None, first: int = 0) -> Frame:
    ids = pa.array(np.arange(len(x)).astype(str))
    header = [f"x{first + j}" for j in range(x.shape[1])]
    return Frame(ids, x, FrameSchema(header=header), label=y)


def chances(said: list[Predictions]) -> np.ndarray:
    return np.concatenate([one.detail for one in said])


def vertical(problem: Problem, encryption: dict[str, Any]) -> Trained:
    """What the parties together say of both parts."""
    boost = HeteroSecureBoost(
        params.parse(HeteroSecureBoost.Params, given(problem, **encryption), "HeteroSecureBoost")
    )
    ends = np.cumsum([0, *problem.columns]).tolist()
    parties = CLIENTS[: len(problem.columns)]

    def party(number: int) -> Callable[[Any], Any]:
        first, end = ends[number], ends[number + 1]
        train, test = (
            frame(x[:, first:end], labelled(problem, y) if number == 0 else None, first)
            for x, y in problem.parts
        )
        return lambda ctx: trained(boost, ctx, train, [train, test])

    results, _ = run({one: party(i) for i, one in enumerate(parties)}, Ctx, timeout_s=1200)
    (x, y), _ = problem.parts
    said = [one.detail for one in results[CLIENTS[0]]]
    return Trained(said, quantiles.cut_points(x, BINS), problem.loss.start(y))


def horizontal(problem: Problem, _: dict[str, Any]) -> Trained:
    boost = HomoSecureBoost(params.parse(HomoSecureBoost.Params, given(problem), "HomoSecureBoost"))
    ends = np.cumsum([0, *problem.rows]).tolist()
    clients = CLIENTS[: len(problem.rows)]
    (x, y), (x_test, y_test) = problem.parts
    test = frame(x_test, labelled(problem, y_test))

    def party(number: int) -> Callable[[Any], Any]:
        here = slice(ends[number], ends[number + 1])
        train = frame(x[here], labelled(problem, y[here]))
        return lambda ctx: trained(boost, ctx, train, [train, test])

    played = {one: party(i) for i, one in enumerate(clients)}
    played[JUDGE] = lambda ctx: trained(boost, ctx, None, [])
    results, transcript = run(played, Ctx, timeout_s=1200)
    told = next(s.value for s in transcript if s.message == homo_quantiles.Wire.cuts.name)
    cuts = Cuts(np.split(told.upper, np.cumsum(told.n_cuts)[:-1]), BINS)
    said = [chances([results[one][0] for one in clients]), results[clients[0]][1].detail]
    return Trained(said, cuts, 0.0)


def labelled(problem: Problem, y: np.ndarray) -> np.ndarray:
    return y.astype(np.int64) if problem.n_classes else y


def trained(boost: Any, ctx: Ctx, train: Frame | None, rows: list[Frame]) -> list[Predictions]:
    ctx.cores = CORES
    model = boost.stage("fit", ctx.role)(ctx, train, None, None)
    return [boost.stage("predict", ctx.role)(ctx, model, part) for part in rows]


def twin(problem: Problem, cuts: Cuts | None, start: float, n_trees: int = TREES) -> Split:
    """LightGBM's on the pooled data. cuts: of our bins; None: it chooses its own."""
    loss, outputs = problem.loss, max(1, problem.n_classes - (problem.n_classes == 2))
    (x, y), (x_test, _) = problem.parts
    if cuts:
        x, x_test = (quantiles.binned(part, cuts).T.astype(float) for part in (x, x_test))

    def derivatives(score: np.ndarray, _: Any) -> tuple[np.ndarray, np.ndarray]:
        g, h = loss.derivatives(score.reshape(len(y), -1) + start, y)
        return (g, h) if outputs > 1 else (g[:, 0], h[:, 0])

    settings = {
        "objective": derivatives,
        "num_class": outputs,
        "learning_rate": RATE,
        "max_depth": DEPTH,
        "num_leaves": 2**DEPTH,
        "max_bin": 2 * BINS if cuts else BINS,  # then each number has a bin of its own
        "min_data_in_bin": 1,
        "lambda_l2": L2,
        "min_gain_to_split": MIN_GAIN,
        "min_data_in_leaf": 0,  # counted from second derivatives, which 1 would not allow
        "min_sum_hessian_in_leaf": 0.0,
        "feature_pre_filter": False,
        "num_threads": CORES,
        "verbosity": -1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y), n_trees)
    raw = [
        booster.predict(part, raw_score=True).reshape(len(part), outputs) for part in (x, x_test)
    ]
    return [loss.mean(score + start) for score in raw]


# The tables.

KINDS: dict[str, tuple[str, Callable[[Problem, dict], Trained], dict]] = {
    "lattice": ("vertical, Lattice", vertical, {}),
    "paillier": (
        "vertical, Paillier 1024",
        vertical,
        {"encrypt_param": {"method": "Paillier", "key_length": 1024}},
    ),
    "homo": ("horizontal, three clients or FATE's", horizontal, {}),
}


def problems(kind: str, folder: Path | None) -> list[Problem]:
    own = of_scikit_learn()
    if kind == "paillier":
        return own[:2]
    if kind == "homo":
        return by_rows(own) + (list(horizontal_files(folder)) if folder else [])
    return own + (list(vertical_files(folder)) if folder else [])


def compare(kind: str, problem: Problem) -> None:
    _, train, more = KINDS[kind]
    start = time.perf_counter()
    ours = train(problem, more)
    seconds = time.perf_counter() - start
    same, free = (twin(problem, cuts, ours.start) for cuts in (ours.cuts, None))
    labels = [y for _, y in problem.parts]
    found = [
        [problem.quality(said, y) for said, y in zip(split, labels, strict=True)]
        for split in (ours.said, same, free)
    ]
    marks = ["!" if problem.is_worse(found[0][i], found[1][i]) else " " for i in range(2)]
    numbers = "  ".join(
        f"{found[0][i]:9.5f}{marks[i]} {found[1][i]:9.5f} {found[2][i]:9.5f}" for i in range(2)
    )
    print(f"{problem.name:22} {problem.measure:9} {numbers} {seconds:8.1f}", flush=True)


def main() -> None:
    asked = sys.argv[1:] if sys.argv[0].endswith("boosting_quality.py") else []
    folder = Path(asked[asked.index("--data") + 1]) if "--data" in asked else None
    for kind in [k for k in asked if k in KINDS] or list(KINDS):
        print(f"\n{KINDS[kind][0]}: {TREES} trees of depth {DEPTH}, {BINS} bins, rate {RATE}")
        heads = "ours", "our bins", "its bins"
        print(f"{'':32} {'trained on':^30}   {'held out':^30}")
        print(
            f"{'':32} {heads[0]:>9}  {heads[1]:>9} {heads[2]:>9}  "
            f"{heads[0]:>9}  {heads[1]:>9} {heads[2]:>9} {'seconds':>8}"
        )
        for problem in problems(kind, folder):
            compare(kind, problem)


if __name__ == "__main__":
    main()
