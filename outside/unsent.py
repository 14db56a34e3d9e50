"""What every way out raises where something did not arrive."""

from __future__ import annotations


class UnsentError(Exception):
    """It did not arrive, or nobody knows that it did."""

    def __init__(self, reason: str, *, is_final: bool = False, wait_s: float = 0.0) -> None:
        """`is_final`: no later try can succeed. `wait_s`: the receiver asks for so long a pause."""
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final
        self.wait_s = wait_s
