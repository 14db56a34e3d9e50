"""Who an agent is: its installation and its sessions."""

from __future__ import annotations

import hashlib

SESSION_MS_MAX = 1 << 48
_SESSION_HEX = 16


def installation_of(key: bytes) -> str:
    """The id of the installation that holds the private half of this key: its fingerprint. It may be shown to
    everybody: knowing it proves nothing."""
    return hashlib.sha256(key).hexdigest()[:32]


def session_name(started_ms: int, random: str) -> str:
    """Sorts in the order of `started_ms`; `random` is 16 hexadecimal digits."""
    return f"{started_ms:0{_SESSION_HEX}x}-{random}"


def is_session(text: str) -> bool:
    """Whether it is one that `session_name` makes, of a number that a clock may show: none sorts behind all
    that will ever come."""
    started, dash, random = text.partition("-")
    digits = set("0123456789abcdef")
    return (
        bool(dash)
        and len(started) == len(random) == _SESSION_HEX
        and digits.issuperset(started)
        and digits.issuperset(random)
        and int(started, 16) <= SESSION_MS_MAX
    )
