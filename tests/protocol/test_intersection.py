"""Intersection: equal to the set intersection, in one order at every party, nothing undeclared."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml import params
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.intersection import Intersection, IntersectParam, Wire
from federatedml.data.frame import Frame, FrameSchema, RawSchema, RawTable
from federatedml.errors import BadData, BadParameters
from federation import GUEST, HOST, Party
from federation.codec import describe
from federation.errors import ProtocolViolation
from federation.message import Message
from federation.transport import inproc

GUEST_, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
GOLDEN = Path(__file__).parents[1] / "golden"
FAST_RSA = {"key_length": 1024}

ECDH = {"intersect_method": "ecdh"}
DH = {"intersect_method": "dh", "dh_params": {"key_length": 1024}}
RSA = {"intersect_method": "rsa", "rsa_params": FAST_RSA}
SPLIT = {"intersect_method": "rsa", "rsa_params": {**FAST_RSA, "split_calculation": True}}
RAW = {"intersect_method": "raw"}

quick = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
id_sets = st.sets(st.text(min_size=1, max_size=6, alphabet="ab0é漢 "), max_size=12)


def frame(ids, **more):
    """x[:, 0] is the row's number in ``ids``."""
    ids = list(ids)
    x = np.arange(len(ids) * 2, dtype=float).reshape(-1, 2)
    return Frame(
        pa.array(ids, pa.string()), x, FrameSchema(header=["a", "b"], sid_name="id"), **more
    )


def raw(ids):
    ids = list(ids)
    columns = pa.table({"x0": pa.array([f"v{i}" for i in ids], pa.string())})
    return RawTable(pa.array(ids, pa.string()), columns, RawSchema(header="x0", sid="id"))


def intersect(config, sides, caches=None, folder=None):
    """Outputs and reports of every party, and the transcript."""
    given_params = params.parse(IntersectParam, config, "Intersection#intersection_0")
    reports = {}

    def of(party, data):
        def call(ctx):
            if folder:
                ctx.folder = folder / party.party_id
            reports[party] = ctx.report
            given_data = {"data": [NamedData("reader_0", "data", data)]}
            given_caches = {"intersect_0.cache": caches[party]} if caches else {}
            method = Intersection(given_params).stage("fit", party.role)
            return method(ctx, Inputs(data=given_data, caches=given_caches))

        return call

    outputs, transcript = inproc.run({p: of(p, d) for p, d in sides.items()}, Ctx, 30)
    return outputs, reports, transcript


def ids_of(output):
    data = output.data[0]
    return (data.key if isinstance(data, RawTable) else data.ids).to_pylist()


def by_bytes(texts):
    return sorted(texts, key=str.encode)


@pytest.mark.parametrize("config", [ECDH, DH, RAW], ids=["ecdh", "dh", "raw"])
@quick
@given(a=id_sets, b=id_sets)
def test_two_parties_get_the_set_intersection(config, a, b):
    outputs, reports, _ = intersect(config, {GUEST_: frame(a), BANK: frame(b)})
    assert ids_of(outputs[GUEST_]) == ids_of(outputs[BANK]) == by_bytes(a & b)
    assert reports[GUEST_].told["intersect_num"] == len(a & b)


@pytest.mark.parametrize("config", [ECDH, DH], ids=["ecdh", "dh"])
@settings(quick, max_examples=6)
@given(a=id_sets, b=id_sets, c=id_sets)
def test_three_parties_get_the_set_intersection(config, a, b, c):
    outputs, _, _ = intersect(config, {GUEST_: frame(a), BANK: frame(b), SHOP: frame(c)})
    assert {tuple(ids_of(o)) for o in outputs.values()} == {tuple(by_bytes(a & b & c))}


