"""HomoOneHotEncoder: every client encodes the union; the arbiter reads no category."""

import json

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from sklearn.preprocessing import OneHotEncoder as Twin

from federatedml import archive, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.homo_onehot_encoder import HomoOneHotEncoder, Wire
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.params import parse
from federatedml.protocols import sealed_union
from federation import ARBITER, GUEST, HOST, Party, codec
from federation.errors import PeerFailed, ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
JUDGE = Party(ARBITER, "10000")
SECRET = {G: "of-guest-alone", BANK: "of-bank-alone", SHOP: "of-shop-alone"}


def frame(numbers, words, names=("n", "w"), me=G):
    x = np.column_stack([np.asarray(numbers, float), np.full(len(numbers), np.nan)])
    return Frame(
        pa.array([f"{me}{i}" for i in range(len(numbers))]),
        x,
        FrameSchema(
            header=list(names),
            anonymous_header=[f"{me.role}_{me.party_id}_x{i}" for i in range(2)],
        ),
        texts=pa.table({names[1]: pa.array(words, pa.string())}),
    )


def tables():
    return {
        G: frame([1, 2, 2], ["b", "a", SECRET[G]], me=G),
        BANK: frame([5, 2], [SECRET[BANK], "b"], me=BANK),
        SHOP: frame([-4, 1, 1], ["a", SECRET[SHOP], None], me=SHOP),
    }


def ran(data, models=None, *, has_arbiter=True, **params):
    """Each party's outputs, the transcript, outputs with reports. params: of all, or by role."""

    def party(me):
        def play(ctx):
            ctx.name = "homo_onehot_0"
            own = params.get(str(me.role), params)
            made = HomoOneHotEncoder(parse(HomoOneHotEncoder.Params, own, "HomoOneHotEncoder#0"))
            given = [NamedData("before_0", "data", data[me])] if me in data else []
            inputs = Inputs({"data": given}, model=(models or {}).get(me))
            return runner.run(made, ctx, inputs), ctx.report

        return play

    everybody = [*data, *([JUDGE] if has_arbiter else [])]
    results, transcript = run({me: party(me) for me in everybody}, Ctx)
    return {me: results[me][0] for me in results}, transcript, results


@pytest.fixture(scope="module")
def three():
    return ran(tables())


def test_every_client_encodes_the_categories_of_all_clients_in_one_order(three):
    outputs, _, _ = three
    words = sorted(["a", "b", *SECRET.values()])
    wanted = [f"n_{i}" for i in (-4, 1, 2, 5)] + [f"w_{word}" for word in words]
    data = tables()
    pooled = np.concatenate([data[me].x[:, :1] for me in data])
    twin = Twin(sparse_output=False).fit(pooled)
    for me, table in data.items():
        found = outputs[me].data[0]
        assert found.schema.header == wanted
        np.testing.assert_array_equal(found.x[:, :4], twin.transform(table.x[:, :1]))
        texts = np.array(table.texts["w"].to_pylist())
        np.testing.assert_array_equal(found.x[:, 4:], texts[:, None] == np.array(words))
        assert found.schema.anonymous_header[0] == f"{me.role}_{me.party_id}_x0_0"


def test_the_model_has_fates_names_is_one_at_all_clients_and_empty_at_the_arbiter(three, tmp_path):
    outputs, _, results = three
    shown = msgspec.to_builtins(outputs[G].model)
    assert shown["meta"] == {"transformColNames": ["n", "w"], "header": ["n", "w"], "needRun": True}
    assert shown["param"]["colMap"]["n"] == {
        "values": ["-4", "1", "2", "5"],
        "transformedHeaders": ["n_-4", "n_1", "n_2", "n_5"],
    }
    assert outputs[G].model == outputs[BANK].model == outputs[SHOP].model
    archive.save(tmp_path / "m.json", "HomoOneHotEncoder", outputs[G].model)
    assert archive.load(tmp_path / "m.json") == outputs[G].model
    assert outputs[JUDGE].model.param.col_map == {}
    assert results[G][1].told == {"original_dimension": 2, "transferred_dimension": 9}
    assert results[JUDGE][1].told == {"categories": 9}


