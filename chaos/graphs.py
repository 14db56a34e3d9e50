"""A job whose branches depend on what its first task wrote: each command proves that it is the right one, and
was given the right value; else it exits with WRONG.

    extract ─┬─ even     when its output says so ─┬─ meet       none_failed
             ├─ odd      when it says that       ─┤
             └─ never    when it says neither     └─ clean-up   any_failed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.client import Api

JOB = "branches"
WRONG = 9
EXTRACT, EVEN, ODD, NEVER, MEET, CLEAN_UP = "extract", "even", "odd", "never", "meet", "clean-up"
BRANCHES = (EVEN, ODD)

_WRITE = (
    'half=even; [ $((CRONCLAVE_RUN % 2)) = 1 ] && half=odd\n'
    'printf "n=%s\\nhalf=%s\\n" "$CRONCLAVE_RUN" "$half" > "$CRONCLAVE_OUTPUT"'
)


def _proves(half: str) -> str:
    rest = 0 if half == EVEN else 1
    given = '[ "$CRONCLAVE_OUTPUT_EXTRACT_N" = "$CRONCLAVE_RUN" ]'
    return f"{given} && [ $((CRONCLAVE_RUN % 2)) = {rest} ] || exit {WRONG}"


def job_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """By what all jobs of the load have."""
    tasks: dict[str, dict[str, Any]] = {EXTRACT: {"run": _WRITE, "outputs": ["n", "half"]}}
    for half in BRANCHES:
        when = f"extract.succeeded and extract.outputs.half == '{half}' and extract.outputs.n > 0"
        tasks[half] = {"needs": [EXTRACT], "when": when, "run": _proves(half)}
    neither = "not (extract.outputs.half in ['even', 'odd'])"
    tasks[NEVER] = {"needs": [EXTRACT], "when": neither, "run": f"exit {WRONG}"}
    tasks[MEET] = {"needs": [*BRANCHES, NEVER], "rule": "none_failed", "run": "true"}
    tasks[CLEAN_UP] = {"needs": [EXTRACT, *BRANCHES], "rule": "any_failed", "run": "true"}
    kept = {key: value for key, value in body.items() if key != "run"}
    return {**kept, "tasks": tasks}


def ask(api: Api) -> None:
    """One more run of it."""
    api.call(
        "branch", "POST", f"/v1/jobs/{JOB}/runs", told={"graph": JOB}, body={},
        read=lambda document, _: {"run": document["id"]},
    )  # fmt: skip
