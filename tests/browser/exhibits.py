"""Components with made-up outputs as fateflow answers them, one for each page of the board.

``EXHIBITS`` maps a component's name to what each role has of it. Numbers follow simple formulas,
so that a test can say what must be drawn.
"""

from __future__ import annotations

from typing import Any

Parts = dict[str, Any]
"""What one role has: of "metrics", "model", "meta", "parameters", "output", "header", "summary"."""
PARTS = ("train", "validate")


def metric(kind: str, data: Any = (), **meta: Any) -> Parts:
    return {"data": list(data), "meta": {"metric_type": kind, "name": "m", **meta}}


def train(**metrics: Parts) -> Parts:
    return {"train": metrics}


# evaluation


def roc(bend: float, count: int = 101) -> list[list[float]]:
    return [[at / (count - 1), round((at / (count - 1)) ** bend, 6)] for at in range(count)]


def confusion(at: int) -> tuple[int, int, int, int]:
    """tp, tn, fp, fn of 200 rows at threshold at / 100."""
    tp, tn = 100 - at // 2, 40 + at // 2
    return tp, tn, 100 - tn, 100 - tp


def f1(at: int) -> float:
    tp, _, fp, fn = confusion(at)
    return round(2 * tp / (2 * tp + fp + fn), 6)


def binary(name: str, auc: float, bend: float) -> Parts:
    cuts = [at / 100 for at in range(101)]
    thresholds = [1 - cut for cut in cuts]
    tpr = [[cut, round(cut**bend, 6)] for cut in cuts]
    fpr = [[cut, round(cut ** (1 / bend), 6)] for cut in cuts]
    ks = max(round(up[1] - down[1], 6) for up, down in zip(tpr, fpr, strict=True))
    counts = [confusion(at) for at in range(101)]
    curve = {"curve_name": name, "thresholds": thresholds}
    pair = {"pair_type": name, "thresholds": thresholds}
    return {
        name: metric("EVALUATION_SUMMARY", [["auc", auc], ["ks", ks]]),
        f"{name}_roc": metric("ROC_EVALUATION", roc(bend), unit_name="fpr", **curve),
        f"{name}_ks_tpr": metric("KS_EVALUATION", tpr, **pair),
        f"{name}_ks_fpr": metric("KS_EVALUATION", fpr, **pair),
        f"{name}_lift": metric("LIFT_EVALUATION", [[c, 2 - c] for c in cuts], **curve),
        f"{name}_gain": metric("GAIN_EVALUATION", [[c, c**0.5] for c in cuts], **curve),
        f"{name}_accuracy": metric(
            "ACCURACY_EVALUATION", [[c, 0.9 - (c - 0.4) ** 2] for c in cuts], **curve
        ),
        f"{name}_precision": metric(
            "PRECISION_BINARY_EVALUATION", [[c, 1 - c / 2] for c in cuts], **pair
        ),
        f"{name}_recall": metric("RECALL_BINARY_EVALUATION", [[c, c] for c in cuts], **pair),
        f"{name}_confusion_mat": metric(
            "CONFUSION_MAT",
            thresholds=cuts,
            **{key: [one[at] for one in counts] for at, key in enumerate(("tp", "tn", "fp", "fn"))},
        ),
        f"{name}_f1_score": metric(
            "F1_SCORE", thresholds=cuts, f1_scores=[f1(at) for at in range(101)]
        ),
        f"{name}_quantile_pr": metric(
            "QUANTILE_PR",
            thresholds=[at / 20 for at in range(21)],
            p_scores=[[0.0, 0.4 + at / 50] for at in range(21)],
            r_scores=[[0.0, 1 - at / 40] for at in range(21)],
        ),
    }


def psi_of(name: str) -> Parts:
    shares = [0.05 * (1 + at % 3) / 1.95 for at in range(20)]
    psi = metric(
        "PSI",
        psi_scores=[at / 1000 for at in range(20)],
        total_psi=0.19,
        intervals=[f"[{at / 20}, {(at + 1) / 20})" for at in range(20)],
        expected_interval=[float(100 + at) for at in range(20)],
        expected_percentage=shares,
        actual_interval=[5.0] * 20,
        actual_percentage=[0.05] * 20,
        train_pos_perc=[at / 20 for at in range(20)],
        validate_pos_perc=[1 - at / 20 for at in range(20)],
    )
    return {f"{name}_psi": psi}


