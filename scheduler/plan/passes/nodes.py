"""Nodes that are silent for too long: their agents count as disconnected."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import agents as agent_rows
from scheduler.words.commands import Command, LoseNode


def plan(view: View) -> list[Command]:
    return [
        LoseNode(view.epoch, node) for node in view.silent_nodes if agent_rows.any_on_node(view.store, node)
    ]


def wake(_: Outlook) -> int | None:
    return None  # the caller's monotonic clock says it
