"""What must hold in every story (Raft paper, figure 3, and the promises of this product).

election   one leader a term              matching   the same entry at the same index of two logs
committed  what is committed stays        complete   a leader's log holds everything committed in earlier
terms applied    the same at the same index     stamps     never fall
acked      what its proposer saw applied is on every node at the end, once
converge   after healing all nodes become equal and take a new proposal
lead       a leadership's first regular entry is its own
total      no exception, no refusal to start
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.journal import LogEntry
from cluster.simulation.machine import Row


@dataclass(frozen=True, slots=True)
class Violation:
    kind: str
    text: str


class Invariants:
    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self._leaders: dict[int, str] = {}
        self._applied: dict[int, tuple[int, int, tuple[bytes, ...], str]] = {}
        self._committed: dict[int, tuple[int, int]] = {}
        self.acked: set[bytes] = set()

    def fail(self, kind: str, text: str) -> None:
        if not any(v.kind == kind for v in self.violations):
            self.violations.append(Violation(kind, text))

    def leads(self, name: str, term: int, log: list[LogEntry]) -> None:
        other = self._leaders.setdefault(term, name)
        if other != name:
            self.fail("election", f"{name} and {other} both lead term {term}")
        first, last = log[0][1], log[-1][1]
        for index, (entry_term, committed_in) in self._committed.items():
            if committed_in >= term or index < first:
                continue
            if index > last or log[index - first][2] != entry_term:
                self.fail(
                    "complete", f"{name} leads term {term} without the committed entry {index}@{entry_term}"
                )
                return

    def applies(self, name: str, row: Row, term: int) -> None:
        applied, stamp_ms, proposals = row
        index = applied.position.index
        mine = (applied.position.term, stamp_ms, proposals)
        known = self._applied.setdefault(index, (*mine, name))
        if known[:3] != mine:
            self.fail("applied", f"index {index}: {name} applied {mine}, {known[3]} applied {known[:3]}")
        committed = self._committed.setdefault(index, (applied.position.term, term))
        if committed[0] != applied.position.term:
            self.fail(
                "committed",
                f"index {index} was committed @{committed[0]}, {name} has @{applied.position.term}",
            )
        before = self._applied.get(index - 1)
        if before is not None and before[1] > stamp_ms:
            self.fail("stamps", f"index {index}: stamp {stamp_ms} after {before[1]}")

    def ends(self, rows: dict[str, list[Row]]) -> None:
        """At the end of a story, all nodes being up and equal."""
        for name, state in rows.items():
            counts: dict[bytes, int] = {}
            leads: set[int] = set()
            for applied, _, proposals in state:
                for proposal in proposals:
                    counts[proposal] = counts.get(proposal, 0) + 1
                if proposals and applied.position.term not in leads:
                    leads.add(applied.position.term)
                    if not proposals[0].startswith(b"lead "):
                        self.fail("lead", f"term {applied.position.term} begins with {proposals[0]!r}")
            lost = [p for p in self.acked if p not in counts]
            if lost:
                self.fail("acked", f"{len(lost)} acknowledged proposals are missing on {name}: {lost[:3]}")
            twice = [p for p, count in counts.items() if count > 1]
            if twice:
                self.fail("acked", f"{name} applied {twice[:3]} more than once")

    def logs(self, logs: dict[str, list[LogEntry]]) -> None:
        """Log matching at the end of a story."""
        names = sorted(logs)
        for a in names:
            for b in names:
                if a < b:
                    self._match(a, b, logs)

    def _match(self, a: str, b: str, logs: dict[str, list[LogEntry]]) -> None:
        mine = {index: (term, data) for data, index, term in logs[a][1:]}
        theirs = {index: (term, data) for data, index, term in logs[b][1:]}
        shared = sorted(i for i in mine if i in theirs)
        agreed = [i for i in shared if mine[i][0] == theirs[i][0]]
        for index in shared:
            if agreed and index <= agreed[-1] and mine[index] != theirs[index]:
                self.fail("matching", f"{a} and {b} differ at index {index} below {agreed[-1]}")
                return
