"""Decoders of what strangers send: everything becomes a frame or a refusal, nothing else."""

import contextlib

import pytest
from federation_sites import envelope
from hypothesis import given
from hypothesis import strategies as st

from federation import HOST, Envelope, Party, Role
from federation.errors import Cancelled, DuplicateMessage, PeerFailed, PeerSilent, Unreachable
from federation.transport import frames, wire
from federation.transport import gateway_pb2 as pb

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
parties = st.builds(Party, st.sampled_from(Role), names)
counts = st.integers(0, 2**31)
envelopes = st.builds(
    Envelope, names, names, counts, names, counts, parties, parties, names, names, names
)


@given(envelopes)
def test_an_envelope_crosses_protobuf_and_the_socket_unchanged(found):
    crossed = pb.Envelope.FromString(frames.from_envelope(found).SerializeToString())
    assert frames.to_envelope(crossed) == found
    header = wire.frame(wire.Get(found, 1.0))[12:]
    assert wire.to_gateway(header) == wire.Get(found, 1.0)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_malformed(data):
    with contextlib.suppress(frames.Malformed):
        frame = frames.parse(data)
        frames.check_open(frame.open)
        frames.to_envelope(frame.open.envelope)
    with contextlib.suppress(wire.Broken):
        wire.to_gateway(data)
    with contextlib.suppress(wire.Broken):
        wire.from_gateway(data)


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 40))
def test_frames_come_out_of_a_byte_stream_however_it_is_cut(payloads, cut):
    stream = b"".join(wire.frame(wire.Payload(len(p)), p) for p in payloads)
    reader, found = wire.Frames(), []
    for start in range(0, len(stream), cut):
        reader.feed(stream[start : start + cut])
        while (frame := reader.next()) is not None:
            found.append(frame[1])
    assert found == payloads


@given(st.binary(min_size=12, max_size=64))
def test_absurd_lengths_are_broken_and_not_waited_for(data):
    reader = wire.Frames()
    reader.feed(b"\xff\xff\xff\xff" + data)
    with pytest.raises(wire.Broken):
        reader.next()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"job_id": ""}, "without job"),
        ({"component": "c" * 600}, "longer than"),
        ({"src": pb.Party(role="king", party_id="1")}, "unknown role"),
        ({"dst": pb.Party(role="host")}, "without an id"),
    ],
)
def test_impossible_envelopes_are_malformed(change, said):
    found = frames.from_envelope(envelope())
    for name, value in change.items():
        if isinstance(value, str):
            setattr(found, name, value)
        else:
            getattr(found, name).CopyFrom(value)
    with pytest.raises(frames.Malformed, match=said):
        frames.to_envelope(found)


@pytest.mark.parametrize(
    ("offset", "data", "said"),
    [(0, b"abc", "is due"), (4, b"", "0 bytes"), (4, b"x" * 97, "97 bytes at 4 of 100")],
)
def test_chunks_out_of_place_or_too_long_are_malformed(offset, data, said):
    with pytest.raises(frames.Malformed, match=said):
        frames.check_chunk(frames.chunk(1, offset, data).chunk, 4, 100)


@pytest.mark.parametrize(
    "error",
    [
        Cancelled("job", "why"),
        DuplicateMessage("x"),
        PeerFailed(Party(HOST, "1"), "cause"),
        PeerSilent(Party(HOST, "1"), "m", 3.0),
        Unreachable("1", "a:1"),
    ],
)
def test_errors_cross_the_socket_with_their_class_and_text(error):
    crossed = wire.raised(wire.failed(error))
    assert (type(crossed), str(crossed)) == (type(error), str(error))
