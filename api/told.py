"""What of a notice its reader sees: a channel and a digest may be of namespaces that are not theirs to read.

The address of a channel is often a secret in itself (a webhook's path), and routes of all namespaces tell it
of jobs of any; a digest has notices of all that came together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from api import access
from api.access import Reach
from api.call import Call

MaySee = Callable[[str], bool]


def shown_target(target: str, channel: str, may_see: MaySee) -> str:
    """Where it goes; of a channel elsewhere its name alone."""
    home = channel.partition("/")[0]
    return target if not channel or may_see(home) else channel


def shown_facts(facts: dict[str, Any], may_see: MaySee) -> dict[str, Any]:
    """What it says; of a digest those notices that one may see."""
    items = facts.get("items")
    if items is None or all(may_see(each["namespace"]) for each in items):
        return facts
    seen = [each for each in items if may_see(each["namespace"])]
    by = dict(sorted(Counter(each["about"] for each in seen).items()))
    return {**facts, "items": seen, "count": len(seen), "by": by}


def need_all_of(call: Call, capability: str, facts: dict[str, Any]) -> None:
    """Who does something with a digest does it with each notice in it. Raises Problem forbidden."""
    whose = {each["namespace"] for each in facts.get("items") or ()}
    if not all(call.principal.may(capability, namespace) for namespace in whose):
        call.need(capability, namespace=Reach.ALL)


def may_see(call: Call) -> MaySee:
    return lambda namespace: call.principal.may(access.READ, namespace)
