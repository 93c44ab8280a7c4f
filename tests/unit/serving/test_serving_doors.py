"""The host's desk and the loading of files: who is answered, and in which form."""

import asyncio
import json
import os
import zipfile

import orjson
import pytest

from federation.fate_serving import proxy_pb2 as pb
from serving import fetching, scoring
from serving.access_log import AccessLog
from serving.adapters import Fetched, missing
from serving.calls import Asking, HostAnswer, Part
from serving.codes import Code, ServingFault
from serving.fetching import Source, fetch
from serving.guest_calls import GuestCalls
from serving.host_desk import HostDesk
from serving.limits import Limits
from serving.measures import Measures
from serving.party_auth import Config, Signer
from serving.registry import Loaded, ModelKey, Registry, Remote, Snapshot
from serving.routes import Routes
from serving.settings import Settings

GUEST, HOST = ModelKey("guest#9999#m", "1"), ModelKey("host#10000#m", "1")


class Plan:
    columns = ()
    is_sealed = False


class Table:
    routes = Routes()


class Features:
    async def fetch(self, ids, columns):
        return [Fetched(features=given) for given in ids]

    async def close(self):
        pass


@pytest.fixture
def desk(monkeypatch, tmp_path):
    def contributions(model, rows, **_):
        return HostAnswer(rows=[Part(data={"lr_0": {"score": 1.5}}) for _ in rows])

    monkeypatch.setattr(scoring, "contributions", contributions)
    loaded = Loaded(
        key=HOST,
        role="host",
        party_id="10000",
        plan=Plan(),
        remotes=(Remote("guest", "9999", GUEST),),
        loaded_ms=1,
        sha256="",
        tested="",
    )
    registry = Registry(Snapshot().with_model(loaded))
    signer = Signer(Config(), required=False)
    return HostDesk(
        Settings(home="/no"),
        registry,
        Table(),
        signer,
        Limits(4),
        Features(),
        GuestCalls(Limits(4), Measures(), AccessLog(tmp_path)),
    )


def packet(body, command="federatedInference", source="9999", operator="216", key=HOST):
    return pb.Packet(
        header=pb.Metadata(
            task=pb.Task(model=pb.Model(namespace=key.namespace, tableName=key.table)),
            src=pb.Topic(partyId=source),
            dst=pb.Topic(partyId="10000"),
            command=pb.Command(name=command),
            operator=operator,
        ),
        body=pb.Data(value=body if isinstance(body, bytes) else orjson.dumps(body)),
    )


async def at_once():
    pass


def asked(desk, sent, certified=""):
    asking = Asking(certified=certified, turn=at_once)
    return json.loads(asyncio.run(desk.answer(sent, asking)).body.value)


SINGLE = {"caseId": "c", "sendToRemoteFeatureData": {"id": "1"}}


def test_a_guest_is_answered_in_fates_form(desk):
    told = asked(desk, packet(SINGLE))
    assert told["data"] == {"retcode": 0, "lr_0": {"score": 1.5}}
    assert told["retcode"] == 0


@pytest.mark.parametrize("operator", ["", "111"])
def test_a_guest_of_before_2_0_names_its_own_model_and_finds_scores_at_the_top(desk, operator):
    info = {"name": "1", "namespace": "guest#9999#m"}
    body = {"featureIdMap": {"id": "1"}, "partnerModelInfo": info}
    told = asked(desk, packet(body, operator=operator, key=ModelKey("", "")))
    assert told["data"] == {"retcode": 0, "score": 1.5, "lr_0": {"score": 1.5}}
    for wrong in ({}, {"partnerModelInfo": 3}, {"partnerModelInfo": {"name": "1"}}):
        assert asked(desk, packet(wrong, operator=operator, key=ModelKey("", "")))["retcode"] == 100
    other = {"partnerModelInfo": {"name": "2", "namespace": "guest#9999#m"}}
    assert asked(desk, packet(other, operator=operator, key=ModelKey("", "")))["retcode"] == 104


@pytest.mark.parametrize(
    ("sent", "certified", "code"),
    [
        (packet(SINGLE, source="9998"), "", 629),
        (packet(SINGLE), "9998", 629),
        (packet(SINGLE, key=ModelKey("host#10000#other", "1")), "", 104),
        (packet(SINGLE, key=GUEST), "", 104),
        (packet(SINGLE, command="federatedInference4Tree"), "", 125),
        (packet(SINGLE, operator="x"), "", 100),
        (packet(b"["), "", 100),
        (packet({"sendToRemoteFeatureData": json.loads("[" * 99 + "]" * 99)}), "", 100),
        (packet({"sendToRemoteFeatureData": {"a": json.loads("[" * 99 + "]" * 99)}}), "", 100),
        (packet({"batchDataList": []}, command="batch"), "", 100),
        (packet({"batchDataList": [{"index": 0}] * 301}, command="batch"), "", 100),
        (packet({**SINGLE, "x_setup": {"lr_0": "???"}}), "", 100),
        (packet(SINGLE, source="9999"), "9999", 0),
    ],
)
def test_what_another_party_may_not_ask_is_a_code(desk, sent, certified, code):
    told = asked(desk, sent, certified)
    assert told["retcode"] == code
    assert desk.limits.in_flight == 0


def test_a_certificate_that_names_no_party_proves_nothing(desk):
    desk.proof = True
    assert asked(desk, packet(SINGLE), "")["retcode"] == 629
    assert asked(desk, packet(SINGLE), "9999")["retcode"] == 0


def logged(desk):
    return [json.loads(line) for line in desk.calls.access.path.read_text().splitlines()]


