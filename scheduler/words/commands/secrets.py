"""Secrets: what the log holds of them is encrypted, under a key that is on the nodes alone."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, Record, command, part


@command(100, grows=True)
class PutSecret(ByPerson):
    """A new value, encrypted by the front that took it in: as this very version of this very name."""

    namespace: str
    name: str
    version: int  #: one more than there is; another one: it was changed meanwhile
    key: str  #: id of the key
    sealed: bytes
    grants: tuple[str, ...] = ()  #: patterns of jobs that may use it, beside those that it has
    actor: Actor = NOBODY


@command(101, edits=True)
class DeleteSecret(ByPerson):
    namespace: str
    name: str
    actor: Actor = NOBODY


@command(102)
class GrantSecret(ByPerson):
    """Which jobs may use it, from now on."""

    namespace: str
    name: str
    add: tuple[str, ...]
    remove: tuple[str, ...]
    actor: Actor = NOBODY


@part
class Resealed(Record):
    """A secret under another key. One that was changed meanwhile stays as it is."""

    namespace: str
    name: str
    version: int
    sealed: bytes


@command(103)
class ResealSecrets(ByPerson):
    """This is the key from now on, for new values as well."""

    key: str
    secrets: tuple[Resealed, ...]
    actor: Actor = NOBODY
