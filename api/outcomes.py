"""From the machine's refusals (`Outcome.code`) to problems."""

from __future__ import annotations

from api.problems import Problem
from scheduler import sizes
from scheduler.commands import Command, Outcome

KIND_OF_CODE = {
    "not_found": "not-found",
    "exists": "exists",
    "revision_mismatch": "revision-mismatch",
    "key_reused": "idempotency-key-reused",
    "conflict": "conflict",
    "format": "conflict",
    "ended": "conflict",
    "invalid": "validation",
    "limit": "too-many-requests",
    "too_large": "too-large",
}


def need_proposable(command: Command, *, what: str) -> None:
    """What a dry run owes: raises the Problem that proposing this very command would end in."""
    written = sizes.written(command)
    if isinstance(written, Outcome):
        expect_ok(written, what=what)


def expect_ok(outcome: Outcome, *, what: str, hint: str = "") -> dict[str, object]:
    """The outcome's value; raises the Problem of a refusal."""
    if outcome.ok:
        return dict(outcome.value or {})
    kind = KIND_OF_CODE.get(outcome.code, "conflict")
    extra = {"code": outcome.code, **({"value": outcome.value} if outcome.value else {})}
    detail = outcome.detail
    if outcome.code == "exists" and outcome.value:
        named = "{namespace}/{name}".format_map(outcome.value)
        detail = f"a job {named} exists already, at revision {outcome.value['revision']}"
    elif outcome.code == "revision_mismatch" and outcome.value:
        detail = f"{what} is at revision {outcome.value.get('revision')}"
    elif outcome.code == "too_large":
        detail = f"{what} is too large: {detail}"
    raise Problem(kind, detail or f"{what}: {outcome.code.replace('_', ' ')}", hint=hint, extra=extra)
