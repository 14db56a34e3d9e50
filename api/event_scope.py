"""Of which namespaces an event tells: who reads in some hears of these alone, and of the cluster itself.

An event of a run, a task or an attempt that has no namespace of its own has that of its run; of a run that is
no more, those alone hear it who may read everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

from scheduler.words import events as e
from scheduler.words.events import Event

RUNS_MAX = 50_000  #: whose namespace is remembered

OF_THE_CLUSTER = frozenset({
    e.Led, e.FormatActivated, e.FormatRaised, e.NodeLost, e.OverloadBegan, e.OverloadEnded,
    e.AgentConnected, e.AgentDisconnected, e.AgentReleased, e.AgentDrained, e.AgentResumed,
    e.ZonesKept, e.Retimed, e.ZoneMoved, e.DifferenceFound, e.DifferenceGone, e.FoldersChanged,
})  # fmt: skip
"""Of no namespace, and for everybody who reads at all."""
FOR_ALL_ALONE = frozenset({e.TokenWithdrawn, e.SessionClosed, e.StageMoved})
"""Of no namespace, and for those who read in all."""


class RunNamespaces:
    """Of the runs that events name: `find` looks for one in the state."""

    def __init__(self, find: Callable[[int], str | None]) -> None:
        self._find = find
        self._known: dict[int, str] = {}

    def of(self, run: int) -> str | None:
        """None: there is no such run any more."""
        found = self._known.get(run)
        if found is None:
            found = self._find(run)
            if found is None:
                return None
            if len(self._known) >= RUNS_MAX:
                self._known.clear()
            self._known[run] = found
        return found

    def forget(self) -> None:
        """The state may be another one, with other runs of the same ids."""
        self._known.clear()


def is_for(event: Event, namespaces: frozenset[str], runs: RunNamespaces) -> bool:
    """Whether who reads in these namespaces alone hears of it. A namespace without a name: of all."""
    if type(event) in OF_THE_CLUSTER:
        return True
    if type(event) in FOR_ALL_ALONE:
        return False
    namespace: str | None = getattr(event, "namespace", None)
    if namespace is None:
        run: int | None = getattr(event, "run", None)
        namespace = None if run is None else runs.of(run)
    return namespace == "" or namespace in namespaces
