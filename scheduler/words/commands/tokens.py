"""Tokens, and what a browser comes by."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, Record, command, part


@part
class Granted(Record):
    """What a token is in one namespace, beside what it is in all."""

    namespace: str
    role: str


@command(8, grows=True)
class PutToken(ByPerson):
    """Store the hash of a bearer token. `bootstrap` only while there is no token at all."""

    name: str
    sha256: bytes
    role: str  #: in all namespaces; empty: in those of `roles` alone
    expires_ms: int = 0  #: 0: never
    uses: int = 0  #: of a join token: how many may join by it
    holder: str = ""  #: the one agent or node that may use it; empty: any
    pool: str = ""  #: the pool that its agents belong to; empty: any
    actor: Actor = NOBODY
    roles: tuple[Granted, ...] = ()  #: by namespace, each once


@command(10, grows=True)
class RedeemToken(ByPerson):
    """Join by a token: what the newcomer is known by from now on takes one of its uses. The same newcomer
    with the same credential may repeat it, and takes no other use."""

    token: str  #: name of the join token
    holder: str  #: name of the agent or node that joins
    credential: bytes  #: SHA-256 of an agent's own secret, or of what identifies a node's key
    pool: str = ""  #: of an agent
    actor: Actor = NOBODY


@command(11)
class DeleteToken(ByPerson):
    """Withdraw a token. The last administrator's stays."""

    name: str
    actor: Actor = NOBODY
    within: tuple[str, ...] = ()  #: only one whose roles are all in these namespaces; empty: any


@command(12)
class OpenSession(ByPerson):
    """A browser comes by a token: from now on it is known by a secret of its own, until its end."""

    token: str  #: its name
    token_sha256: bytes  #: as it was when its secret was shown: names are used again
    sha256: bytes  #: of the session's own secret
    actor: Actor = NOBODY


@command(13)
class CloseSession(ByPerson):
    """Nobody is anybody by this session any more, on any node."""

    sha256: bytes
    actor: Actor = NOBODY
