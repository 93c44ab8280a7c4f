"""Common bins, values of a host and verified sums, in one job on a live site."""

import numpy as np
import pytest

N = 40
ROLES = {"guest": "9999", "host": "10000", "arbiter": "10000"}


def component(module, source, *outputs, model=None):
    inputs = {"data": {"data": [source]}} | ({"model": [model]} if model else {})
    return {
        "module": module,
        "input": inputs,
        "output": {kind: [kind] for kind in outputs},
    }


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """p and q of guest and host, for the same ids."""
    folder, rng = tmp_path_factory.mktemp("sums"), np.random.default_rng(2)
    found = {role: rng.normal(size=(N, 2)).round(4) for role in ("guest", "host")}
    for role, x in found.items():
        lines = ["id,p,q", *(f"c{i},{a},{b}" for i, (a, b) in enumerate(x))]
        (folder / f"{role}.csv").write_text("\n".join(lines) + "\n")
    return folder, found


@pytest.fixture(scope="module")
def job(node, tables):
    folder, _ = tables
    for role in ("guest", "host"):
        node.upload(folder / f"{role}.csv", "sums", role)
    rows = "data_transform_0.data"
    dsl = {
        "components": {
            "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
            "data_transform_0": component("DataTransform", "reader_0.data", "data", "model"),
            "bins_0": component("HomoFeatureBinning", rows, "data", "model"),
            "bins_1": component("HomoFeatureBinning", rows, "data", "model", model="bins_0.model"),
            "values_0": component("SecureInformationRetrieval", rows, "data", "model"),
            "sums_0": component("FeldmanVerifiableSum", rows, "data"),
        }
    }
    conf = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {role: [int(party)] for role, party in ROLES.items()},
        "component_parameters": {
            "common": {
                "data_transform_0": {"with_label": False, "output_format": "dense"},
                "bins_0": {"bin_num": 4, "error": 0},
                "values_0": {"target_cols": ["q"]},
                "sums_0": {"q_n": 4},
            },
            "role": {
                role: {"0": {"reader_0": {"table": {"namespace": "sums", "name": role}}}}
                for role in ("guest", "host")
            },
        },
    }
    reply = node.submit(dsl, conf)
    assert node.wait(reply["jobId"]) == "success", node.post("job/query", job_id=reply["jobId"])
    return reply["jobId"]


def asked(node, job, path, name, role="guest"):
    return node.post(path, job_id=job, role=role, party_id=ROLES[role], component_name=name)


def rows_of(node, job, name, role="guest"):
    """Header of the output, and its rows in the order of the ids."""
    reply = asked(node, job, "tracking/component/output/data", name, role)
    rows = sorted(reply["data"][0], key=lambda row: int(row[0][1:]))
    return reply["meta"]["header"][0], rows


@pytest.mark.parametrize("name", ["bins_0", "bins_1"])
def test_all_clients_have_the_bins_of_the_pooled_rows(node, job, tables, name):
    _, x = tables
    pooled = np.concatenate([x["guest"], x["host"]])
    ranks = np.argsort(np.argsort(pooled, axis=0), axis=0)
    wanted = ranks // (2 * N // 4)
    found = [np.array([r[1:] for r in rows_of(node, job, name, role)[1]]) for role in x]
    np.testing.assert_array_equal(np.concatenate(found), wanted)


def test_the_model_and_the_summary_have_split_points(node, job):
    shown = asked(node, job, "tracking/component/output/model", "bins_0", "host")["data"]
    columns = shown["binningResult"]["binningResult"]
    summary = asked(node, job, "tracking/component/summary/download", "bins_0", "host")["data"]
    assert summary["split_points"] == {name: c["splitPoints"] for name, c in columns.items()}
    assert [len(points) for points in summary["split_points"].values()] == [4, 4]


def test_the_guest_has_the_hosts_values_and_the_host_only_their_number(node, job, tables):
    header, rows = rows_of(node, job, "values_0")
    assert header == ["id", "q"]
    assert [float(row[1]) for row in rows] == tables[1]["host"][:, 1].tolist()
    shown = asked(node, job, "tracking/component/metric/all", "values_0", "host")["data"]
    points = shown["train"]["sir"]["data"]
    assert dict(points) == {"Coverage": 1.0, "Block number": N}
    assert rows_of(node, job, "values_0", "host")[0] == ["id", "p", "q"]


def test_the_guest_has_the_sums(node, job, tables):
    header, rows = rows_of(node, job, "sums_0")
    assert header == ["id", "p", "q"]
    np.testing.assert_allclose(
        [row[1:] for row in rows], tables[1]["guest"] + tables[1]["host"], atol=1e-9
    )
