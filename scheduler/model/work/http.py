"""http: one request, sent by a process of its own on an agent's host.

A process, since then all of its life is that of a command: it outlives its agent, is cancelled, timed out and
proved never to have started as one, and its secrets are taken out of what it writes. Rejected: requests
within the agent's loop, which cost less CPU and are lost with the agent: nobody knows whether they were sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.quantities import parse_duration_ms
from scheduler.model.work.kind import Kind

_UNSAID: dict[str, Any] = {"method": "GET", "headers": {}, "expect": ["2xx"], "redirects": 0, "silence": "1m"}
"""What the text of a job leaves out; it never changes, whatever the model's defaults become."""


def _value() -> Any:
    from scheduler.model.request import Http

    return Http


def _whole(asked: Any) -> dict[str, Any]:
    return {**_UNSAID, **({"url": asked} if isinstance(asked, str) else asked)}


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    asked = _whole(task["http"])
    asked["silence_ms"] = parse_duration_ms(asked.pop("silence"))
    work: dict[str, Any] = {"request": asked}
    if task["env"]:
        work["env"] = task["env"]
    return work


def _shows(asked: Any) -> set[str]:
    found: set[str] = asked.in_address
    return found


def _drawn(asked: Any) -> str:
    whole = _whole(asked)
    return f"{whole['method']} {whole['url']}"


HTTP = Kind(
    name="http",
    description="a request over HTTP",
    example={"method": "POST", "url": "https://deploy.example.org/restart"},
    value=_value,
    compiled=_compiled,
    happens="agent",
    executor="http",
    features=frozenset({"outputs", "secrets"}),
    drawn=_drawn,
    shows=_shows,
    unread=("cwd", "stdin", "stderr", "skip_if_exists", "run_as", "umask", "nice", "limits"),
    instead={"stdin": "give http: {body: …}", "skip_if_exists": "ask with another task, and a condition"},
    other_words=("rest", "url", "webhook_call", "curl", "http_request", "simple_http_operator"),
)
