"""How many lines of Python a work runs: no more for more rows, where numpy and Arrow do it."""

import sys


def steps(work):
    """Lines that ``work`` runs in this thread, each turn of a loop counted; the second time it
    runs, since the first may import and compile."""
    told = 0

    def local(frame, event, argument):
        nonlocal told
        told += event == "line"
        return local

    work()
    before = sys.gettrace()
    sys.settrace(lambda *_: local)
    try:
        work()
    finally:
        sys.settrace(before)
    return told
