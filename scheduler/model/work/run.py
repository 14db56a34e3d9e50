"""run: a line or a script for the shell of the agent's user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from scheduler.model.problems import Refused
from scheduler.model.texts import SCRIPT_CHARACTERS_MAX, no_nul, not_blank
from scheduler.model.work.kind import Kind
from scheduler.model.work.process import CRLF_HINT, FEATURES, with_surroundings


def _value() -> Any:
    from pydantic import AfterValidator, Field

    return Annotated[str, Field(min_length=1, max_length=SCRIPT_CHARACTERS_MAX), AfterValidator(check_script)]


def check_script(value: str) -> str:
    """What a shell would take for a part of a command's name, and nobody sees in an editor."""
    if value.startswith("\ufeff"):
        raise Refused("it begins with a byte order mark (BOM): to a shell that is text", "remove it")
    wrong = [number for number, line in enumerate(value.split("\n"), 1) if line.endswith("\r")]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise Refused(f"line {wrong[0]} ends in a carriage return{more}", CRLF_HINT)
    return not_blank(no_nul(value))


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    return with_surroundings({"run": task["run"]}, task)


RUN = Kind(
    name="run",
    description="a shell command",
    example="./report.sh",
    value=_value,
    compiled=_compiled,
    happens="agent",
    drawn=lambda command: "",
    executor="shell",
    features=FEATURES,
    other_words=("command", "cmd", "shell", "sh", "bash", "commands"),
)