def test_transform_sends_nothing_and_unseen_values_are_zero(three):
    outputs, _, _ = three
    models = {me: outputs[me].model for me in outputs}
    new = {me: frame([2, 9], ["zz", "a"], me=me) for me in (G, BANK, SHOP)}
    later, transcript, results = ran(new, models)
    assert transcript == []
    for me in new:
        assert later[me].data[0].x.sum(axis=1).tolist() == [1, 1]
        assert results[me][1].told == {"transferred_dimension": 9}
    assert later[JUDGE].data == []


def test_parties_exchange_exactly_the_declared_messages(three, golden):
    _, transcript, _ = three
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("homo_onehot_two_hosts", sorted(map(list, lines)))


def test_no_category_and_no_column_name_is_readable_in_what_leaves_a_party(three):
    _, transcript, _ = three
    sent = [codec.encode(line.value) for line in transcript]
    assert sent
    for word in SECRET.values():
        assert not any(word.encode() in body for body in sent)


def test_what_the_arbiter_gets_is_alike_in_length_and_in_random_order(three):
    _, transcript, _ = three
    sets = [line.value for line in transcript if line.message == Wire.sealed.name]
    assert {len(entry) for entries in sets for entry in entries} == {sealed_union.PAD + 16}
    assert all(entries == sorted(entries) for entries in sets)
    (union,) = {tuple(line.value) for line in transcript if line.message == Wire.union.name}
    assert list(union) == sorted(union)


def test_ciphertexts_of_two_runs_have_nothing_in_common(three):
    _, transcript, _ = three
    _, again, _ = ran(tables())
    one, other = (
        {entry for line in lines if line.message == Wire.union.name for entry in line.value}
        for lines in (transcript, again)
    )
    assert len(one) == len(other) == 9
    assert not one & other


def test_without_alignment_each_client_encodes_its_own_and_sends_nothing_of_it():
    outputs, transcript, _ = ran(tables(), need_alignment=False)
    assert outputs[BANK].data[0].schema.header == ["n_2", "n_5", "w_b", "w_of-bank-alone"]
    assert {s.message for s in transcript} == {"agreement.settings"}


def test_a_column_that_one_client_has_no_value_of_is_encoded_by_the_others_values():
    data = {G: frame([1, 2], ["a", "b"]), BANK: frame([np.nan] * 2, [None, None], me=BANK)}
    outputs, _, _ = ran(data)
    assert outputs[BANK].data[0].schema.header == ["n_1", "n_2", "w_a", "w_b"]
    assert outputs[BANK].data[0].x.tolist() == [[0] * 4] * 2
    nobody = {G: frame([np.nan], ["a"]), BANK: frame([np.nan], ["a"], me=BANK)}
    with pytest.raises(BadData, match=r"all values are missing in .*_x0;"):
        ran(nobody)


def test_more_than_1024_categories_of_all_clients_are_refused():
    data = {
        G: frame(range(600), ["a"] * 600),
        BANK: frame(range(500, 1100), ["a"] * 600, me=BANK),
    }
    with pytest.raises(BadData, match=r"more than 1024 categories in .*_x0;"):
        ran(data)


def test_text_here_and_numbers_there_are_refused():
    other = Frame(
        pa.array(["1"]), np.array([[1.0, 3]]), FrameSchema(header=["n", "w"]),
    )  # fmt: skip
    with pytest.raises(BadData, match="holds text at some parties and numbers at others"):
        ran({G: frame([1], ["a"]), BANK: other})


def test_clients_with_other_columns_or_another_choice_are_refused():
    with pytest.raises(BadData, match="columns are not those of the guest"):
        ran({G: frame([1], ["a"]), BANK: frame([1], ["a"], ("n", "v"), me=BANK)})
    with pytest.raises(BadData, match="mean other columns here than at the guest"):
        ran(
            {G: frame([1], ["a"]), BANK: frame([1], ["a"], me=BANK)},
            guest={"transform_col_indexes": [0]},
            host={"transform_col_indexes": [1]},
            arbiter={},
        )
    with pytest.raises(BadParameters, match="need_alignment is true here and false at the guest"):
        ran(
            {G: frame([1], ["a"]), BANK: frame([1], ["a"], me=BANK)},
            guest={"need_alignment": False},
            host={"need_alignment": True},
            arbiter={},
        )


