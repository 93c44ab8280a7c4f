"""Work spread over forked helpers is the work done at home."""

import os
import signal

import numpy as np
import pytest
from gmpy2 import mpz

from federatedml.crypto import paillier, parallel, ristretto


def squares(start, stop):
    return [mpz(i * i) for i in range(start, stop)]


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_parts_come_back_in_order(cores, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert parallel.spread(squares, 11, cores=cores, width=4, least=2) == squares(0, 11)


def test_little_work_stays_at_home(monkeypatch):
    monkeypatch.setattr(os, "fork", None)
    assert parallel.spread(squares, 7, cores=8, width=4, least=5) == squares(0, 7)


def test_a_lost_helper_is_an_error_and_not_a_wrong_sum(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    home = os.getpid()

    def dies_away_from_home(start, stop):
        if os.getpid() != home:
            os.kill(os.getpid(), signal.SIGKILL)
        return squares(start, stop)

    with pytest.raises(parallel.WorkerLost):
        parallel.spread(dies_away_from_home, 8, cores=2, width=4, least=1)


def test_products_on_two_cores_are_those_on_one(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(paillier.PublicKey, "worth", lambda *_: 1)
    public, secret = paillier.keygen(256)
    rng = np.random.default_rng(2)
    x, u = rng.normal(size=(20, 5)), rng.normal(size=20)
    c = public.encrypt(u, cores=2)
    np.testing.assert_allclose(secret.decrypt(c), u, atol=1e-12)
    zeros = public.encrypt(np.zeros(20), cores=2)
    assert len(set(zeros.values)) == 20
    one, two = (public.matvec(x, c, 30, cores=cores).values for cores in (1, 2))
    assert one == two


def test_forked_processes_draw_different_secrets(monkeypatch):
    """The group's library is loaded, and has drawn, before a zygote forks its workers."""

    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    ristretto.random_scalar()

    def secrets_of(start, stop):
        return [
            mpz(int.from_bytes(ristretto.random_scalar(), "little")) for _ in range(start, stop)
        ]

    assert len(set(parallel.spread(secrets_of, 8, cores=2, width=32, least=1))) == 8
