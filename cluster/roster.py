"""Who belongs, as one member sees it: what is committed, what the log says last, and who came meanwhile.

Rules:
1. For quorums the latest membership of the log counts, committed or not; a handshake is refused by a
   committed one only (cluster.membership).
2. A node that was away meets names that its log does not know yet. It keeps a link to those of whom a member
   told it, at the address that this member told: what a stranger says of itself is believed by nobody.
3. A refusal for good ends this node when more than half of the other voting members say so, each at its own
   address: one of them, or whoever took its address, ends nobody. One voice is enough for a founder that
   meets a restored node before it ever met that node as a member: they are more than it.
"""

from __future__ import annotations

from cluster.hardening import ALL_ON, Hardening
from cluster.journal import LogEntry
from cluster.membership import MEMBERS_MAX, Membership, addresses, vet
from cluster.peers import Peers
from cluster.seen import Seen
from cluster.settings import ClusterSettings
from cluster.wire import Hello, Refusal


class Roster:
    def __init__(
        self,
        settings: ClusterSettings,
        peers: Peers,
        seen: Seen | None = None,
        hardening: Hardening = ALL_ON,
    ) -> None:
        """`seen`: in which life each peer was met last."""
        self._settings, self._peers = settings, peers
        self._seen_before = seen if hardening.refuse_older_peer else None
        self.current = Membership()  #: counts for quorums
        self.committed = Membership()
        self.committed_bytes = b""
        self._newer = Membership()  #: what a member with a longer log told
        self._final: dict[str, str] = {}  #: who refuses this node for good, and why
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
        newer = {m.name: m.address for m in self._newer.members}
        return addresses(self._settings, self.committed, self.current, newer)

    def tell(self, peer: str, membership: bytes) -> None:
        """A peer whose log is longer tells who belongs. Only a member is believed."""
        if self.current.get(peer) is None and self.committed.get(peer) is None:
            return
        try:
            newer = Membership.decode(membership)
        except ValueError:
            return
        if newer != self._newer and len(newer.members) <= MEMBERS_MAX:
            self._newer = newer
            self._due = True

    def refused(self, peer: str, refusal: Refusal) -> bool:
        """A peer refuses this node; whether it has to end."""
        if not refusal.final:
            self._final.pop(peer, None)
            return False
        names = self.current.voters or [founder.name for founder in self._settings.members]
        others = [name for name in names if name != self._settings.name]
        if peer not in others:
            return False
        self._final[peer] = refusal.code
        member = self.current.get(peer)
        if refusal.code == "restored" and (member is None or member.uid is None):
            return True
        return 2 * sum(1 for name in others if name in self._final) > len(others)

    def met(self, peer: str) -> None:
        """The peer talks to this node."""
        self._final.pop(peer, None)

    def vet(self, hello: Hello, format: int, restores: int | None) -> Refusal | None:
        """Whether this node, whose state is of this format and was restored so often (None: it has none yet),
        talks to the sender."""
        refusal = vet(
            hello,
            cluster=self._settings.cluster,
            name=self._settings.name,
            membership=self.current,
            committed=self.committed,
            known=[f.name for f in self._settings.members],
            newer=self._newer,
        ) or hello.unfit(format)
        if (refusal is None or refusal.code == "unknown") and restores is not None:
            # A restore made one node the whole cluster: to its former members this says more than "unknown".
            refusal = hello.of_another_restore(restores) or refusal
        member = self.current.get(hello.name)
        is_bound = member is not None and member.uid is not None
        met_uid = self._peers.met().get(hello.name, hello.uid)
        if refusal is None and not is_bound and met_uid != hello.uid:
            refusal = Refusal("unknown", f"another node is connected as {hello.name}")
        if refusal is None and self._seen_before is not None:
            met = self._seen_before.comes_back(hello.uid, hello.life, hello.spark)
            refusal = None if met is None else hello.of_an_earlier_time(met)
        return refusal
