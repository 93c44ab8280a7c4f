"""Calls that block, made from a thread."""

import threading


def in_thread(function):
    """The outcome of a function that blocks: call what is returned to wait for it, 30 s at most.

    An exception of the function is its outcome.
    """
    outcome = []

    def call():
        try:
            outcome.append(function())
        except Exception as error:  # noqa: BLE001 (the outcome)
            outcome.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()

    def join():
        thread.join(30)
        assert not thread.is_alive(), "it still waits"
        return outcome[0]

    return join
