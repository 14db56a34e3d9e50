"""Who belongs to the cluster: an immutable record, replaced as a whole by entries of the log.

Rules:
1. Each membership entry holds the complete record, so cutting the log's tail restores the one before.
2. One change at a time, and the record that counts is the latest in the log, committed or not (Ongaro's
   dissertation, 4.1).
3. A name is bound to the random uid of the node that first came under it. Another uid under that name is
   refused for ever: a wiped node forgot its votes. A removed name never comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from cluster.settings import ClusterSettings, Founder
from cluster.wire import Hello, Refusal

MEMBERS_MAX = 31
NAME_CHARS_MAX = 255
_VERSION = 1
WOULD_STOP = (
    "without {name} the cluster would stop: no majority of the {left} voting members left answers. "
    "Bring another back first, or remove one that is dead"
)


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    address: str
    zone: str
    url: str
    uid: str | None  #: None until the node has been met
    voter: bool


@dataclass(frozen=True, slots=True)
class Membership:
    members: tuple[Member, ...] = ()  #: by name
    removed: tuple[str, ...] = ()  #: names that are never accepted again

    @classmethod
    def founded(cls, founders: Iterable[Founder]) -> Membership:
        members = [Member(f.name, f.address, f.zone, f.url, None, True) for f in founders]
        return cls(tuple(sorted(members, key=lambda m: m.name)))

    def get(self, name: str) -> Member | None:
        return next((m for m in self.members if m.name == name), None)

    @property
    def voters(self) -> tuple[str, ...]:
        return tuple(m.name for m in self.members if m.voter)

    @property
    def learners(self) -> tuple[str, ...]:
        return tuple(m.name for m in self.members if not m.voter)

    def put(self, member: Member) -> Membership:
        others = [m for m in self.members if m.name != member.name]
        return replace(self, members=tuple(sorted([*others, member], key=lambda m: m.name)))

    def bound(self, name: str, uid: str) -> Membership:
        member = self.get(name)
        return self if member is None else self.put(replace(member, uid=uid))

    def promoted(self, name: str) -> Membership:
        member = self.get(name)
        return self if member is None else self.put(replace(member, voter=True))

    def without(self, name: str) -> Membership:
        return Membership(tuple(m for m in self.members if m.name != name), (*self.removed, name))

    def encode(self) -> bytes:
        rows = [[m.name, m.address, m.zone, m.url, m.uid, m.voter] for m in self.members]
        packed: bytes = msgpack.packb([_VERSION, rows, list(self.removed)])
        return packed

    @classmethod
    def decode(cls, data: bytes) -> Membership:
        """Raises ValueError for bytes that are no membership of a known version."""
        try:
            version, rows, removed = msgpack.unpackb(data)
            if version != _VERSION:
                raise ValueError(f"membership of version {version}")
            members = tuple(Member(*row) for row in rows)
            for m in members:
                texts = (m.name, m.address, m.zone, m.url, m.uid or "")
                if not all(type(text) is str for text in texts) or type(m.voter) is not bool:
                    raise ValueError(f"membership with the member {m!r:.200}")
            if not all(type(name) is str for name in removed):
                raise ValueError("membership with a removed name that is none")
            return cls(members, tuple(removed))
        except ValueError:
            raise
        except Exception as e:  # whatever else msgpack or the unpacking raises for foreign bytes
            raise ValueError(f"no membership: {e}") from e


_EMPTY = Membership()


def apply_change(membership: Membership, change: list[Any]) -> Membership | str:
    """The membership after a person's change, `[add, name, address, zone, url, uid]` or `[remove,
    name]`, or why not."""
    kind, name, *rest = change
    if kind == "remove":
        if membership.get(name) is None:
            return f"{name} is no member"
        if membership.voters == (name,):
            return f"{name} is the last voting member"
        return membership.without(name)
    if not name or len(name) > NAME_CHARS_MAX:
        return f"a member needs a name of 1 to {NAME_CHARS_MAX} characters"
    if membership.get(name) is not None:
        return f"{name} is a member already"
    if name in membership.removed:
        return f"{name} was removed; names are never used again"
    if len(membership.members) >= MEMBERS_MAX:
        return f"{MEMBERS_MAX} members at most"
    address, zone, url, uid = rest
    return membership.put(Member(name, address, zone, url, uid, voter=False))


def difference(before: Membership, after: Membership) -> str | None:
    """Who comes or goes between the two, in words; None: nobody."""
    names, later = ({m.name for m in membership.members} for membership in (before, after))
    said = [f"{name} is being added" for name in sorted(later - names)]
    said += [f"{name} is being removed" for name in sorted(names - later)]
    return " and ".join(said) or None


def well_formed(change: object) -> bool:
    """Whether a peer's change has the shape that `apply_change` needs."""
    if not isinstance(change, list) or len(change) not in (2, 6):
        return False
    *texts, last = change
    if not all(isinstance(value, str) for value in texts) or not (last is None or isinstance(last, str)):
        return False
    return (change[0], len(change)) in (("add", 6), ("remove", 2)) and isinstance(change[1], str)


def addresses(
    own: ClusterSettings, committed: Membership, latest: Membership, newer: dict[str, str]
) -> dict[str, str]:
    """Whom this node keeps connections to: members by what is committed or by the latest entry, and those
    of whom only another member told; with no membership at all, the names of the configuration."""
    found = {n: a for n, a in newer.items() if n not in committed.removed}
    found |= {m.name: m.address for membership in (committed, latest) for m in membership.members}
    if not latest.members:
        found = {founder.name: founder.address for founder in own.members}
    found.pop(own.name, None)
    return found


def vet(
    hello: Hello,
    *,
    cluster: str,
    name: str,
    membership: Membership,
    committed: Membership,
    known: Iterable[str],
    newer: Membership = _EMPTY,
) -> Refusal | None:
    """Whether node `name` may talk to the sender of `hello`. `known` are the names of the configuration,
    which count only while the membership is still empty (a joining node).

    What is not committed may still be cut, so it ends no conversation: the leader that has to cut it may be
    the one whom it removed. A node that was away does not know who came since: it listens to those of whom
    another member told (`newer`), or a newcomer could never lead it back; the word of the newcomer alone is
    anybody's."""
    refusal = _refuse(hello, cluster, name, membership, known)
    if refusal is None:
        return None
    sure = _refuse(hello, cluster, name, committed, known)
    if sure is not None and sure.code == "unknown" and newer.get(hello.name) is not None:
        return _refuse(hello, cluster, name, newer, known)
    return sure


def _refuse(
    hello: Hello, cluster: str, name: str, membership: Membership, known: Iterable[str]
) -> Refusal | None:
    if hello.cluster != cluster:
        return Refusal("cluster", f"this is cluster {cluster}, not {hello.cluster}")
    if hello.name == name:
        return Refusal(
            "self", f"{name} is the name of the node that was called: two nodes share a name or an address"
        )
    if hello.name in membership.removed:
        return Refusal(
            "removed",
            f"{hello.name} was removed from the cluster; names are never used again: join under a new name",
        )
    member = membership.get(hello.name)
    if member is None:
        if not membership.members and hello.name in known:
            return None
        return Refusal("unknown", f"{hello.name} is no member: admit it first (cronclave cluster add)")
    if member.uid is not None and member.uid != hello.uid:
        return Refusal(
            "uid",
            f"{hello.name} is known with another node uid: its data directory was lost or changed. "
            f"A node that forgot its votes must not come back: remove {hello.name} from the "
            "cluster and join under a new name",
        )
    return None
