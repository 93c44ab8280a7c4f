"""Keys of the arbiter: the scheme that was asked for, refused if it is another or too short."""

import numpy as np
import pytest

from federatedml.component import Ctx
from federatedml.crypto.wire import PublicKey
from federatedml.params_shared import EncryptParam
from federatedml.protocols import keygen
from federation import ARBITER, GUEST, Message, Party
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, JUDGE = Party(GUEST, "1"), Party(ARBITER, "2")


class Wire:
    key = Message[PublicKey]({ARBITER}, {GUEST}, kind="plain", reveals="nothing")


def keys(made, asked):
    """The arbiter's secret key and the guest's public one."""
    results, _ = run(
        {
            JUDGE: lambda ctx: keygen.arbiter_makes(ctx, Wire.key, made),
            G: lambda ctx: keygen.received(ctx, Wire.key, asked),
        },
        Ctx,
    )
    return results[JUDGE], results[G]


@pytest.mark.parametrize(
    ("method", "scheme"), [("Paillier", "Paillier"), ("OU", "OU"), ("IPCL", "Paillier")]
)
def test_a_key_of_the_scheme_asked_for_is_made_and_shared(method, scheme):
    param = EncryptParam(method=method, key_length=768)
    secret, public = keys(param, param)
    assert public.scheme == scheme
    assert public == secret.public
    assert secret.decrypt(public.encrypt(np.array([-2.5]))).tolist() == [-2.5]


@pytest.mark.parametrize(
    ("made", "asked", "problem"),
    [
        (("OU", 768), ("Paillier", 768), "a key of OU; encrypt_param asks for Paillier"),
        (("Paillier", 768), ("OU", 768), "a key of Paillier; encrypt_param asks for OU"),
        (("OU", 768), ("OU", 1024), "a key of 768 bits; encrypt_param asks for 1024"),
    ],
)
def test_another_key_than_asked_for_is_refused(made, asked, problem):
    made, asked = (EncryptParam(method=m, key_length=k) for m, k in (made, asked))
    with pytest.raises(ProtocolViolation, match=problem):
        keys(made, asked)


def test_the_log_says_what_a_key_is_and_what_stands_in_for_another_scheme(caplog):
    caplog.set_level("INFO")
    param = EncryptParam(method="IterativeAffine", key_length=256)
    keys(param, param)
    said = caplog.text
    assert "encryption: Paillier, 256-bit key, less than 80 bits of security" in said
    assert "no longer considered safe" in said
    assert "encrypt_param.method IterativeAffine: Paillier is used in its place" in said


def test_a_method_left_open_is_no_cause_for_a_warning(caplog):
    assert keygen.scheme(EncryptParam()) == "Paillier"
    assert not caplog.records