@pytest.mark.parametrize("config", [RSA, SPLIT], ids=["unified", "split"])
@pytest.mark.parametrize("hosts", [1, 2])
def test_rsa_gets_the_set_intersection(config, hosts):
    a, b, c = ([f"é{i}" for i in range(n, n + 23)] for n in (0, 5, 9))
    sides = {GUEST_: frame(a), BANK: frame(b), SHOP: frame(c)}
    sides = dict(list(sides.items())[: hosts + 1])
    outputs, _, _ = intersect(config, sides)
    expected = by_bytes(set(a) & set(b) & (set(c) if hosts == 2 else set(b)))
    assert all(ids_of(output) == expected for output in outputs.values())


@pytest.mark.parametrize("config", [RSA, SPLIT, DH], ids=["rsa", "split", "dh"])
@pytest.mark.parametrize(("a", "b"), [([], ["x"]), (["x", "y"], []), (["x"], ["y", "z"])])
def test_an_empty_intersection_is_an_answer(config, a, b):
    outputs, reports, _ = intersect(config, {GUEST_: frame(a), BANK: frame(b)})
    assert ids_of(outputs[GUEST_]) == ids_of(outputs[BANK]) == []
    assert reports[BANK].told["intersect_rate"] == 0.0


def test_rows_keep_what_belongs_to_them():
    label = np.array([7, 8, 9, 10])
    data = frame(["d", "b", "c", "a"], label=label, weight=np.arange(4.0))
    outputs, _, _ = intersect(ECDH, {GUEST_: data, BANK: raw(["a", "x", "d", "b"])})
    mine, theirs = outputs[GUEST_].data[0], outputs[BANK].data[0]
    assert mine.ids.to_pylist() == ["a", "b", "d"]
    assert mine.x[:, 0].tolist() == [6.0, 2.0, 0.0]
    assert mine.label.tolist() == [10, 8, 7]
    assert mine.weight.tolist() == [3.0, 1.0, 0.0]
    assert isinstance(theirs, RawTable)
    assert theirs.columns.column("x0").to_pylist() == ["va", "vb", "vd"]


def test_data_that_is_in_order_and_all_in_common_is_not_copied():
    data = frame(["a", "b", "c"])
    outputs, _, _ = intersect(ECDH, {GUEST_: data, BANK: frame(["c", "b", "a"])})
    assert outputs[GUEST_].data[0] is data


def test_metrics_and_summary_are_those_of_fate():
    _, reports, _ = intersect(RSA, {GUEST_: frame("abcd"), BANK: frame("cdx")})
    kind, points, meta = reports[GUEST_].metrics["train", "intersection"]
    assert kind == "INTERSECTION"
    assert dict(points) == {
        "input_match_id_count": 4,
        "intersect_count": 2,
        "intersect_rate": 0.5,
        "unmatched_count": 2,
        "unmatched_rate": 0.5,
    }
    assert meta == {"intersect_method": "rsa", "join_method": "inner_join"}
    assert reports[BANK].told == {
        "intersect_num": 2,
        "intersect_rate": 2 / 3,
        "cardinality_only": False,
        "unique_id_num": 3,
    }


@pytest.mark.parametrize("config", [ECDH, RSA], ids=["ecdh", "rsa"])
def test_an_unsynced_host_learns_and_outputs_nothing(config):
    config = {**config, "sync_intersect_ids": False, "only_output_key": True}
    outputs, reports, transcript = intersect(config, {GUEST_: frame("abcd"), BANK: frame("cdx")})
    assert ids_of(outputs[GUEST_]) == ["c", "d"]
    assert outputs[GUEST_].data[0].n_features == 0
    assert outputs[GUEST_].data[0].schema.header == []
    assert outputs[BANK].data == [None]
    assert reports[BANK].told["intersect_num"] == -1
    assert Wire.common.name not in {line.message for line in transcript}


