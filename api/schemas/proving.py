"""The shapes of what proves the ledger: what the leader has found, how far it is, and proofs at work."""

from __future__ import annotations

from pydantic import Field

from api.schemas.reply import Instant, Reply


class LedgerDifference(Reply):
    """The ledger differs from what was due, as the leader has found: the first place."""

    since: Instant
    problems: int = Field(description="in all")
    kind: str = Field(
        description="missing, doubled, not_due, chain, cause or unreadable", examples=["missing"]
    )
    job: str | None = Field(examples=["nightly-report"])
    namespace: str | None
    at: Instant
    detail: str = Field(examples=["no outcome"])
    command: str = Field(examples=["cronclave verify"])


class Proved(Reply):
    """How far the leader's own look through the ledger is."""

    whole: Instant | None = Field(description="all up to then was looked through")
    recent: Instant | None = Field(description="the hour before was")
    took_seconds: float = Field(description="the last whole look, with its rests")
    due: int
    entries: int


class Proof(Reply):
    """A proof of the ledger that a node has at work, or in line."""

    from_: Instant = Field(alias="from")
    to: Instant
    began: bool = Field(description="false: it stands in line")
    checked: int = Field(description="Entries of the chain whose hashes were checked")
    entries: int = Field(description="That are to be checked: from the first that may concern the range on")
    due: int = Field(description="Ticks of the range that were computed anew")


class ProofList(Reply):
    items: list[Proof]
    next_cursor: str | None
