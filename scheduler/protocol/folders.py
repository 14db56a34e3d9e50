"""What agent and node say of folders and files, for triggers that wait for files (docs/reference/job.md)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """Files in the folder of a trigger that stood still for as long as it asks: path, identity, size, and
    mtime and ctime in milliseconds of each. Sent again until the node says with which serial each is
    known."""

    trigger: int
    files: tuple[tuple[str, str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """Known files of this trigger's folder that are no more, or are others by now."""

    trigger: int
    serials: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a Move; `error`: why nothing did."""

    trigger: int
    serial: int
    error: str


@dataclass(frozen=True, slots=True)
class Blind:
    """Why it cannot look into the folder of this trigger; empty: it can again. Sent again until the node's
    Forget, which names no file."""

    trigger: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Watch:
    """All the folders that this agent looks into from now on, in place of those before: trigger, folder,
    pattern of names, how long a file stands still in milliseconds, whether all have to, and why it could
    not look there as far as the state knows. What is known of their files came before."""

    folders: tuple[tuple[int, str, str, int, bool, str], ...]


@dataclass(frozen=True, slots=True)
class Known:
    """Files of this trigger's folder that need not be told of: serial, path, identity. `first`: all of
    them, here and in what follows, come before a Watch; else the answer to a Seen."""

    trigger: int
    first: bool
    files: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """The answer to a Gone, a Moved or a Blind (no serials): of these nothing need be told again."""

    trigger: int
    serials: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """Move this very file to the folder `to`; delete it where that is empty."""

    trigger: int
    serial: int
    path: str
    identity: str
    to: str
