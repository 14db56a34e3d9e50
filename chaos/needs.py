"""A job whose runs require a notice each and use it up; who asks for such runs, and who posts the notices.
And one whose runs ask an agent first, by a command that ends well now and then.

Rules:
1. More runs are asked for than notices posted, and a run has little patience, so that all is over in the end.
2. A notice lasts longer than a load, and nobody else posts or takes any down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chaos.appliers import Person
from chaos.client import Api
from chaos.nemesis import NemesisError

JOB, BOARD, CHECKED = "needy", "needs", "checked"
PATIENCE = "8s"
DEFINITION: dict[str, Any] = {
    "board": {"path": f"/v1/boards/{BOARD}", "body": {}},
    "job": {
        "path": f"/v1/jobs/{JOB}",
        "body": {
            "noop": True,
            "policies": {"overlap": "allow", "retention": {"runs": 100_000}},
            "requires": [{"notice": BOARD, "consume": True}],
            "requires_policy": {"timeout": PATIENCE, "on_timeout": "skip"},
        },
    },
    "checked": {
        "path": f"/v1/jobs/{CHECKED}",
        "body": {
            "noop": True,
            "policies": {"overlap": "allow", "retention": {"runs": 100_000}},
            "requires": [
                {"check": {"run": "test $(($(date +%s) / 3 % 2)) = 0", "every": "5s", "timeout": "10s"}}
            ],
            "requires_policy": {"timeout": "20s", "on_timeout": "skip"},
        },
    },
}


def declare(api: Api) -> bool:
    """Whether both were acknowledged. Raises NemesisError where the cluster refuses them."""
    for kind, what in DEFINITION.items():
        outcome, status, _ = api.call(f"needs-{kind}", "PUT", what["path"], told={}, body=what["body"])
        if outcome == "fail" and status > 0:
            raise NemesisError(f"the cluster refuses the {kind} of the harness ({status})")
        if outcome != "ok":
            return False
    return True


def people() -> Iterator[tuple[str, Person, float]]:
    """Each with the seconds between two acts."""
    yield "needer", _ask, 1.2
    yield "poster", _post, 2.0
    yield "checker", _check, 4.0


def _ask(api: Api) -> None:
    api.call("need", "POST", f"/v1/jobs/{JOB}/runs", told={}, body={})


def _check(api: Api) -> None:
    api.call("check", "POST", f"/v1/jobs/{CHECKED}/runs", told={}, body={})


def _post(api: Api) -> None:
    api.call("post", "POST", f"/v1/boards/{BOARD}/notices", told={}, body={"key": "k", "expires": "1d"})
