"""SecureInformationRetrieval: the guest gets values of its own ids, the host learns how many."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml import archive, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.secure_information_retrieval import (
    RetrievalOffer,
    RetrievalResult,
    SecureInformationRetrieval,
    Wire,
)
from federatedml.crypto import keyed_records, ristretto
from federatedml.data import shown
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadParameters
from federatedml.params import parse
from federatedml.protocols import psi_oblivious
from federation import GUEST, HOST, Context, Party, codec
from federation.errors import PeerFailed, ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")


def frame(ids, x=None, label=None, match_ids=None, words=None):
    x = np.zeros((len(ids), 1)) if x is None else x
    names = [f"x{i}" for i in range(x.shape[1])]
    if words is not None:
        x, names = np.column_stack([x, np.full(len(ids), np.nan)]), [*names, "word"]
    return Frame(
        pa.array(ids, pa.string()),
        x,
        FrameSchema(header=names, label_name=None if label is None else "y", sid_name="uid"),
        label=label,
        match_ids=None if match_ids is None else pa.array(match_ids, pa.string()),
        texts=None if words is None else pa.table({"word": pa.array(words, pa.string())}),
    )


def ran(data, **given):
    """Outputs and report of each party, and the transcript. given: of all parties, or by role."""

    def party(me):
        def play(ctx):
            ctx.name = "sir_0"
            own = given.get(me.role.value, given)
            made = SecureInformationRetrieval(
                parse(SecureInformationRetrieval.Params, own, "SIR#0")
            )
            inputs = Inputs({"data": [NamedData("before_0", "data", data[me])]})
            return runner.run(made, ctx, inputs), ctx.report

        return play

    return run({me: party(me) for me in data}, Ctx)


def cells(results):
    """The guest's output, id by id."""
    data = results[G][0].data[0]
    return {row[0]: row[1:] for row in shown.rows(data)}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    mine=st.sets(st.integers(0, 30), min_size=1),
    theirs=st.sets(st.integers(0, 30), min_size=1),
    level=st.floats(0, 1),
)
def test_labels_of_the_guests_ids_are_retrieved_and_no_others(mine, theirs, level):
    has = sorted(theirs)
    data = {
        G: frame([f"i{i}" for i in mine]),
        BANK: frame([f"i{i}" for i in has], label=np.array(has) * 7),
    }
    results, _ = ran(data, security_level=level)
    wanted = {f"i{i}": [str(i * 7) if i in theirs else "unretrieved"] for i in mine}
    assert cells(results) == wanted
    found = results[G][0].data[0]
    assert shown.header(found) == ["uid", "retrieved_value"]
    assert found.ids.equals(data[G].ids)
    for me, own in ((G, mine), (BANK, theirs)):
        outputs, report = results[me]
        coverage = len(mine & theirs) / len(own)
        assert report.metrics[("train", "sir")][:2] == (
            "INTERSECTION",
            [("Coverage", coverage), ("Block number", len(theirs))],
        )
        assert report.told == {"coverage": coverage, "block_num": len(theirs)}
        assert outputs.model.param == RetrievalResult(coverage=coverage, block_num=str(len(theirs)))
    assert results[BANK][0].data[0] is data[BANK]


def test_the_model_has_fates_names(tmp_path):
    data = {G: frame(["a", "b"]), BANK: frame(["a"], label=np.arange(1))}
    results, _ = ran(data)
    model = results[G][0].model
    assert msgspec.to_builtins(model) == {
        "meta": {
            "securityLevel": 0.5,
            "obliviousTransferProtocol": "OT_Hauck",
            "commutativeEncryption": "CommutativeEncryptionPohligHellman",
            "nonCommittingEncryption": "aes",
            "keySize": "2048",
            "rawRetrieval": False,
        },
        "param": {"coverage": 0.5, "blockNum": "1"},
    }
    archive.save(tmp_path / "m.json", "SecureInformationRetrieval", model)
    assert archive.load(tmp_path / "m.json") == model


@pytest.mark.parametrize("pack", [lambda x: x, sparse.csr_matrix])
def test_columns_are_retrieved_as_the_host_shows_them(pack):
    x = np.array([[1.0, -0.25], [np.nan, 0.0], [3.0, 1e300]])
    data = {
        G: frame(["c", "a", "z"]),
        BANK: frame(["a", "b", "c"], pack(x), np.array([5, 6, 7])),
    }
    results, _ = ran(data, target_cols=["x1", "y", "x0"])
    assert shown.header(results[G][0].data[0]) == ["uid", "x1", "y", "x0"]
    assert cells(results) == {
        "c": ["1e+300", "7", "3.0"],
        "a": ["-0.25", "5", "1.0"],
        "z": ["unretrieved"] * 3,
    }


