"""Processes that do not outlive the one that made them."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
ORPHANED = 70
"""Exit status of a child whose parent was gone before it began."""


def end_with_parent(signal_number: int, parent: int) -> None:
    """Called in a new child: the kernel sends it this signal when its parent dies.

    parent: the parent's pid; if that is no longer the parent, the child ends here and now.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        os._exit(ORPHANED)