@pytest.mark.parametrize("method", ["ecdh", "dh", "rsa"])
@pytest.mark.parametrize("sync", [True, False])
def test_cardinality_is_counted_without_data(method, sync):
    config = {
        "cardinality_only": True,
        "cardinality_method": method,
        "sync_cardinality": sync,
        "rsa_params": FAST_RSA,
        "dh_params": {"key_length": 1024},
        "intersect_preprocess_params": {"false_positive_rate": 1e-6},
    }
    a, b = [f"u{i}" for i in range(40)], [f"u{i}" for i in range(25, 60)]
    outputs, reports, _ = intersect(config, {GUEST_: frame(a), BANK: frame(b)})
    assert outputs[GUEST_].data == outputs[BANK].data == [None]
    assert reports[GUEST_].told["intersect_num"] == 15
    assert reports[GUEST_].told["cardinality_only"]
    assert reports[BANK].told["intersect_num"] == (15 if sync else -1)
    assert reports[GUEST_].metrics["train", "intersection"][2]["intersect_method"] == method


def test_the_estimated_cardinality_of_three_parties():
    config = {
        "cardinality_only": True,
        "cardinality_method": "rsa",
        "rsa_params": FAST_RSA,
        "intersect_preprocess_params": {"false_positive_rate": 1e-6, "random_state": 7},
    }
    sides = {GUEST_: frame("abcdef"), BANK: frame("bcdx"), SHOP: frame("cdefg")}
    _, reports, _ = intersect(config, sides)
    assert reports[GUEST_].told["intersect_num"] == 2


@settings(quick, max_examples=5)
@given(a=id_sets, b=id_sets, c=id_sets)
def test_the_exact_cardinality_of_three_parties(a, b, c):
    sides = {GUEST_: frame(a), BANK: frame(b), SHOP: frame(c)}
    _, reports, _ = intersect({"cardinality_only": True}, sides)
    assert reports[GUEST_].told["intersect_num"] == len(a & b & c)


def test_a_host_cannot_compare_the_sets_that_pass_through_it():
    sides = dict.fromkeys((GUEST_, BANK, SHOP), frame("abcdef"))
    _, _, transcript = intersect({"cardinality_only": True}, sides)
    for host in (BANK, SHOP):
        seen = [li.value for li in transcript if (li.message, li.dst) == (Wire.passing.name, host)]
        assert len({row.tobytes() for rows in seen for row in rows}) == 12


def test_the_exact_cardinality_gives_the_guest_no_rows_to_link():
    """What comes back is in another order than what went out, so no id can be tied to it."""
    ids = [f"u{i}" for i in range(200)]
    _, _, transcript = intersect({"cardinality_only": True}, {GUEST_: frame(ids), BANK: frame(ids)})
    assert {line.message.partition(".")[2] for line in transcript} == {
        "opening", "sizes", "own", "passing", "passed",
    }  # fmt: skip


@pytest.mark.parametrize("owner", ["guest", "host"])
def test_a_filter_thins_out_ids_and_changes_no_result(owner):
    config = {
        **ECDH,
        "run_preprocess": True,
        "intersect_preprocess_params": {"false_positive_rate": 0.01, "filter_owner": owner},
    }
    a, b = [f"u{i}" for i in range(100)], [f"u{i}" for i in range(90, 300)]
    outputs, reports, transcript = intersect(config, {GUEST_: frame(a), BANK: frame(b)})
    assert ids_of(outputs[GUEST_]) == ids_of(outputs[BANK]) == by_bytes(set(a) & set(b))
    assert reports[BANK].told["unique_id_num"] == 210
    sent = {line.src: len(line.value) for line in transcript if line.message.endswith("blinded")}
    thinned = BANK if owner == "guest" else GUEST_
    assert sent[thinned] < 30


@pytest.mark.parametrize("config", [ECDH, DH, RSA], ids=["ecdh", "dh", "rsa"])
def test_a_cache_serves_later_intersections(config, tmp_path):
    guest_ids, host_ids = ["a", "b", "c", "é"], ["é", "x", "b", "y"]
    made, reports, _ = intersect(
        {**config, "run_cache": True},
        {GUEST_: frame(guest_ids), BANK: frame(host_ids)},
        folder=tmp_path,
    )
    assert all(output.data == [None] for output in made.values())
    meta = reports[BANK].metrics["train", "intersection_cache_meta"][2]
    assert meta["intersect_method"] == config["intersect_method"]
    caches = {party: output.cache for party, output in made.items()}
    modes = {stat.S_IMODE(f.stat().st_mode) for c in caches.values() for f in c.rglob("*.*")}
    assert modes == {0o600}
    later = {GUEST_: frame(["y", "new", "b", "x"]), BANK: frame(["y", "b", "late", "é"])}
    outputs, _, _ = intersect(config, later, caches)
    # "x" has left the host since, and "late" came after the cache was made.
    assert ids_of(outputs[GUEST_]) == ids_of(outputs[BANK]) == ["b", "y"]


