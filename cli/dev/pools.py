"""How many agents a development cluster has, and in which pools: `--agents 3`, or `--agents web=5` for each.

The agents of the pool `default` are agent-1, agent-2, …; those of another are called by it: web-1, web-2, …
"""

from __future__ import annotations

import re
from typing import Any

import click

POOL, AGENT = "default", "agent"
AGENTS_MAX = 64
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,55}")
_TAKEN = ("node", AGENT)  #: whose folders and names other programs have


class PoolSize(click.ParamType[tuple[str, int]]):
    """N of the pool `default`, or POOL=N."""

    name = "N | POOL=N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value[0], value[1]
        pool, _, count = str(value).rpartition("=") if "=" in str(value) else (POOL, "", str(value))
        if not _POOL.fullmatch(pool) or pool in _TAKEN:
            self.fail(
                f"{pool[:64]!r} cannot be a pool here: letters, digits, '.', '_', '-'; not 'node' or 'agent'"
            )
        if not (count.isascii() and count.isdecimal() and int(count[:9]) <= AGENTS_MAX):
            self.fail(f"{value[:64]!r}: a number of agents is 0 to {AGENTS_MAX}, as in 3 or web=3")
        return pool, int(count)


def one_of_each(
    ctx: click.Context, param: click.Parameter, value: tuple[tuple[str, int], ...]
) -> dict[str, int]:
    """The pools by name, in their order."""
    pools = dict(value)
    if len(pools) < len(value):
        raise click.BadParameter("a pool is named twice", ctx, param)
    if sum(pools.values()) > AGENTS_MAX:
        raise click.BadParameter(f"there are {sum(pools.values())} agents, {AGENTS_MAX} may be", ctx, param)
    return pools


def agent_name(pool: str, number: int) -> str:
    return f"{AGENT if pool == POOL else pool}-{number}"