def multi() -> Parts:
    name, labels = "hetero_secure_boost_0", ("cat", "dog", "eel")
    pair = {"pair_type": name}
    found = {
        name: metric("EVALUATION_SUMMARY", [["accuracy", 0.8125], ["precision", 0.75]]),
        f"{name}_precision": metric(
            "PRECISION_MULTI_EVALUATION", [[at, 0.5 + at / 10] for at in range(3)], **pair
        ),
        f"{name}_recall": metric(
            "RECALL_MULTI_EVALUATION", [[at, 0.9 - at / 10] for at in range(3)], **pair
        ),
    }
    for at, label in enumerate(labels):
        found[f"{name}_class_{label}_ovr"] = metric(
            "ovr", name=name, **{label: {"auc": 0.7 + at / 10, "ks": 0.4 + at / 10}}
        )
    return dict.fromkeys(PARTS, found)


def clusters() -> Parts:
    name = "hetero_kmeans_0"
    return train(
        **{
            name: metric("CLUSTERING_EVALUATION_SUMMARY", [["adjusted_rand_score", 0.625],
                                                          ["fowlkes_mallows_score", 0.5]]),
            f"{name}_inner": metric("CLUSTERING_EVALUATION_SUMMARY",
                                    [["davies_bouldin_index", 1.5]]),
            f"{name}_distance_measure": metric(
                "DISTANCE_MEASURE", cluster_index=[0, 1, 2], radius=[7.5, 9, 4.25],
                nearest_idx=[1, 2, 1]),
            f"{name}_contingency_matrix": metric(
                "CONTINGENCY_MATRIX", true_labels=[0, 1], predicted_labels=[0, 1, 2],
                result_table=[[40, 8, 2], [10, 20, 20]]),
        }
    )  # fmt: skip


REGRESSION = ("explained_variance", "mean_absolute_error", "mean_squared_error", "r2_score",
              "root_mean_squared_error")  # fmt: skip

# models


def linear(**more: Any) -> Parts:
    weights = {f"x{at}": (-1) ** at * (10 - at) / 8 for at in range(10)}
    return {
        "iters": 12, "isConverged": True, "bestIteration": -1, "header": list(weights),
        "weight": weights, "intercept": -0.125, "needOneVsRest": False, "lossHistory": [], **more,
    }  # fmt: skip


def loss(count: int = 12, **meta: Any) -> Parts:
    points = [[at, round(0.7 / (at + 1), 6)] for at in range(count)]
    return train(loss=metric("LOSS", points, unit_name="iters", curve_name="loss", **meta))


def tree(seed: int, depth: int = 3) -> Parts:
    """Complete; the guest's own splits at even nodes."""
    inner, nodes = 2**depth - 1, []
    for at in range(2 ** (depth + 1) - 1):
        leaf = at >= inner
        nodes.append({
            "id": at, "sitename": "guest:9999" if at % 2 == 0 or leaf else "host:10000",
            "fid": (at + seed) % 10 if not leaf else -1, "bid": 1, "isLeaf": leaf, "moWeight": [],
            "weight": (at - 10) / 64 if leaf else 0.0,
            "leftNodeid": -1 if leaf else 2 * at + 1, "rightNodeid": -1 if leaf else 2 * at + 2,
        })  # fmt: skip
    return {
        "tree": nodes,
        "splitMaskdict": {str(at): at / 4 + seed / 8 for at in range(0, inner, 2)},
        "missingDirMaskdict": {str(at): 1 for at in range(0, inner, 2)},
        "leafCount": {str(at): str(at * 3) for at in range(inner, 2 * inner + 1)},
    }