def test_a_cache_with_two_hosts(tmp_path):
    sides = {GUEST_: frame("abcd"), BANK: frame("bcdx"), SHOP: frame("ycbz")}
    made, _, _ = intersect({**ECDH, "run_cache": True}, sides, folder=tmp_path)
    caches = {party: output.cache for party, output in made.items()}
    outputs, _, _ = intersect(ECDH, sides, caches)
    assert {tuple(ids_of(output)) for output in outputs.values()} == {("b", "c")}


def test_a_guests_cache_holds_no_key(tmp_path):
    sides = {GUEST_: frame("ab"), BANK: frame("bc")}
    made, _, _ = intersect({**ECDH, "run_cache": True}, sides, folder=tmp_path)
    files = {f.name for f in made[GUEST_].cache.rglob("*") if f.is_file()}
    assert files == {"cache.json", "tokens.npy"}


def test_caches_of_different_jobs_do_not_mix(tmp_path):
    config, sides = {**ECDH, "run_cache": True}, {GUEST_: frame("ab"), BANK: frame("bc")}
    one, _, _ = intersect(config, sides, folder=tmp_path / "1")
    two, _, _ = intersect(config, sides, folder=tmp_path / "2")
    with pytest.raises(BadData, match="another cache"):
        intersect(ECDH, sides, {GUEST_: one[GUEST_].cache, BANK: two[BANK].cache})
    with pytest.raises(BadData, match="made with ecdh"):
        intersect(DH, sides, {party: output.cache for party, output in one.items()})


def match_frame(samples, matches):
    return frame(samples, match_ids=pa.array(matches, pa.string()))


GUEST_SAMPLES = (["s3", "s1", "s2", "s4"], ["m1", "m1", "m2", "m9"])
HOST_SAMPLES = (["h1", "h2", "h3"], ["m2", "m1", "m7"])


def test_match_ids_expand_to_the_generators_samples():
    sides = {GUEST_: match_frame(*GUEST_SAMPLES), BANK: match_frame(*HOST_SAMPLES)}
    outputs, reports, _ = intersect(ECDH, sides)
    mine, theirs = outputs[GUEST_].data[0], outputs[BANK].data[0]
    assert mine.ids.to_pylist() == theirs.ids.to_pylist() == ["s1", "s2", "s3"]
    assert mine.match_ids.to_pylist() == theirs.match_ids.to_pylist() == ["m1", "m2", "m1"]
    assert theirs.x[:, 0].tolist() == [2.0, 0.0, 2.0]
    points = dict(reports[GUEST_].metrics["train", "intersection"][1])
    assert points["intersect_sample_id_count"] == 3
    assert points["intersect_count"] == 2
    assert points["input_match_id_count"] == 3


def test_the_host_may_generate_sample_ids():
    sides = {GUEST_: match_frame(*GUEST_SAMPLES), BANK: match_frame(*HOST_SAMPLES)}
    outputs, _, _ = intersect({**ECDH, "sample_id_generator": "host"}, sides)
    mine, theirs = outputs[GUEST_].data[0], outputs[BANK].data[0]
    assert mine.ids.to_pylist() == theirs.ids.to_pylist() == ["h1", "h2"]
    # Of the guest's two rows of m1 the first by sample id, s1, stands for both.
    assert mine.x[:, 0].tolist() == [4.0, 2.0]


