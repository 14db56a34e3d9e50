"""Hooks: what another system sends."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, Record, command, part


@part
class HookFiring(Record):
    """A trigger that a delivery fires, as its proposer saw it."""

    trigger: int
    revision: int  #: of its job, by whose parameters the body was judged
    params: bytes  #: canonical JSON of all of its run's parameters


@command(109, grows=True, edits=True)
class Deliver(ByPerson):
    """A hook takes a delivery whose signature the proposer has checked: all of its triggers fire, or none.
    Compare-and-set of the hook, of its secret, and of the triggers with their jobs' revisions. While a staged
    apply goes live it waits, as edits do: which triggers there are has to stand."""

    namespace: str
    hook: str
    hook_revision: int
    secret_namespace: str
    secret: str  #: name of the one that it was signed with
    secret_version: int
    delivery: str  #: its id: sent again it is answered again
    signed_ms: int | None  #: the instant that was signed with it; None: none was
    safe_ms: int  #: from then on the signature is too old for the hook
    firings: tuple[HookFiring, ...]  #: in the order of the triggers
    actor: Actor = NOBODY