def boosted(rounds: int, classes: tuple[str, ...], **more: Any) -> Parts:
    dim = 1 if len(classes) == 2 else len(classes)
    important = [
        {"fullname": f"x{at}", "sitename": "guest:9999", "importance": 20 - at,
         "importance2": at + 0.5, "main": "split"} for at in range(6)
    ] + [
        {"fullname": f"host_10000_x{at}", "sitename": "host:10000", "importance": 9 - at,
         "importance2": 0.25, "main": "split"} for at in range(4)
    ]  # fmt: skip
    return {
        "trees": [tree(at % 7, 2 + at % 3) for at in range(rounds * dim)], "treeDim": dim,
        "classes": list(classes), "featureImportances": important, "bestIteration": -1,
        "featureNameFidMapping": {str(at): f"x{at}" for at in range(10)},
        "losses": [round(1 / (at + 1), 6) for at in range(rounds)], **more,
    }  # fmt: skip


# binning and selection


def column(n: int, *, points: list[float] | None = None, **more: Any) -> Parts:
    return {
        "binNums": str(n), "splitPoints": points or [], "ivArray": [0.25] * n,
        "woeArray": [at - n / 2 for at in range(n)], "iv": 0.25 * n, "isWoeMonotonic": True,
        "eventCountArray": [str(10 + at) for at in range(n)], "nonEventCountArray": ["5"] * n,
        "eventRateArray": [0.25] * n, "nonEventRateArray": [0.2] * n,
        "binAnonymous": [f"bin_{at}" for at in range(n)], **more,
    }  # fmt: skip


def result(of: Parts, role: str = "guest", party: str = "9999") -> Parts:
    return {"binningResult": of, "role": role, "partyId": party}


def own_bins(iv: float = 1.0) -> Parts:
    found = {f"x{at}": column(4, points=[1, 2.5, 4, 9], iv=iv + at / 8) for at in range(12)}
    # The last split point stands for "above"; one more bin than points is the missing values'.
    return found | {"x3": column(5, points=[1, 2.5, 4, 9], iv=iv + 3 / 8)}


HOSTS = [
    result({f"host_{party}_x{at}": column(3, iv=at / 4) for at in range(3)}, "host", party)
    for party in ("10000", "10001")
]
BINNING = {
    "header": [f"x{at}" for at in range(12)],
    "headerAnonymous": [f"guest_9999_x{at}" for at in range(12)],
    "binningResult": result(own_bins()),
    "hostResults": HOSTS,
}
LABELS = ("2", "1", "0")
SEVERAL = {
    "labels": list(LABELS),
    "results": [result(own_bins(float(label))) for label in LABELS],
    "hostResults": [HOSTS[0]] * 3 + [HOSTS[1]] * 3,
    "hostPartyIds": ["10000", "10001"],
}
BARE = {f"x{at}": {"binNums": "3", "splitPoints": [1.0, 2.0, 3.0]} for at in range(4)}
FEATURES = [f"x{at}" for at in range(30)]