@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_a_left_join_keeps_all_of_the_generators_samples(storage):
    theirs = match_frame(*HOST_SAMPLES)
    theirs = Frame(theirs.ids, storage(theirs.x), theirs.schema, match_ids=theirs.match_ids)
    sides = {GUEST_: match_frame(*GUEST_SAMPLES), BANK: theirs}
    outputs, _, _ = intersect({**ECDH, "join_method": "left_join"}, sides)
    mine, padded = outputs[GUEST_].data[0], outputs[BANK].data[0]
    assert mine.ids.to_pylist() == padded.ids.to_pylist() == ["s1", "s2", "s3", "s4"]
    x = padded.x.toarray() if sparse.issparse(padded.x) else padded.x
    assert x[:3, 0].tolist() == [2.0, 0.0, 2.0]
    assert np.isnan(x[3]).all()
    assert padded.match_ids.to_pylist() == ["m1", "m2", "m1", None]


def test_new_sample_ids_hide_the_generators_own():
    sides = {GUEST_: match_frame(*GUEST_SAMPLES), BANK: match_frame(*HOST_SAMPLES)}
    config = {**ECDH, "join_method": "left_join", "new_sample_id": True}
    outputs, _, _ = intersect(config, sides)
    mine, theirs = ids_of(outputs[GUEST_]), ids_of(outputs[BANK])
    assert mine == theirs == by_bytes(mine)
    assert len(mine) == 4
    assert not set(mine) & set(GUEST_SAMPLES[0])


def test_a_left_join_needs_match_ids():
    config = {**ECDH, "join_method": "left_join"}
    with pytest.raises(BadData, match="left_join needs match ids"):
        intersect(config, {GUEST_: frame("ab"), BANK: frame("bc")})


def test_parties_exchange_exactly_the_declared_messages():
    sides = {GUEST_: frame("abcdef"), BANK: frame("defx"), SHOP: frame("efghi")}
    _, _, transcript = intersect(ECDH, sides)
    lines = sorted(
        [line.message, str(line.src), str(line.dst), describe(line.value)] for line in transcript
    )
    assert lines == json.loads((GOLDEN / "intersection_ecdh_two_hosts.json").read_text())


def test_every_message_says_what_it_reveals():
    messages = [m for m in vars(Wire).values() if isinstance(m, Message)]
    assert len({m.name for m in messages}) == len(messages) == 18
    assert all(m.reveals for m in messages)


def test_no_id_and_no_equal_ciphertext_reaches_two_hosts():
    """A key for each host: what one got tells it nothing about what the other got."""
    ids = [f"u{i}" for i in range(20)]
    _, _, transcript = intersect(ECDH, dict.fromkeys((GUEST_, BANK, SHOP), frame(ids)))
    rows = [
        {row.tobytes() for row in line.value}
        for line in transcript
        if line.message == Wire.blinded.name and line.src == GUEST_
    ]
    assert len(rows) == 2
    assert not rows[0] & rows[1]


def test_parties_that_hash_differently_are_told_so():
    def call(salt):
        given_params = IntersectParam(
            intersect_method="ecdh",
            ecdh_params=params.parse(
                IntersectParam, {"ecdh_params": {"salt": salt}}, "x"
            ).ecdh_params,
        )

        def fit(ctx):
            inputs = Inputs(data={"data": [NamedData("reader_0", "data", frame("ab"))]})
            return Intersection(given_params).stage("fit", ctx.role)(ctx, inputs)

        return fit

    with pytest.raises(BadParameters, match="differ in the intersection's method"):
        inproc.run({GUEST_: call("pepper"), BANK: call("salt")}, Ctx, 30)


def test_a_raw_table_can_be_cut_down_to_its_keys():
    config = {**ECDH, "only_output_key": True}
    outputs, _, _ = intersect(config, {GUEST_: raw("abc"), BANK: raw("bcd")})
    kept = outputs[BANK].data[0]
    assert isinstance(kept, RawTable)
    assert (kept.key.to_pylist(), kept.columns.num_columns, kept.schema.header) == (
        ["b", "c"],
        0,
        "",
    )


