"""What a user of FATE's pipeline SDK does, in the client's own interpreter: upload, bind, fit,
look, deploy, predict. Arguments: the folder of guest.csv and host.csv. The last line is JSON."""

import json
import sys
from pathlib import Path

from pipeline.backend.pipeline import PipeLine
from pipeline.component import DataTransform, Evaluation, HeteroLR, Intersection, Reader
from pipeline.interface import Data

GUEST, HOST, ARBITER = 9999, 10000, 10000


def uploaded(folder: Path) -> None:
    pipeline = PipeLine().set_initiator(role="guest", party_id=GUEST).set_roles(guest=GUEST)
    for role in ("guest", "host"):
        pipeline.add_upload_data(
            file=str(folder / f"{role}.csv"), table_name=f"sdk_{role}", namespace="client",
            head=1, partition=2, id_delimiter=",",
        )  # fmt: skip
    pipeline.upload(drop=1)


def reader(name: str) -> Reader:
    found = Reader(name=name)
    for role, party in (("guest", GUEST), ("host", HOST)):
        table = {"name": f"sdk_{role}", "namespace": "client"}
        found.get_party_instance(role=role, party_id=party).component_param(table=table)
    return found


def trained() -> PipeLine:
    pipeline = PipeLine().set_initiator(role="guest", party_id=GUEST)
    pipeline.set_roles(guest=GUEST, host=HOST, arbiter=ARBITER)
    reader_0 = reader("reader_0")
    transform = DataTransform(name="data_transform_0")
    transform.get_party_instance(role="guest", party_id=GUEST).component_param(
        with_label=True, output_format="dense"
    )
    transform.get_party_instance(role="host", party_id=HOST).component_param(with_label=False)
    matched = Intersection(name="intersection_0", intersect_method="ecdh")
    lr = HeteroLR(
        name="hetero_lr_0", max_iter=2, learning_rate=0.15,
        init_param={"init_method": "zeros"}, encrypt_param={"key_length": 1024},
    )  # fmt: skip
    evaluation = Evaluation(name="evaluation_0", eval_type="binary")
    pipeline.add_component(reader_0)
    pipeline.add_component(transform, data=Data(data=reader_0.output.data))
    pipeline.add_component(matched, data=Data(data=transform.output.data))
    pipeline.add_component(lr, data=Data(train_data=matched.output.data))
    pipeline.add_component(evaluation, data=Data(data=lr.output.data))
    pipeline.compile()
    pipeline.fit()
    return pipeline


def predicting(train: PipeLine) -> PipeLine:
    train.deploy_component([train.data_transform_0, train.intersection_0, train.hetero_lr_0])
    pipeline = PipeLine()
    reader_1 = reader("reader_1")
    pipeline.add_component(reader_1)
    source = {train.data_transform_0.input.data: reader_1.output.data}
    pipeline.add_component(train, data=Data(predict_input=source))
    pipeline.predict()
    return pipeline


def main(folder: Path) -> None:
    uploaded(folder)
    bound = PipeLine().set_initiator(role="guest", party_id=GUEST).set_roles(guest=GUEST)
    bind = bound.bind_table(name="sdk_bound", namespace="client", path=str(folder))
    train = trained()
    lr = train.get_component("hetero_lr_0")
    fitted = [lr.get_output_data() for _ in range(2)]
    matched = train.get_component("intersection_0").get_output_data()
    predicted = predicting(train).get_component("hetero_lr_0").get_output_data()
    told = {
        "bind": bind,
        "columns": list(fitted[0].columns),
        "twice_the_same": bool(fitted[0].equals(fitted[1])),
        "matched": list(matched.columns),
        "rows": [len(fitted[0]), len(matched), len(predicted)],
        "same_scores": list(fitted[0]["predict_score"]) == list(predicted["predict_score"]),
        "types": sorted({*fitted[0]["type"], *predicted["type"]}),
        "coef": sorted(lr.get_summary()["coef"]),
        "auc": train.get_component("evaluation_0").get_summary()["hetero_lr_0"]["train"]["auc"],
        "weights": sorted(lr.get_model_param()["weight"]),
        "table": sorted(lr.get_output_data_table()),
    }
    print(json.dumps(told))  # noqa: T201 (read by the test)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
