"""Which formats the members of the cluster support, as this node last met them.

A member counts as it is now: one that does not answer may come back with an older version, so nothing newer
is activated over its head.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.ports import NodeStatus
from scheduler.formats import span
from scheduler.words.commands import NOBODY, Activate, Actor


@dataclass(frozen=True, slots=True)
class Supported:
    node: str
    least: int
    most: int  #: 0: it was not met yet
    reachable: bool

    def why_not(self, format: int) -> str | None:
        """Why this member stands in the way of the format."""
        if not self.reachable or not self.most:
            return f"{self.node} does not answer"
        if not self.least <= format <= self.most:
            return f"{self.node} supports {span(self.least, self.most)}"
        return None


def members(status: NodeStatus) -> list[Supported]:
    """By name, this node among them."""
    found = [Supported(status.node, status.format_min, status.format_max, True)]
    found += [Supported(p.node, p.format_min, p.format_max, p.reachable) for p in status.peers]
    return sorted(found, key=lambda member: member.node)


def in_the_way(status: NodeStatus, format: int) -> list[str]:
    """Why the format cannot be activated now; empty: it can."""
    return [reason for member in members(status) if (reason := member.why_not(format))]


def activation(status: NodeStatus, format: int, actor: Actor = NOBODY) -> Activate:
    """The command, with the members that were asked."""
    seen = tuple((member.node, member.least, member.most) for member in members(status))
    return Activate(format, seen, actor)


def newest_common(status: NodeStatus) -> int:
    """The newest format that every member, by its last word, supports."""
    return max(status.format_target, min(member.most for member in members(status)))