def test_a_forged_bitmap_is_refused():
    honest = Intersection(params.parse(IntersectParam, ECDH, "x"))

    def forger(ctx):
        ctx.remote(Wire.opening, ctx.get(Wire.opening))
        ctx.remote(Wire.blinded, ctx.get(Wire.blinded))
        ctx.remote(Wire.common, np.zeros(3, np.uint8))

    def host(ctx):
        inputs = Inputs(data={"data": [NamedData("reader_0", "data", frame("ab"))]})
        return honest.fit_host(ctx, inputs)

    with pytest.raises(ProtocolViolation, match="not a bit for each of 2 ids"):
        inproc.run({GUEST_: forger, BANK: host}, Ctx, 30)


def test_a_modulus_of_another_length_is_refused():
    honest = Intersection(params.parse(IntersectParam, RSA, "x"))

    def forger(ctx):
        ctx.remote(Wire.opening, ctx.get(Wire.opening))
        ctx.remote(Wire.public_key, 2**511 + 1)

    def guest(ctx):
        inputs = Inputs(data={"data": [NamedData("reader_0", "data", frame("ab"))]})
        return honest.fit_guest(ctx, inputs)

    with pytest.raises(ProtocolViolation, match="not an RSA modulus of 1024 bits"):
        inproc.run({GUEST_: guest, BANK: forger}, Ctx, 30)


def test_other_data_than_tables_of_ids_is_refused():
    honest = Intersection(params.parse(IntersectParam, ECDH, "x"))
    with pytest.raises(BadData, match="needs an uploaded table or instances"):
        honest.fit_guest(Ctx(GUEST_, [GUEST_, BANK], inproc.Hub()), Inputs())


def test_all_of_fates_parameters_are_known_with_their_defaults():
    """As ``component parameters`` of FATE 1.11.4 shows them (names and values are facts)."""
    shown = params.shown(IntersectParam())
    assert len(shown) == 26
    assert shown["intersect_method"] == "rsa"
    assert shown["intersect_cache_param"] == {
        "encrypt_type": "sha256",
        "id_type": "phone",
        "use_cache": False,
    }
    assert shown["rsa_params"]["random_base_fraction"] is None
    assert shown["intersect_preprocess_params"]["false_positive_rate"] == 0.001


def test_an_invalid_point_is_refused():
    honest = Intersection(params.parse(IntersectParam, ECDH, "x"))

    def forger(ctx):
        ctx.remote(Wire.opening, ctx.get(Wire.opening))
        ctx.get(Wire.blinded)
        ctx.remote(Wire.blinded, np.full((2, 32), 255, np.uint8))

    def guest(ctx):
        inputs = Inputs(data={"data": [NamedData("reader_0", "data", frame("ab"))]})
        return honest.fit_guest(ctx, inputs)

    with pytest.raises(ProtocolViolation, match="row 0 is not a valid element") as refusal:
        inproc.run({GUEST_: guest, BANK: forger}, Ctx, 30)
    assert "255" not in str(refusal.value)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"run_cache": True, "cardinality_only": True}, "run_cache and cardinality_only"),
        ({"run_cache": True, "run_preprocess": True}, "run_cache and run_preprocess"),
        ({"run_cache": True, "rsa_params": {"split_calculation": True}}, "split_calculation"),
        ({"run_preprocess": True}, "false_positive_rate must be 0.01 or more"),
        ({"join_method": "left_join", "sync_intersect_ids": False}, "sync_intersect_ids"),
        ({"random_bit": 64, "rsa_params": {"random_bit": 256}}, "random_bit is the deprecated"),
        ({"with_encode": True, "raw_params": {"use_hash": True}}, "with_encode is the deprecated"),
        ({"rsa_params": {"key_length": 512}}, "rsa_params.key_length"),
        ({"dh_params": {"key_length": 1536}}, "dh_params.key_length"),
        ({"rsa_params": {"hash_method": "md5"}}, "rsa_params.hash_method"),
        ({"rsa_params": {"salty": ""}}, "salt"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_their_name(config, problem):
    with pytest.raises(BadParameters, match=problem):
        params.parse(IntersectParam, config, "Intersection#intersection_0")
