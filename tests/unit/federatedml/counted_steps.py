"""How many lines of Python a work runs: no more for more rows, where numpy and Arrow do it."""

import sys

FEW = 300
"""By so much two counts may differ that should be equal: what Python itself runs between, such as
finalizers. A loop over the rows that the tests add would cost thousands."""


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
