"""Who belongs, as one member sees it: what is committed, what the log says last, and who came meanwhile.

Rules:
1. For quorums the latest membership of the log counts, committed or not; a handshake is refused by a
   committed one only (cluster.membership).
2. A node that was away meets names that its log does not know yet: it keeps a link to them.
"""

from __future__ import annotations

from cluster.journal import LogEntry
from cluster.membership import MEMBERS_MAX, Membership, addresses, vet
from cluster.peers import Peers
from cluster.settings import ClusterSettings
from cluster.wire import Hello, Refusal


class Roster:
    def __init__(self, settings: ClusterSettings, peers: Peers) -> None:
        self._settings, self._peers = settings, peers
        self.current = Membership()  #: counts for quorums
        self.committed = Membership()
        self.committed_bytes = b""
        self._strangers: dict[str, str] = {}  #: names that this log does not know yet, with their addresses
        self._seen: LogEntry | None = None
        self._due = True

    def take_over(self, membership: Membership) -> None:
        """The state says so."""
        self.committed, self.committed_bytes = membership, membership.encode()
        self._due = True

    def apply(self, data: bytes) -> None:
        """An entry of the log with a membership was committed."""
        self.committed, self.committed_bytes = Membership.decode(data), data
        self._due = True

    def refresh(self, latest: LogEntry | None, applied_index: int) -> bool:
        """Look at the log's latest membership; whether anything may have changed."""
        if latest is self._seen and not self._due:
            return False
        self._due = False
        self._seen = latest
        self.current = self.committed
        if latest is not None and latest[1] > applied_index:
            self.current = Membership.decode(latest[0][1:])
        return True

    def addresses(self) -> dict[str, str]:
        """Whom this node keeps connections to."""
        return addresses(self._settings, self.committed, self.current, self._strangers)

    def vet(self, hello: Hello, format: int, restores: int | None) -> Refusal | None:
        """Whether this node, whose state is of this format and was restored so often (None: it has none yet),
        talks to the sender; one that the log does not know is remembered."""
        refusal = vet(
            hello,
            cluster=self._settings.cluster,
            name=self._settings.name,
            membership=self.current,
            committed=self.committed,
            known=[f.name for f in self._settings.members],
        ) or hello.unfit(format)
        if refusal is None and restores is not None:
            refusal = hello.of_another_restore(restores)
        member = self.current.get(hello.name)
        is_bound = member is not None and member.uid is not None
        met_uid = self._peers.met().get(hello.name, hello.uid)
        if refusal is None and not is_bound and met_uid != hello.uid:
            refusal = Refusal("unknown", f"another node is connected as {hello.name}")
        if refusal is None and member is None and hello.name not in self._strangers:
            kept = list(self._strangers.items())[1 - MEMBERS_MAX :]
            self._strangers = {**dict(kept), hello.name: hello.address}
            self._due = True
        return refusal