def test_texts_and_missing_values_are_retrieved():
    words = ["grün", "", None]
    data = {
        G: frame(["a", "b", "c", "d"]),
        BANK: frame(["a", "b", "c"], np.array([[np.nan], [1], [2]]), words=words),
    }
    results, _ = ran(data, target_cols=["word", "x0"])
    assert cells(results) == {
        "a": ["grün", ""],
        "b": ["", "1.0"],
        "c": ["", "2.0"],
        "d": ["unretrieved", "unretrieved"],
    }
    results, _ = ran(data, target_cols="word")
    assert cells(results)["a"] == ["grün"]


def test_rows_of_one_match_id_get_one_value_and_it_is_asked_for_once():
    data = {
        G: frame(["1", "2", "3"], match_ids=["ann", "bob", "ann"]),
        BANK: frame(["7", "8"], label=np.array([4, 5]), match_ids=["ann", "eve"]),
    }
    results, transcript = ran(data)
    assert cells(results) == {"1": ["ann", "4"], "2": ["bob", "unretrieved"], "3": ["ann", "4"]}
    (ask,) = [s.value for s in transcript if s.message == Wire.ask.name]
    assert ask.n == 2
    assert results[BANK][1].told["coverage"] == 0.5


# What leaves a party.


@pytest.fixture(scope="module")
def played():
    data = {
        G: frame([f"guest-only-{i}" for i in range(4)] + ["both-1", "both-2"]),
        BANK: frame(
            ["both-1", "both-2", *(f"bank-only-{i}" for i in range(9))],
            label=pa.array([f"secret value {i}" for i in range(11)]),
        ),
    }
    return data, *ran(data)


def test_parties_exchange_exactly_the_declared_messages(played, golden):
    _, _, transcript = played
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("secure_information_retrieval", sorted(map(list, lines)))


def test_no_id_and_no_value_is_readable_in_what_leaves_a_party(played):
    _, results, transcript = played
    assert cells(results)["both-1"] == ["secret value 0"]
    sent = [codec.encode(line.value) for line in transcript]
    assert sent
    for word in (b"guest-only", b"bank-only", b"both", b"secret", b"value 0"):
        assert not any(word in body for body in sent)


def test_what_the_host_sees_is_alike_for_any_ids_and_fresh_in_every_run(played):
    data, _, transcript = played
    others = {**data, G: frame([f"bank-only-{i}" for i in range(6)])}
    seen = []
    for lines in (transcript, ran(data)[1], ran(others)[1]):
        asked = [s for s in lines if s.dst == BANK and s.message == psi_oblivious.Wire.asked.name]
        seen.append(np.concatenate([s.value for s in asked]))
    assert [rows.shape for rows in seen] == [(6, 32)] * 3
    assert len(np.unique(np.concatenate(seen), axis=0)) == 18
    kinds = {s.message for s in transcript if s.dst == BANK}
    assert kinds == {
        "agreement.settings", Wire.ask.name, psi_oblivious.Wire.asked.name, Wire.coverage.name,
    }  # fmt: skip


def test_records_of_ids_that_were_not_asked_for_stay_locked(played, monkeypatch):
    """All that the guest ever holds, its tokens, opens the records of its own ids."""
    data, _, _ = played
    tokens, answer = [], psi_oblivious.Question.answer

    def noted(question, *given):
        tokens.append(answer(question, *given))
        return tokens[-1]

    monkeypatch.setattr(psi_oblivious.Question, "answer", noted)
    _, transcript = ran(data)
    records = np.concatenate([s.value for s in transcript if s.message == Wire.records.name])
    locked = {row[:32].tobytes() for row in records}
    assert len(locked) == data[BANK].n_rows
    opened = {row.tobytes() for row in keyed_records.labels(tokens[0])} & locked
    assert len(opened) == 2


def test_a_guess_at_an_id_needs_the_hosts_key(played):
    """Who guesses the host's ids cannot test the guesses on the records."""
    data, _, transcript = played
    group = parse(SecureInformationRetrieval.Params, {}, "SIR#0").group
    guesses = ristretto.multiply(group.embed(data[BANK].ids), ristretto.random_scalar())
    labels = {row.tobytes() for row in keyed_records.labels(guesses)}
    records = np.concatenate([s.value for s in transcript if s.message == Wire.records.name])
    assert not labels & {row[:32].tobytes() for row in records}


