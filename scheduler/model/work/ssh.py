"""ssh: a command on a host without an agent, by a process of its own on an agent's host.

A process, as `http` is one: it outlives its agent, and is cancelled, timed out and proved never to have
started as a command is. Rejected: connections within the agent, shared by many attempts, which cost less CPU:
with the agent goes the link, and with it all that is known of what runs over there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.problems import Refused
from scheduler.model.work.kind import Kind

_UNSAID: dict[str, Any] = {"port": 22, "shell": "sh"}
"""What the text of a job leaves out; it never changes, whatever the model's defaults become."""
CREDENTIALS = ("key", "passphrase", "password")
"""Fields that name a variable, which is not given to the command."""
_THERE = "say it in the command: it runs on the other host"


def _value() -> Any:
    from scheduler.model.remote import Ssh

    return Ssh


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    work: dict[str, Any] = {"remote": {**_UNSAID, **task["ssh"]}}
    for field in ("cwd", "stdin", "stderr", "run_as"):
        if field in task:
            work[field] = task[field]
    if task["env"]:
        work["env"] = task["env"]
    return work


def _with_secrets(asked: Any, files: Mapping[str, bool]) -> None:
    own = {field: getattr(asked, field) for field in CREDENTIALS}
    for field, variable in own.items():
        if variable is not None and variable not in files:
            detail = f"{field} is {variable}, which is no secret of the task"
            raise Refused(detail, f"add secrets: [{variable}]")
    for variable, is_file in files.items():
        if is_file and variable not in own.values():
            raise Refused(f"{variable} would be a file on the agent's host, not where the command runs",
                          "remove file: true")  # fmt: skip


def _drawn(asked: Any) -> str:
    user = asked.get("user")
    return f"{user}@{asked['host']}" if user else str(asked["host"])


SSH = Kind(
    name="ssh",
    description="a command on a host without an agent",
    example={"host": "db1.example.org", "user": "batch", "run": "./vacuum.sh"},
    value=_value,
    compiled=_compiled,
    happens="agent",
    executor="ssh",
    offered="an agent that offers it: pip install 'cronclave[ssh]' on one, and start it anew",
    features=frozenset({"cwd", "stdin", "stderr", "run_as", "secrets"}),
    drawn=_drawn,
    with_secrets=_with_secrets,
    unread=("skip_if_exists", "umask", "nice", "limits", "outputs"),
    instead={"skip_if_exists": _THERE, "umask": _THERE, "nice": _THERE, "limits": _THERE,
             "outputs": "post a notice, or write where both hosts can read"},
    other_words=("remote", "sshexec", "ssh_command", "ssh_operator", "winrm"),
)  # fmt: skip
