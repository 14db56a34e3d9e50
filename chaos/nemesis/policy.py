"""What happens to packets from one host to another: pure, with its own dice for each pair.

Rules:
1. Chance is seeded by (seed, sender, receiver): what one pair suffers does not depend on the traffic of
   others.
2. Nothing is unlimited: a narrow link queues for at most QUEUE_S, then drops, as a real one does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

QUEUE_S = 2.0


@dataclass(frozen=True, slots=True)
class Policy:
    """All zero: packets pass."""

    cut: bool = False
    loss: float = 0.0
    duplicate: float = 0.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    kilobytes_per_s: float = 0.0


class Lane:
    """One direction between two hosts."""

    __slots__ = ("_dice", "_free_at_s", "dropped", "policy", "seen")

    def __init__(self, seed: int, sender: str, receiver: str) -> None:
        self._dice = random.Random(f"{seed}:{sender}>{receiver}")
        self._free_at_s = 0.0
        self.policy: Policy | None = None
        self.seen = self.dropped = 0

    def deliveries(self, size_bytes: int, now_s: float) -> tuple[float, ...]:
        """Seconds from now at which the packet arrives: none when it is lost, two when it is doubled."""
        self.seen += 1
        policy = self.policy
        if policy is None:
            return (0.0,)
        if policy.cut or (policy.loss and self._dice.random() < policy.loss):
            self.dropped += 1
            return ()
        copies = 2 if policy.duplicate and self._dice.random() < policy.duplicate else 1
        arrivals = []
        for _ in range(copies):
            delay_s = policy.delay_ms / 1000
            if policy.jitter_ms:
                delay_s = max(0.0, delay_s + self._dice.uniform(-policy.jitter_ms, policy.jitter_ms) / 1000)
            if policy.kilobytes_per_s:
                begins_s = max(self._free_at_s, now_s)
                if begins_s - now_s > QUEUE_S:
                    self.dropped += 1
                    continue
                self._free_at_s = begins_s + size_bytes / policy.kilobytes_per_s / 1000
                delay_s += self._free_at_s - now_s
            arrivals.append(delay_s)
        return tuple(arrivals)
