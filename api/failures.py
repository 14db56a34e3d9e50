"""Wrong tokens, and deliveries that are not signed, by address: after a burst, an address is told to wait
instead of being looked into.

Rules: this saves work, it guards no secret, for neither can be guessed. So a token that this node has is
taken from whatever address, however many wrong ones came from there: agents and people share addresses. The
table is bounded; an address that is pushed out of it starts anew.
"""

from __future__ import annotations

from collections import OrderedDict

from api.problems import Problem

BURST = 20
EVERY_S = 1.0  #: one more wrong token is looked into
ADDRESSES_MAX = 10_000


class Failures:
    def __init__(self, refusal: str) -> None:
        self._refusal = refusal  #: what an address is told that has to wait
        self.count = 0  #: wrong tokens since the start
        self.refused = 0  #: of them unseen, by this limit
        self._free_s: OrderedDict[str, float] = OrderedDict()  #: address → when its whole burst is free again

    def __len__(self) -> int:
        return len(self._free_s)

    def look(self, address: str, now_s: float) -> None:
        """Before an unknown token of this address is looked into. Raises Problem too-many-failures."""
        wait_s = self._free_s.get(address, now_s) - now_s - (BURST - 1) * EVERY_S
        if wait_s > 0:
            self.refused += 1
            raise Problem(
                "too-many-failures",
                self._refusal,
                headers={"Retry-After": str(int(wait_s) + 1)},
            )

    def note(self, address: str, now_s: float) -> None:
        """It was wrong."""
        self.count += 1
        free_s = max(self._free_s.pop(address, now_s), now_s) + EVERY_S
        self._free_s[address] = free_s
        if len(self._free_s) > ADDRESSES_MAX:
            self._free_s.popitem(last=False)
