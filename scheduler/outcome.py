"""What applying a command came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What applying a command came to. A refusal is a value, never an exception.

    `code` is "ok" or a stable word for the refusal: not_found, exists, revision_mismatch,
    key_reused, stale_epoch, stale_due, format, revoked, superseded, ended, not_connected, invalid, limit.
    `value` holds plain msgpack data, such as {"run": 17} or {"revision": 3, "created": True}.
    """

    code: str
    detail: str = ""
    value: dict[str, object] | None = None

    @property
    def ok(self) -> bool:
        return self.code == "ok"
