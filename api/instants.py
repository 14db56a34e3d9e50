"""Instants and spans of time at the API's edge: RFC 3339 in UTC with `Z`, milliseconds where they are not
zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from api.problems import FieldError, Problem, query_problem

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = "[0-9]{1,9}"
_SPAN = re.compile(
    rf"(?:({_NUMBER})h)?(?:({_NUMBER})m(?!s))?(?:({_NUMBER}(?:\.{_NUMBER})?)s)?(?:({_NUMBER})ms)?"
)
WAIT_MAX_S = 300.0
SPAN_LETTERS_MAX = 40
INSTANT_MS_MAX = 253_370_764_800_000  #: the year 9999 begins
WRITTEN_MS_MAX = INSTANT_MS_MAX + 365 * 86_400_000 - 1  #: it ends


@lru_cache(maxsize=8_192)
def _written(seconds: int) -> str:
    """What a page shows is shown again a second later, to others too."""
    return (_EPOCH + timedelta(0, seconds)).isoformat()


def rfc3339(ms: int | None) -> str | None:
    """`2026-01-02T03:04:05Z`, or with `.678` where the milliseconds are not zero; None stays None. What lies
    behind the last instant that can be written (a jitter of years behind one of 9998) is written as that."""
    if ms is None:
        return None
    ms = min(ms, WRITTEN_MS_MAX)
    seconds, rest = divmod(ms, 1000)
    text = _written(seconds)
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def written(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the state as they are told outside: `tick_ms` is `tick`, an instant."""
    return {
        name.removesuffix("_ms"): rfc3339(value) if name.endswith("_ms") else value
        for name, value in facts.items()
    }


def parse_instant(
    name: str, text: str, problem: Callable[[str, str, str], Problem] = query_problem
) -> int:
    """UTC milliseconds of an RFC 3339 instant in query parameter `name`; a zone is needed. `problem`: what is
    said of one elsewhere, of its name, a detail and a hint."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise problem(
            name, f"{text[:64]!r} is not an RFC 3339 instant", "Write it as 2026-01-31T23:00:00Z."
        ) from None
    if moment.tzinfo is None:
        raise problem(
            name, f"{text[:64]!r} has no zone", "End it with Z for UTC, or an offset as +02:00."
        )
    instant_ms = (moment - _EPOCH_UTC) // timedelta(milliseconds=1)
    if not 0 <= instant_ms < INSTANT_MS_MAX:  # what lies a day apart can be written too, then
        raise problem(name, f"{text[:64]!r} does not lie between the years 1970 and 9998", "")
    return instant_ms


def end_ms(document: Mapping[str, Any], now_ms: int, hint: str) -> int | None:
    """The end that a body gives as `until`; None: none. Raises Problem for what is no instant to come."""
    until = document.get("until")
    if until is None:
        return None
    detail = "an RFC 3339 instant with a zone is needed, such as 2026-01-31T23:00:00Z"
    try:
        until_ms = parse_instant("until", until) if isinstance(until, str) else -1
    except Problem:
        until_ms = -1
    if until_ms > now_ms:
        return until_ms
    if until_ms >= 0:
        detail = "it is over already: it would end before it begins"
    raise Problem("validation", f"/until: {detail}", hint=hint, errors=[FieldError("/until", detail)])


def parse_wait_s(name: str, text: str) -> float:
    """Seconds of a span such as `30s`, `1m`, `500ms` or plain seconds; at most WAIT_MAX_S."""
    match = _SPAN.fullmatch(text) if len(text) <= SPAN_LETTERS_MAX else None
    if text.isascii() and text.isdigit() and len(text) < 10:
        seconds = float(text)
    elif match and any(match.groups()):
        hours, minutes, whole, millis = match.groups()
        seconds = (
            int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(whole or 0) + int(millis or 0) / 1000
        )
    else:
        raise query_problem(name, f"{text[:64]!r} is not a duration", "Write it as 30s, 500ms or 1m.")
    if seconds > WAIT_MAX_S:
        raise query_problem(
            name, f"{text[:64]} is longer than {WAIT_MAX_S:.0f}s", "Ask again when it is over."
        )
    return seconds
