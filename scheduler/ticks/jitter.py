"""The constant offset of a trigger: spreads jobs that share an instant and never reorders ticks."""

from __future__ import annotations

import hashlib


def jitter_ms(namespace: str, name: str, key: str, jitter_max_ms: int) -> int:
    """0 ≤ offset < `jitter_max_ms`, from the trigger's identity alone."""
    if jitter_max_ms <= 0:
        return 0
    digest = hashlib.sha256(f"{namespace}\0{name}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % jitter_max_ms
