"""Which exchange a training uses: what the configuration says, told by the guest, checked by all.

encrypt_param.method is the same for all parties; a party whose configuration differs refuses.
What the configuration cannot tell is whether rows are weighted or masked; so the guest tells.
"""

from __future__ import annotations

import logging

import msgspec

from federatedml.component import Ctx
from federatedml.errors import BadData
from federatedml.maths.family import Family
from federatedml.params_shared import EncryptParam
from federatedml.protocols import exchange_arbiter_key, exchange_own_keys
from federatedml.protocols.exchange import Exchange
from federation import ARBITER, GUEST, HOST, Message, codec

LOG = logging.getLogger(__name__)


@codec.wire_struct
class Arrangement(msgspec.Struct, frozen=True):
    """scheme: ``EncryptParam.scheme`` at the guest. has_factor: whether something known only to
    the guest multiplies the hosts' parts of the residual: weights, masks, means of counts."""

    scheme: str
    has_factor: bool


class Wire:
    arrangement = Message[Arrangement](
        {GUEST},
        {HOST, ARBITER},
        kind="plain",
        reveals="how the guest is told to encrypt; whether rows are weighted or masked",
    )


def opened(
    ctx: Ctx,
    param: EncryptParam,
    family: Family,
    precision: int | None,
    *,
    has_factor: bool = False,
) -> Exchange:
    """This party's end of the exchange, its keys made and sent; all parties call in step.

    precision: fractional bits of features, None: as many as there are. has_factor: of the guest
    alone. Raises BadData for a party that is configured otherwise than the guest.
    """
    if ctx.role == GUEST:
        plan = Arrangement(param.scheme, has_factor)
        ctx.remote(Wire.arrangement, plan)
    else:
        plan = ctx.get(Wire.arrangement)
    if plan.scheme != param.scheme:
        raise BadData(
            f"{ctx.name}: the guest encrypts by {plan.scheme}, this party by {param.scheme}; give "
            "encrypt_param for all parties, in component_parameters.common"
        )
    if plan.scheme == "Lattice":
        if len(ctx.hosts) == 1 or not plan.has_factor:
            exchange = exchange_own_keys.opened(ctx, family)
            LOG.info("encryption: %s", exchange.security)
            return exchange
        LOG.warning(
            "weighted or masked rows with several hosts are beyond the lattice exchange; Paillier "
            "is used. For Lattice leave out weights, and set masked_rate 0 or batch_size -1"
        )
    return exchange_arbiter_key.opened(ctx, param, family, precision)
