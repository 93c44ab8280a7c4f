"""Bindings, shares of traffic, limits, the store: what survives, what is refused."""

from collections import Counter

import msgspec
import pytest

from serving.codes import Code, ServingFault
from serving.limits import Limits, TokenBucket
from serving.registry import Binding, Loaded, ModelKey, Policy, Remote, Share, Snapshot, chosen
from serving.store import About, Damaged, State, Store

A, B = ModelKey("guest#9999#m", "1"), ModelKey("guest#9999#m", "2")


def loaded(key):
    return Loaded(
        key=key,
        role="guest",
        party_id="9999",
        plan=None,
        remotes=(),
        loaded_ms=1,
        sha256="",
        tested="",
    )


def snapshot(*keys):
    found = Snapshot()
    for key in keys:
        found = found.with_model(loaded(key))
    return found


def test_a_request_keeps_its_snapshot_when_the_service_is_bound_anew():
    before = snapshot(A, B).with_binding(Binding(service_id="loan", shares=(Share(A),)))
    after = before.with_binding(Binding(service_id="loan", shares=(Share(B),)))
    assert before.serving("loan").key == A
    assert after.serving("loan").key == B


def test_binding_what_is_not_loaded_is_refused_by_name():
    with pytest.raises(ServingFault, match="2 of guest#9999#m is not loaded"):
        snapshot(A).with_binding(Binding(service_id="loan", shares=(Share(A), Share(B))))


def test_an_unknown_service_is_answered_with_the_known_ones():
    found = snapshot(A).with_binding(Binding(service_id="loan", shares=(Share(A),)))
    with pytest.raises(ServingFault, match="bound here: loan") as caught:
        found.serving("laon")
    assert caught.value.code == Code.NO_MODEL


def test_unloading_takes_bindings_along_and_leaves_other_versions():
    found = snapshot(A, B).with_binding(
        Binding(service_id="loan", shares=(Share(A, 90), Share(B, 10)), previous=(Share(A),))
    )
    left = found.without_model(A)
    assert left.services["loan"].shares == (Share(B, 10),)
    assert left.services["loan"].previous == ()
    assert left.without_model(B).services == {}


def test_an_applicant_always_meets_the_same_version_and_shares_are_kept():
    shares = (Share(A, 90), Share(B, 10))
    picked = [chosen(shares, f"applicant-{i}") for i in range(5000)]
    assert picked == [chosen(shares, f"applicant-{i}") for i in range(5000)]
    assert 0.08 < Counter(picked)[B] / 5000 < 0.12


def test_a_request_may_name_a_version_only_where_that_is_allowed():
    binding = Binding(service_id="loan", shares=(Share(A),))
    found = snapshot(A, B).with_binding(binding)
    assert found.serving("loan", "", "2").key == A
    pinned = found.with_binding(msgspec.structs.replace(binding, policy=Policy(pin=True)))
    assert pinned.serving("loan", "", "2").key == B
    with pytest.raises(ServingFault, match="'3' is not loaded"):
        pinned.serving("loan", "", "3")


def test_no_more_requests_are_taken_than_allowed():
    limits = Limits(2)
    with limits.one(), limits.one():
        assert limits.full
        with pytest.raises(ServingFault) as caught, limits.one():
            pass
    assert caught.value.code == Code.OVERLOAD
    assert limits.in_flight == 0


def test_rates_count_rows_and_refill():
    bucket = TokenBucket(10.0)
    assert bucket.take(10)
    assert not bucket.take(1)
    bucket._at -= 0.5
    assert bucket.take(5)
    limits = Limits(1)
    limits.set_rate("S_loan", 1)
    limits.check_rate("S_loan", 1)
    with pytest.raises(ServingFault, match="1 rows a second"):
        limits.check_rate("S_loan", 1)
    limits.set_rate("S_loan", 0)
    limits.check_rate("S_loan", 1000)
    assert limits.rates() == {}


def about(content, key=A):
    import hashlib

    return About(
        key=key,
        role="guest",
        party_id="9999",
        remotes=(Remote("host", "10000", ModelKey("host#10000#m", key.table)),),
        source="file:x",
        sha256=hashlib.sha256(content).hexdigest(),
    )


def test_what_was_stored_is_found_again(tmp_path):
    store = Store(tmp_path)
    store.put(about(b"{}"), b"{}", b"rows")
    store.put(about(b"{1}"), b"{1}")
    kept, problems = Store(tmp_path).all()
    assert [(one.content, one.rows, one.about.key) for one in kept] == [(b"{1}", b"", A)]
    assert problems == []


def test_a_damaged_model_is_named_and_the_others_are_restored(tmp_path):
    store = Store(tmp_path)
    store.put(about(b"{}", A), b"{}")
    store.put(about(b"{2}", B), b"{2}")
    folder = store._folder(A)
    (folder / "model.json").write_bytes(b"changed")
    kept, problems = store.all()
    assert [one.about.key for one in kept] == [B]
    assert "does not have its digest" in problems[0]


def test_a_write_that_was_cut_short_leaves_the_old_model(tmp_path):
    store = Store(tmp_path)
    store.put(about(b"{}"), b"{}")
    draft = store.models / f".{store._folder(A).name}"
    draft.mkdir()
    (draft / "model.json").write_bytes(b"half")
    kept, problems = Store(tmp_path).all()
    assert [one.content for one in kept] == [b"{}"]
    assert problems == []


def test_bindings_and_rates_are_kept_as_text_that_people_can_read(tmp_path):
    store = Store(tmp_path)
    state = State(
        bindings=[Binding(service_id="loan", shares=(Share(A, 5),), shadow=B)],
        rates={"S_loan": 3.0},
    )
    store.write_state(state)
    assert Store(tmp_path).state() == state
    assert '"loan"' in store.state_file.read_text()
    store.state_file.write_text("{")
    with pytest.raises(Damaged, match=r"state\.json"):
        store.state()