def test_an_arbiter_is_asked_for_and_a_model_of_something_else_refused():
    with pytest.raises(BadParameters, match="needs an arbiter"):
        ran({G: frame([1], ["a"]), BANK: frame([1], ["a"], me=BANK)}, has_arbiter=False)
    with pytest.raises(BadModel, match="needs a model of HomoOneHotEncoder"):
        ran({G: frame([1], ["a"])}, {G: object(), JUDGE: object()})


# The union itself.


def union(entries, arbiter=None):
    parties = {
        me: lambda ctx, own=own: sealed_union.client(ctx, own) for me, own in entries.items()
    }
    return run({**parties, JUDGE: arbiter or sealed_union.server}, Ctx)


@pytest.mark.parametrize("size", [0, 1, 62, 63, 64, 200])
def test_entries_of_any_length_come_back(size):
    entries = {G: [b"a" * size], BANK: [b"\x80" * size, b"b"], SHOP: []}
    results, _ = union(entries)
    wanted = sorted({b"a" * size, b"\x80" * size, b"b"})
    assert results[G] == results[BANK] == results[SHOP] == wanted
    assert results[JUDGE] == len(wanted)


def tampering(change):
    def play(ctx):
        told = {e for entries in ctx.gather(sealed_union.Wire.sealed).values() for e in entries}
        ctx.remote(sealed_union.Wire.union, change(sorted(told)))

    return play


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told[1:], "entries of this client are not in it"),
        (lambda told: [*told, bytes(80)], "not entries of the clients"),
        (lambda told: [*told, b""], "not entries of the clients"),
        (
            lambda told: [*told, AESSIV(bytes(64)).encrypt(b"x\x80", [b"union|job|component|0"])],
            "not entries of the clients",
        ),
    ],
)
def test_a_union_that_clients_did_not_make_is_refused(change, said):
    with pytest.raises(ProtocolViolation, match=rf"arbiter.*sealed_union\.union.*{said}"):
        union({G: [b"a"], BANK: [b"a"]}, tampering(change))


def test_a_key_that_is_none_is_refused():
    def bad_host(ctx):
        ctx.remote(sealed_union.Wire.channel, bytes(32))

    with pytest.raises(ProtocolViolation, match=r"host.*10000.*channel.*not a public key"):
        run({G: lambda ctx: sealed_union.client(ctx, [b"a"]), BANK: bad_host}, Ctx)

    def bad_guest(ctx):
        ctx.gather(sealed_union.Wire.channel)
        ctx.remote(sealed_union.Wire.secret, bytes(range(112)))

    with pytest.raises(ProtocolViolation, match=r"guest.*9999.*secret.*not a key for us"):
        run({BANK: lambda ctx: sealed_union.client(ctx, [b"a"]), G: bad_guest}, Ctx)


def test_an_entry_that_is_no_category_is_a_clients_fault():
    def guest(ctx):
        ctx.name = "homo_onehot_0"
        made = HomoOneHotEncoder(HomoOneHotEncoder.Params())
        return made.fit_guest(ctx, Inputs({"data": [NamedData("b", "data", frame([1], ["a"]))]}))

    def host(ctx):
        ctx.get(Wire.header)
        sealed_union.client(ctx, [json.dumps({"column": 1}).encode()])

    with pytest.raises(ProtocolViolation, match=r"one of guest.*no category of a column"):
        run({G: guest, BANK: host, JUDGE: sealed_union.server}, Ctx)


def test_a_client_that_fails_ends_the_union_of_all():
    with pytest.raises(PeerFailed):
        run(
            {
                G: lambda ctx: sealed_union.client(ctx, [b"a"]),
                BANK: lambda ctx: None,
                JUDGE: sealed_union.server,
            },
            Ctx,
        )
