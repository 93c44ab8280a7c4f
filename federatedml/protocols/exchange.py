"""What the trainer of a coordinated linear model asks of the encryption: X^T d, and the loss.

The residual d is ``constant + factor * v`` (``maths.family``): the guest knows constant and
factor, the hosts v. An exchange gives each of them the product of its own features with d, and
the arbiter the loss; how, and under whose keys, is its own affair:

    exchange_arbiter_key    one key, the arbiter's: d is a vector of ciphertexts
    exchange_own_keys       each party's vectors under its own key (Lattice)

``exchanges.py`` chooses one. An exchange is opened once per fit, which makes the keys, and
renewed for each model that is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.maths.family import Share
from federatedml.maths.glm import Floats, Matrix

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Sizes:
    """The largest sizes over ALL of a party's training rows, for choosing scales that others see.

    Never of a batch's rows: who knows which rows are in which batch could work out, from the
    scales of many batches, which rows hold the large entries, and with weights the labels.
    vectors: of the guest's constant and factor; of a host's v. own: of the guest's part of a
    row's loss, with what a party adds to it for the penalty. eta, squared: of a host's.
    """

    vectors: tuple[float, ...]
    own: float = 0.0
    eta: float = 0.0
    squared: float = 0.0


@dataclass(frozen=True)
class Slice:
    """The rows of one batch as one party sees them.

    x: (b, k) at the guest, the batch, with the column of ones if there is an intercept; (s, k)
    at a host, the rows that it is shown, a superset of the batch.
    n_shown: s. at: (b,) where among the shown rows the batch's are; None at the guest where they
    are all of them, and always at a host, who must not know.
    sizes: of what the party gives, over all its training rows.
    number: says that x is the same as in every other slice of this number, as long as the
    exchange is not renewed: what is made of x alone may be kept. None: x will not come again.
    """

    x: Matrix
    n_shown: int
    sizes: Sizes
    at: Rows | None = None
    number: int | None = None


class Exchange(Protocol):
    """One party's end, for the training of one model; all parties call in step.

    security: a line for the log and the summary: scheme, sizes, bits of security, assumption.
    """

    @property
    def security(self) -> str: ...

    def renewed(self) -> Exchange:
        """For the next model: the same keys; nothing that was made of x is kept."""

    def guest(self, ctx: Ctx, part: Slice, share: Share, own: float | None) -> Floats:
        """(k,) X_g^T d over the batch. share: of the batch's b rows, in the order of x.

        own: what the guest adds to the batch's sum of losses; None: no loss is wanted.
        """

    def host(self, ctx: Ctx, part: Slice, eta: Floats, v: Floats, own: float | None) -> Floats:
        """(k,) X_h^T d over the batch. eta, v: (s,) of the rows shown; own: as at the guest.

        None for ``own`` means the same at every party: none of them adds anything.
        """

    def arbiter(self, ctx: Ctx, *, with_loss: bool) -> float:
        """The sum of the losses of the batch's rows plus what all parties add; 0.0 without."""
