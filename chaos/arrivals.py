"""Jobs that fire by what comes: a notice, the end of that one's run, both together, the end of their own last
run.

Rules:
1. Each notice has a plan date of its own, by which its runs are known, and an Idempotency-Key: it is posted
   again until it is answered.
2. The last job runs as long as it is not paused: it is paused in the end, as schedules are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from chaos.appliers import Enough, Person
from chaos.client import Api
from chaos.nemesis import NemesisError

HEARD, FOLLOWS, TOGETHER, PACED, BOARD = "heard", "follows", "together", "paced", "arrivals"
JOBS = (HEARD, FOLLOWS, TOGETHER, PACED)
DELAY_MS = 1_500
FIRST = date(2030, 1, 1)
AGAIN_S = 0.25
_KEPT = {"overlap": "allow", "retention": {"runs": 100_000}}
_NOTICE = {"notice": {"board": BOARD}}
TRIGGERS: dict[str, dict[str, Any]] = {
    HEARD: {**_NOTICE, "id": "n", "overlap": "allow"},
    FOLLOWS: {"after": f"{HEARD}.ended", "id": "a", "overlap": "allow"},
    TOGETHER: {
        "all_of": {"of": [_NOTICE, {"after": f"{HEARD}.ended"}], "within": "1d"},
        "id": "g",
        "overlap": "allow",
    },
    PACED: {"every": {"delay": f"{DELAY_MS}ms"}, "id": "d"},
}


def declare(api: Api) -> bool:
    """Whether all were acknowledged. Raises NemesisError where the cluster refuses them."""
    puts: dict[str, dict[str, Any]] = {f"/v1/boards/{BOARD}": {}}
    puts |= {
        f"/v1/jobs/{job}": {"noop": True, "policies": _KEPT, "triggers": TRIGGERS[job]} for job in JOBS
    }
    for path, body in puts.items():
        outcome, status, _ = api.call("arrivals", "PUT", path, told={}, body=body)
        if outcome == "fail" and status > 0:
            raise NemesisError(f"the cluster refuses {path} of the harness ({status})")
        if outcome != "ok":
            return False
    return True


def people(over: threading.Event) -> Iterator[tuple[str, Person, float]]:
    """Each with the seconds between two acts."""
    yield "teller", _Teller(over), 1.5


class _Teller:
    def __init__(self, over: threading.Event) -> None:
        self._over, self._count = over, 0

    def __call__(self, api: Api) -> None:
        self._count += 1
        day = (FIRST + timedelta(days=self._count)).isoformat()
        body = {"key": "k", "expires": "1d", "plan_date": day}
        enough = Enough(self._over)
        while True:
            outcome, status, _ = api.call(
                "tell", "POST", f"/v1/boards/{BOARD}/notices", told={"day": day}, body=body,
                headers={"idempotency-key": f"tell-{day}"},
            )  # fmt: skip
            if outcome == "ok" or (outcome == "fail" and status > 0) or enough():
                return
            self._over.wait(AGAIN_S)
