"""What a job costs beyond its arithmetic: a chain of ten components that do nothing.

Prediction before writing: a worker is a fork (about 10 ms), a status report a few milliseconds
of SQLite and HTTP; two parties share two cores, so ten links should take about 10 x 0.1 s.
The plain-Python twin calls ten functions that do nothing.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.e2e.conftest import Node, free_port

LINKS = 10


def answered(node: Node, path: str, **body: object) -> str:
    """The job that a call began. A refusal ends the benchmark."""
    reply = node.post(path, **body)
    assert reply["retcode"] == 0, reply
    return reply["jobId"]


def chain() -> tuple[dict, dict]:
    """Ten components in a row, each passing on what it got (``need_run`` false)."""
    components = {"reader_0": {"module": "Reader", "output": {"data": ["data"]}}}
    before, parameters = "reader_0", {}
    for i in range(LINKS - 1):
        name = f"data_transform_{i}"
        components[name] = {
            "module": "DataTransform",
            "input": {"data": {"data": [f"{before}.data"]}},
            "output": {"data": ["data"]},
        }
        before, parameters[name] = name, {"need_run": False}
    table = {"reader_0": {"table": {"name": "rows", "namespace": "bench"}}}
    conf = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": [10000]},
        "component_parameters": {
            "common": parameters,
            "role": {"guest": {"0": table}, "host": {"0": table}},
        },
    }
    return {"components": components}, conf


def nothing(given: str) -> str:
    return given


def twin() -> float:
    start, row = time.perf_counter(), "a,1"
    for _ in range(LINKS):
        row = nothing(row)
    return time.perf_counter() - start


def measure(home: Path) -> list[tuple[str, float]]:
    node = Node(home, free_port(), free_port())
    start = time.perf_counter()
    node.up()
    rows = [("node up (`distaff up -d`)", time.perf_counter() - start)]
    try:
        file = home.parent / "rows.csv"
        file.write_text("id,x0\n" + "".join(f"k{i},{i}\n" for i in range(100)))
        upload = {
            "file": str(file),
            "head": 1,
            "partition": 1,
            "namespace": "bench",
            "table_name": "rows",
            "use_local_data": 0,
        }
        start = time.perf_counter()
        assert node.wait(answered(node, "data/upload", **upload)) == "success"
        rows.append(("upload of 100 rows", time.perf_counter() - start))
        dsl, conf = chain()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            job = answered(node, "job/submit", job_dsl=dsl, job_runtime_conf=conf)
            assert node.wait(job) == "success"
            times.append(time.perf_counter() - start)
        rows.append((f"job of {LINKS} empty components, two parties", min(times)))
    finally:
        node.down()
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder) / "home")
    plain = twin()
    print(f"{'what':48} {'seconds':>9}")
    for what, seconds in rows:
        print(f"{what:48} {seconds:9.3f}")
    print(f"{'plain-Python twin: ten calls of nothing':48} {plain:9.6f}")
    print(f"overhead per component: {rows[-1][1] / LINKS * 1000:.0f} ms")


if __name__ == "__main__":
    main()
