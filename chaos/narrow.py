"""A namespace that lets few runs go on, gives its job defaults and has plan dates of its own; who says so
again and again, and who starts runs in it.

Rules:
1. Quotas and plan dates stay as they are, so that they hold for the whole load. The defaults are of one
   *generation*, a number of its own, which the job takes as a label: its last one tells which it follows.
2. More runs are asked for than may be active, and than may begin, so that some wait; not so many that they
   are not through in the end.
3. No instant has the same date by its plan as by UTC.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from chaos.appliers import Person
from chaos.client import Api
from chaos.nemesis import NemesisError

NAMESPACE, JOB = "chaos-narrow", "narrow"
ACTIVE, STARTS = 2, 20
MINUTE_MS = 60_000
AT_ONCE = 3
#: A zone without another summer time: dates are arithmetic.
PLAN = {"tz": "Etc/GMT+12", "begin": "23:00"}
PLAN_OFFSET_MS = -(12 + 23) * 3_600_000
PATH = f"/v1/namespaces/{NAMESPACE}"
KEPT = 100_000


class Narrow:
    """What is said of it."""

    def __init__(self) -> None:
        self._generations = itertools.count(1)

    def __call__(self, api: Api) -> None:
        self.say(api)

    def declare(self, api: Api) -> bool:
        """Whether both were acknowledged. Raises NemesisError where the cluster refuses them."""
        for act in (self.say, self.put):
            outcome, status = act(api)
            if outcome == "fail" and status > 0:
                raise NemesisError(f"the cluster refuses the namespace of the harness ({status})")
            if outcome != "ok":
                return False
        return True

    def say(self, api: Api) -> tuple[str, int]:
        generation = next(self._generations)
        body: dict[str, Any] = {
            "quotas": {"active_runs": ACTIVE, "starts_per_minute": STARTS},
            "plan": PLAN,
            "defaults": {"labels": {"generation": str(generation)}},
        }
        return api.call("narrow", "PUT", PATH, told={"generation": generation}, body=body)[:2]

    def put(self, api: Api) -> tuple[str, int]:
        policies = {"retention": {"runs": KEPT}}
        body = {"namespace": NAMESPACE, "policies": policies, "run": "sleep 1"}
        return api.call("narrow-job", "PUT", f"/v1/jobs/{JOB}?namespace={NAMESPACE}", told={}, body=body)[:2]


def people(narrow: Narrow) -> Iterator[tuple[str, Person, float]]:
    """Each with the seconds between two acts."""
    yield "narrower", narrow, 3.0
    yield "beginner", _begin, 8.0


def _begin(api: Api) -> None:
    for _ in range(AT_ONCE):
        api.call("begin", "POST", f"/v1/jobs/{JOB}/runs?namespace={NAMESPACE}", told={}, body={})