def test_all_records_have_one_length_whatever_their_values():
    texts = ["", "x" * 300, "yy"]
    data = {G: frame(["a"]), BANK: frame(["a", "b", "c"], words=texts)}
    _, transcript = ran(data, target_cols=["word"])
    (offer,) = [s.value for s in transcript if s.message == Wire.offer.name]
    assert offer == RetrievalOffer(3, [300])
    (records,) = [s.value for s in transcript if s.message == Wire.records.name]
    assert records.shape == (3, 32 + 4 + 300)


def test_raw_retrieval_is_not_followed_and_the_log_says_so(caplog):
    data = {G: frame(["seen?"]), BANK: frame(["seen?"], label=np.array([1]))}
    results, transcript = ran(data, raw_retrieval=True, security_level=0)
    assert cells(results) == {"seen?": ["1"]}
    assert not any(b"seen?" in codec.encode(line.value) for line in transcript)
    assert "raw retrieval would show every id" in caplog.text


def test_no_id_in_common_is_an_answer_and_the_log_says_so(caplog):
    data = {G: frame(["a"]), BANK: frame(["b"], label=np.array([1]))}
    results, _ = ran(data)
    assert cells(results) == {"a": ["unretrieved"]}
    assert "the host has none of the 1 ids" in caplog.text


# What is refused.


def refused(data, told, **given):
    with pytest.raises((BadData, BadParameters, PeerFailed)) as refusal:
        ran(data, **given)
    assert told in str(refusal.value)
    return str(refusal.value)


def bank(**given):
    return frame(["a", "b"], **given)


@pytest.mark.parametrize(
    ("host", "given", "told"),
    [
        (bank(), {}, "no label to retrieve"),
        (bank(), {"target_cols": ["income"]}, "no column 'income'"),
        (bank(), {"target_cols": ["y"]}, "no column 'y'"),
        (bank(label=np.arange(2), match_ids=["m", "m"]), {}, "match ids of the host repeat in 1"),
        (bank(label=np.arange(2), match_ids=["m", "n"]), {}, "one party has match ids"),
        (frame([], label=np.arange(0)), {}, "there are no rows"),
        (bank(words=["x" * 70_000, ""]), {"target_cols": ["word"]}, "values are too long"),
    ],
)
def test_data_of_a_host_that_hold_no_values_are_refused(host, given, told):
    text = refused({G: frame(["a"]), BANK: host}, told, **given)
    assert "x0" not in text


def test_a_guest_without_rows_is_refused():
    refused({G: frame([]), BANK: bank(label=np.arange(2))}, "there are no rows")


def test_parties_that_mean_different_columns_are_told():
    data = {G: frame(["a"]), BANK: bank(label=np.arange(2))}
    refused(data, "target_cols", guest={"target_cols": ["x0"]}, host={})


def test_more_than_one_host_is_refused():
    label = np.arange(2)
    refused({G: frame(["a"]), BANK: bank(label=label), SHOP: bank(label=label)}, "one host")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"security_level": 1.5}, "security_level"),
        ({"oblivious_transfer_protocol": "OT_Rabin"}, "OT_Hauck"),
        ({"target_cols": ["a", "a"]}, "names a column twice"),
        ({"dh_params": {"key_length": 77}}, "key_length"),
    ],
)
def test_impossible_parameters_are_refused(given, told):
    with pytest.raises(BadParameters, match=told):
        parse(SecureInformationRetrieval.Params, given, "SIR#0")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (Wire.offer.name, RetrievalOffer(3, [1, 1])),
        (Wire.offer.name, RetrievalOffer(0, [1])),
        (Wire.offer.name, RetrievalOffer(3, [-5])),
        (Wire.ask.name, None),
        (Wire.coverage.name, 3),
    ],
)
def test_impossible_messages_are_blamed_on_their_sender(name, value, monkeypatch):
    remote = Context.remote

    def lying(ctx, message, told, **more):
        if message.name == name:
            told = type(told)(0, False) if value is None else value
        remote(ctx, message, told, **more)

    monkeypatch.setattr(Context, "remote", lying)
    data = {G: frame(["a", "b"]), BANK: frame(["a", "c", "d"], label=np.arange(3))}
    with pytest.raises(ProtocolViolation) as refusal:
        ran(data)
    sender = BANK if name == Wire.offer.name else G
    assert str(sender) in str(refusal.value)


def test_a_record_that_is_damaged_is_blamed_on_the_host(monkeypatch):
    made = keyed_records.locked

    def damaged(tokens, records):
        rows = made(tokens, records)
        rows[:, 32:36] ^= 0xFF
        return rows

    monkeypatch.setattr(keyed_records, "locked", damaged)
    data = {G: frame(["a"]), BANK: frame(["a"], label=np.arange(1))}
    with pytest.raises(ProtocolViolation, match="longer than its width"):
        ran(data)