def test_a_host_counts_and_logs_whose_calls_it_answers_and_no_value(desk):
    asked(desk, packet({"caseId": "c-1", "sendToRemoteFeatureData": {"id": "secret-7"}}))
    asked(desk, packet(SINGLE, source="9998"))
    two = [{"index": i, "sendToRemoteFeatureData": {"id": str(i)}} for i in range(2)]
    asked(desk, packet({"caseId": "c-3", "batchDataList": two}, command="batch"))
    first, second, third = logged(desk)
    assert {k: first[k] for k in ("door", "party", "case", "code", "rows", "version")} == {
        "door": "party", "party": "9999", "case": "c-1", "code": 0, "rows": 1, "version": "1",
    }  # fmt: skip
    assert (second["party"], second["code"], third["rows"]) == ("", 129, 2)
    assert "secret-7" not in desk.calls.access.path.read_text()
    told = desk.calls.measures.exposition().decode()
    assert 'serving_party_requests_total{code="0",party="9999",version="1"} 2.0' in told
    assert 'serving_party_requests_total{code="129",party="",version=""} 1.0' in told
    assert 'serving_party_request_seconds_count{party="9999",version="1"} 2.0' in told
    assert 'serving_stage_seconds_count{stage="features"} 2.0' in told
    assert "process_resident_memory_bytes" in told
    seconds = desk.calls.measures.history("M_1_host#10000#m", 0, 10**14)
    assert sum(second["successQps"] for second in seconds) == 2


def test_rows_of_several_requests_are_logged_by_each_case(desk):
    rows = [{"index": i, "sendToRemoteFeatureData": {"id": str(i)}} for i in range(2)]
    body = {"caseId": "a", "batchDataList": rows}
    for cases in (["a", "b"], ["a"], "ab", [["a"], {}]):
        asked(desk, packet({**body, "x_cases": cases}, command="batch"))
    assert [one.get("cases") for one in logged(desk)] == [["a", "b"], None, None, None]
    assert {one["case"] for one in logged(desk)} == {"a"}


def test_a_row_that_fails_is_the_code_of_a_single_call(desk, monkeypatch):
    async def fetch(self, ids, columns):
        return [missing("table") for _ in ids]

    monkeypatch.setattr(Features, "fetch", fetch)
    asked(desk, packet(SINGLE))
    assert logged(desk)[0]["code"] == 113
    assert b'code="113",party="9999"' in desk.calls.measures.exposition()


def test_an_operators_rate_holds_for_guests_and_counts_the_rows_of_batches(desk):
    desk.calls.rates.set_rate("M_1_host#10000#m", 3)
    rows = [{"index": i, "sendToRemoteFeatureData": {"id": "1"}} for i in range(2)]
    batch = packet({"caseId": "c", "batchDataList": rows}, command="batch")
    codes = [asked(desk, sent)["retcode"] for sent in (batch, packet(SINGLE), packet(SINGLE))]
    assert codes == [0, 0, 124]
    told = desk.calls.measures.exposition().decode()
    assert 'serving_party_requests_total{code="124",party="9999",version="1"} 1.0' in told


def test_features_are_not_waited_for_beyond_the_guests_deadline(desk, monkeypatch):
    async def fetch(self, ids, columns):
        await asyncio.sleep(5)

    monkeypatch.setattr(Features, "fetch", fetch)
    asking = Asking(turn=at_once, left_s=0.1)
    told = asyncio.run(asyncio.wait_for(desk.answer(packet(SINGLE), asking), 2))
    assert json.loads(told.body.value)["retcode"] == Code.FEATURE


def test_calls_that_have_no_room_cost_no_line_and_no_label(desk):
    desk.limits.in_flight = desk.limits.most
    assert asked(desk, packet(SINGLE))["retcode"] == 124
    assert desk.limits.refused == 1
    assert logged(desk) == []


def test_a_version_that_was_unloaded_answers_guests_for_a_while_and_no_comparison(desk):
    async def run():
        model = desk.registry.snapshot.models[HOST]
        desk.registry.leave(model, 0.05)
        desk.registry.snapshot = desk.registry.snapshot.without_model(HOST)
        found = [await desk.answer(packet(SINGLE), Asking(turn=at_once))]
        found.append(await desk.answer(packet({**SINGLE, "x_kept": True}), Asking(turn=at_once)))
        await asyncio.sleep(0.1)
        found.append(await desk.answer(packet(SINGLE), Asking(turn=at_once)))
        return [json.loads(one.body.value)["retcode"] for one in found]

    assert asyncio.run(run()) == [0, 104, 104]


def load(path, folder):
    return asyncio.run(fetch(Source("file", str(path)), GUEST, "", folder))


def test_files_are_loaded_from_below_one_folder_alone(tmp_path):
    inside, outside = tmp_path / "home", tmp_path / "other"
    for folder in (inside, outside):
        folder.mkdir()
        with zipfile.ZipFile(folder / "model.zip", "w") as archive:
            archive.writestr("nothing", "")
    (inside / "link.zip").symlink_to(outside / "model.zip")
    for path in (outside / "model.zip", "../other/model.zip", inside / "link.zip", "/etc/passwd"):
        with pytest.raises(ServingFault, match="files are loaded from"):
            load(path, inside)
    with pytest.raises(ServingFault, match=r"no pipeline\.json"):
        load("model.zip", inside)
    with pytest.raises(ServingFault) as caught:
        load("none.zip", inside)
    assert caught.value.code == Code.NO_MODEL


def test_what_is_no_file_or_too_large_is_not_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ServingFault, match="is no file"):
        load("pipe", tmp_path)
    (tmp_path / "large.zip").write_bytes(b"x" * 100)
    monkeypatch.setattr(fetching.models, "MAX_BYTES", 50)
    with pytest.raises(ServingFault, match="over 50 bytes"):
        load("large.zip", tmp_path)
