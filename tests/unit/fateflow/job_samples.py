"""DSLs that several tests start from."""

from __future__ import annotations

from hypothesis import strategies as st


def lr_job() -> dict:
    return {
        "components": {
            "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
            "transform_0": {
                "module": "DataTransform",
                "input": {"data": {"data": ["reader_0.data"]}},
                "output": {"data": ["data"], "model": ["model"]},
            },
            "psi_0": {
                "module": "Intersection",
                "input": {"data": {"data": ["transform_0.data"]}},
                "output": {"data": ["data"], "cache": ["cache"]},
            },
            "lr_0": {
                "module": "HeteroLR",
                "input": {"data": {"train_data": ["psi_0.data"]}},
                "output": {"data": ["data"], "model": ["model"]},
            },
        }
    }


@st.composite
def dags(draw: st.DrawFn) -> tuple[dict, dict[str, set[str]]]:
    """A DSL without circles, written in any order, and who reads whom."""
    size = draw(st.integers(1, 12))
    names = [f"c_{i}" for i in range(size)]
    reads = {
        name: draw(st.sets(st.sampled_from(names[:i]), max_size=4)) if i else set()
        for i, name in enumerate(names)
    }
    written = draw(st.permutations(names))
    kinds = st.sampled_from(["data", "train_data", "model", "isometric_model", "cache"])
    components = {}
    for name in written:
        inputs: dict = {}
        for parent in sorted(reads[name]):
            kind = draw(kinds)
            if kind in ("data", "train_data"):
                inputs.setdefault("data", {}).setdefault(kind, []).append(f"{parent}.d")
            else:
                output = "m" if "model" in kind else "k"
                inputs.setdefault(kind, []).append(f"{parent}.{output}")
        output = {"data": ["d"], "model": ["m"], "cache": ["k"]}
        components[name] = {"module": "X", "input": inputs, "output": output}
    return {"components": components}, reads