def selection() -> Parts:
    """Of 30 columns: the first filter removes every fifth, the second half of what is left."""
    kept = [name for at, name in enumerate(FEATURES) if at % 5]
    final = kept[: len(kept) // 2]
    return {
        "header": FEATURES,
        "finalLeftCols": {"leftCols": dict.fromkeys(final, True)},
        "hostColNames": [{"partyId": "10000", "colNames": ["host_10000_x0", "host_10000_x1"]}],
        "colNameToAnonymDict": {name: f"guest_9999_{name}" for name in FEATURES},
        "results": [
            {"filterName": "unique_value", "featureValues": dict.fromkeys(FEATURES, 0.5),
             "leftCols": {"originalCols": FEATURES, "leftCols": dict.fromkeys(kept, True)}},
            {"filterName": "iv_filter",
             "featureValues": {name: at / 10 for at, name in enumerate(kept)},
             "leftCols": {"originalCols": kept, "leftCols": dict.fromkeys(final, True)},
             "hostFeatureValues": [{"featureValues": {"host_10000_x0": 0.4,
                                                      "host_10000_x1": 0.01}}],
             "hostLeftCols": [{"originalCols": ["host_10000_x0", "host_10000_x1"],
                               "leftCols": {"host_10000_x0": True}}]},
        ],
    }  # fmt: skip


def pearson(n: int) -> Parts:
    """n columns of the guest and n of a host."""
    own = [1.0 if i == j else round((i - j) / n, 6) for i in range(n) for j in range(n)]
    other = [f"host_10000_x{at}" for at in range(n)]
    return {
        "names": [f"x{at}" for at in range(n)], "party": "(guest,9999)",
        "parties": ["(guest,9999)", "(host,10000)"], "shapes": [n, n],
        "allNames": [{"names": [f"x{at}" for at in range(n)]}, {"names": other}],
        "localCorr": own, "corr": [round((i + j) / (2 * n), 6) for i in range(n) for j in range(n)],
        "localVif": [1 + at / 8 for at in range(n)],
    }  # fmt: skip


def stepwise(number: int, host: list[bool]) -> Parts:
    return metric(
        "STEPWISE", [[f"stepwise_{number}", number]], score_name="aic", direction="backward",
        n_count="800", number_in=1 + sum(host), guest_mask=[True], host_mask=host,
        guest_features_anonym=["guest_9999_x0"],
        host_features_anonym=["host_10000_x0", "host_10000_x1"], fit_intercept=True,
        all_features=["age"], header=["age"], to_enter=[], weight={"age": 0.5}, intercept=0.25,
        loss=0.5 - number / 8, current_ic_val=-10.0 - number,
    )  # fmt: skip


SPLIT = {
    "data_split_count_info": {"original": 100, "train": 60, "validate": 30, "test": 10},
    "data_split_ratio_info": {"train": 0.6, "validate": 0.3, "test": 0.1},
}


def layers(**more: Any) -> Parts:
    parts = ("original", "train", "validate", "test")
    counts = {part: {"0": 20, "1": 30, "2": 50} for part in parts}
    return metric("DATA_SPLIT", stratified=True, data_split_label_info=counts | more, **SPLIT)


PSI_MODEL = {
    "featurePsi": [
        {"featureName": f"x{at}", "interval": ["x<=-1.1", "-1.1<x<=2", "2<x"],
         "expectPerc": [0.1, 0.2, 0.7], "actualPerc": [0.2, 0.1, 0.7], "psi": [0.1, 0.2, 0.0]}
        for at in range(3)
    ],
    "totalScore": {f"x{at}": 0.03 * at for at in range(3)},
}  # fmt: skip
SCALED = {"columnLower": 0.0, "columnUpper": 9.5, "mean": 1.5, "std": 2.0}
TRANSFORM = {
    "header": ["x0", "x1"],
    "anonymousHeader": ["guest_9999_x0", "guest_9999_x1"],
    "labelName": "y",
    "imputerParam": {"missingReplaceValue": {"x0": "3"}, "missingValueRatio": {"x0": 0.25}},
    "outlierParam": {"outlierReplaceValue": {}, "outlierValueRatio": {}},
}
IMPUTED = {
    "header": ["a", "b"],
    "imputerParam": {
        "colsReplaceMethod": {"a": "min", "b": "None"},
        "missingReplaceValue": {"a": "1.0"},
        "missingValueRatio": {"a": 0.5, "b": 0.0},
    },
}
KMEANS = {
    "countOfClusters": "3", "maxInteration": "10", "converged": True, "header": ["x0", "x1"],
    "clusterDetail": [{"cluster": [float(at), 30.0, 1 / 3]} for at in range(3)],
    "centroidDetail": [{"centroid": [at, at / 2]} for at in range(3)],
}  # fmt: skip
NN = {"0-0": {"layer": "Linear", "in_features": 30, "bias": True}, "1-1": {"layer": "ReLU"}}
NETWORK = {"iterEpoch": "7", "bestIteration": 3, "historyLoss": [0.5, 0.25]}
READ = metric(
    "data_info", table_name="breast", namespace="experiment", count=569, partitions=16,
    storage_engine="STANDALONE", anonymous_info={"x2": "guest_9999_x1"}, attribute_info={},
    table_info={f"x{at}": f"0.{at}, 1.{at}, 2.{at}" for at in range(30)},
)  # fmt: skip
CREDIT = [[str(at), 1, 0.5, 400.0 + 10 * (at % 21)] for at in range(100)]
MET = [["intersect_count", 6], ["input_match_id_count", 8], ["intersect_rate", 0.75],
       ["unmatched_count", 2], ["unmatched_rate", 0.25]]  # fmt: skip
EXHIBITS: dict[str, tuple[str, dict[str, Parts]]] = {
    "evaluation_0": ("Evaluation", {"guest": {"metrics": {
        "train": binary("hetero_lr_0", 0.95, 0.25) | binary("hetero_lr_1", 0.9, 0.5),
        "validate": binary("hetero_lr_0", 0.9, 0.3) | psi_of("hetero_lr_0"),
    }}}),
    "evaluation_multi": ("Evaluation", {"guest": {"metrics": multi()}}),
    "evaluation_regression": ("Evaluation", {"guest": {"metrics": train(lin_0=metric(
        "EVALUATION_SUMMARY", [[name, 0.5 + at / 8] for at, name in enumerate(REGRESSION)]))}}),
    "evaluation_clustering": ("Evaluation", {"guest": {"metrics": clusters()}}),
    "hetero_lr_0": ("HeteroLR", {
        "guest": {"model": linear()},
        "host": {"model": linear(intercept=0.0)},
        "arbiter": {"model": linear(header=[], weight={}), "metrics": loss(Best=0.05)},
    }),
    "hetero_lr_ovr": ("HeteroLR", {"guest": {"model": linear(
        needOneVsRest=True, oneVsRestResult={
            "oneVsRestClasses": ["cat", "dog"],
            "completedModels": [linear(), linear(iters=30, bestIteration=7, intercept=0.5)]},
    )}}),
    "hetero_secure_boost_0": ("HeteroSecureBoost", {
        "guest": {"model": boosted(50, ("cat", "dog", "eel")), "metrics": loss(50),
                  "meta": {"boostingStrategy": "std", "learningRate": 0.3}},
        "host": {"model": boosted(50, ("cat", "dog", "eel"), anonymousNameMapping={
            f"host_10000_x{at}": f"x{at}" for at in range(4)})},
    }),
    "hetero_secure_boost_mix": ("HeteroSecureBoost", {"guest": {
        "model": {**boosted(4, ("0", "1")), "treePlan": ["0_-1", "1_10000"] * 2,
                  "trees": [tree(0), {"tree": []}, tree(1), {"tree": []}]},
        "meta": {"boostingStrategy": "mix", "learningRate": 0.3}}}),
    "hetero_feature_binning_0": ("HeteroFeatureBinning", {
        "guest": {"model": BINNING},
        "host": {"model": {"header": list(BARE), "headerAnonymous": list(BARE),
                           "binningResult": result(BARE, "", "")}},
    }),
    "binning_static": ("HeteroFeatureBinning", {"guest": {
        "model": {"header": list(BARE), "binningResult": result(BARE)},
        "meta": {"skipStatic": True}}}),
    "binning_multi": ("HeteroFeatureBinning", {"guest": {
        "model": {**BINNING, "multiClassResult": SEVERAL}}}),
    "binning_later": ("HeteroFeatureBinning", {"guest": {"model": {
        **BINNING, "transformBinningResult": result({"x0": column(2, iv=0.0625)}),
        "transformHostResults": []}}}),
    "selection_0": ("HeteroFeatureSelection", {"guest": {"model": selection(), "meta": {
        "filterMetas": [{}, {"metrics": "iv", "filterType": "threshold", "threshold": 0.1}]}}}),
    "correlation_0": ("HeteroPearson", {"guest": {"model": pearson(60)}}),
    "reader_0": ("Reader", {"guest": {"metrics": {"reader_namespace": {"reader_name": READ}}}}),
    "transform_filled": ("DataTransform", {"guest": {"model": TRANSFORM, "meta": {
        "imputerMeta": {"isImputer": True, "strategy": "mean", "missingValue": ["", "NA"]}}}}),
    "transform_plain": ("DataTransform", {"guest": {"model": TRANSFORM, "meta": {
        "imputerMeta": {"isImputer": False}, "inputFormat": "dense"}}}),
    "imputation_0": ("FeatureImputation", {"guest": {"model": IMPUTED}}),
    "scale_0": ("FeatureScale", {"guest": {
        "model": {"header": ["b", "a"], "colScaleParam": {"a": SCALED, "b": SCALED}},
        "metrics": train(scale=metric("SCALE", method="min_max_scale"))}}),
    "onehot_0": ("OneHotEncoder", {"guest": {
        "model": {"colMap": {"x2": {"values": ["C", "D"], "transformedHeaders": ["x2_C", "x2_D"]}},
                  "resultHeader": ["x0", "x2_C", "x2_D"]},
        "meta": {"header": ["x0", "x2"], "transformColNames": ["x2"]}}}),
    "label_transform_0": ("LabelTransform", {"guest": {"metrics": train(
        label_transform=metric("LABEL_TRANSFORM", label_encoder={"no": 0, "yes": 1}))}}),
    "sample_weight_0": ("SampleWeight", {"guest": {"metrics": train(sample_weight=metric(
        "SAMPLE_WEIGHT", weight_mode="class weight", class_weight={"0": 1, "1": 2.5},
        classes=[0, 1]))}}),
    "sample_random": ("FederatedSample", {"guest": {"metrics": {"sample_count": {
        "random": metric("SAMPLE_TEXT", [["count", 512]])}}}}),
    "sample_stratified": ("FederatedSample", {"guest": {"metrics": {
        "original_count": {"stratified": metric("SAMPLE_TABLE", [[0, 200], [1, 300]])},
        "sample_count": {"stratified": metric("SAMPLE_TABLE", [[0, 100], [1, 30]])}}}}),
    "split_stratified": ("HeteroDataSplit", {"guest": {"metrics": train(
        data_split=layers(label_names=[0, 1, 2], continuous_label=False))}}),
    "split_continuous": ("HomoDataSplit", {"guest": {"metrics": train(
        data_split=layers(split_points=[0.5, 1.5], continuous_label=True))}}),
    "statistics_0": ("DataStatistics", {"guest": {
        "model": {"selfValues": {"results": [
            {"valueName": name, "colNames": FEATURES, "values": [at / 4 for at in range(30)]}
            for name in ("mean", "std", "missing_count")]}},
        "meta": {"statistics": ["mean", "std", "missing_count"], "staticColumns": FEATURES}}}),
    "psi_0": ("PSI", {"guest": {"model": PSI_MODEL}}),
    "union_0": ("Union", {"guest": {"metrics": train(
        union=metric("UNION", [["a.data.0", 1], ["b.data.0", 2], ["Total", 3]]))}}),
    "intersection_0": ("Intersection", {"guest": {"metrics": train(intersection=metric(
        "INTERSECTION", MET, intersect_method="rsa", join_method="left_join"))}}),
    "kmeans_0": ("HeteroKmeans", {
        "guest": {"model": KMEANS},
        "arbiter": {"metrics": train(DBI=metric("DBI", [[0, 1.9], [1, 1.6]], unit_name="iters"))},
    }),
    "scorecard_0": ("Scorecard", {"guest": {
        "parameters": {"method": "credit", "offset": 500}, "output": [CREDIT],
        "header": [["id", "label", "predict_score", "credit_score"]]}}),
    "unlabeled_0": ("PositiveUnlabeled", {"guest": {"metrics": train(positive_unlabeled=metric(
        "PU_MODEL", [["count of converted unlabeled", 56]]))}}),
    "model_loader_0": ("ModelLoader", {"guest": {"metrics": {"model_loader": {"m": metric(
        "component_model_info", model_id="guest-9999#model", model_version="1")}}}}),
    "cache_loader_0": ("CacheLoader", {"guest": {"metrics": {"cache_loader": {"c": metric(
        "cache_info", job_id="1", component_name="intersection_0", cache_key="k")}}}}),
    "stepwise_0": ("HeteroLinR", {"guest": {"model": linear(), "metrics": train(
        stepwise_0=stepwise(0, [True, True]), stepwise_1=stepwise(1, [True, False]))}}),
    "hetero_nn_0": ("HeteroNN", {"guest": {"model": NETWORK, "metrics": loss(),
                                           "parameters": {"bottom_nn_define": NN}}}),
    "homo_nn_0": ("HomoNN", {"guest": {"metrics": loss(), "parameters": {"nn_define": NN}}}),
    "ftl_0": ("FTL", {"guest": {"metrics": loss()}}),
    "of_others_0": ("SomebodysModule", {"guest": {"metrics": {"extra": {"thing": metric(
        "NOBODY_KNOWS", [["speed", 3], ["height", 7]], colour="red")}}}}),
}  # fmt: skip
