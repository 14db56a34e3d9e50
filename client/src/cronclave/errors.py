"""What may go wrong, as exceptions: what, where, and what to do, as the cluster put it.

CronclaveError
    UnreachableError     no node answered within the patience of the client
    VersionError         who answered is no node, or none that this client can talk to
    ProblemError         a node refused; its problem's fields
        InvalidError     the request is wrong; `errors` name the fields
        DeniedError      no token, a wrong one, or one that may not do this
        NotFoundError    there is no such job, run, board…
        ConflictError    the state does not allow it
        NoLeaderError    there was no leader, or no room, for longer than the client's patience
    RunFailedError       the run that was waited for did not succeed; `run`
    WaitTimeoutError     it has not ended yet; `run`. Also a TimeoutError
    StaleFenceError      somebody with a newer grant was here: stop
    DefinitionError      a job that was written in Python cannot be one
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cronclave.records import Run


class CronclaveError(Exception):
    """Every expected failure of this package. `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UnreachableError(CronclaveError):
    """No node answered. `tried`: each node and what became of it. `key`: the idempotency key of what was
    asked: whether it was done is unknown, and the same request with this key does it once."""

    def __init__(self, message: str, *, tried: Mapping[str, str], key: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.tried = dict(tried)
        self.key = key

    def __str__(self) -> str:
        tried = "".join(f"; {url}: {why}" for url, why in self.tried.items())
        return f"{self.message}{tried}" + (f" ({self.hint})" if self.hint else "")


class VersionError(CronclaveError):
    """Who answered is no Cronclave node, or one of a version that this client cannot talk to."""


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field. `pointer`: a JSON pointer into what was sent, or `?name` of the query."""

    pointer: str
    detail: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or 'the whole'}: {self.detail}" + (f" ({self.hint})" if self.hint else "")


class ProblemError(CronclaveError):
    """A node refused: the fields of its RFC 9457 problem. `kind` is stable: the last part of its `type`."""

    def __init__(self, problem: Mapping[str, Any], status: int) -> None:
        self.status = status
        self.kind = str(problem.get("type", "")).rpartition("/")[2]
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail") or self.title)
        self.errors = tuple(
            FieldFault(str(each.get("pointer", "")), str(each.get("detail", "")), str(each.get("hint") or ""))
            for each in problem.get("errors") or ()
            if isinstance(each, Mapping)
        )
        self.problem = dict(problem)
        super().__init__(self.detail, hint=str(problem.get("hint") or ""))

    def __str__(self) -> str:
        if not self.errors:
            return super().__str__()
        return f"{self.title}: " + "; ".join(map(str, self.errors))


class InvalidError(ProblemError):
    pass


class DeniedError(ProblemError):
    pass


class NotFoundError(ProblemError):
    pass


class ConflictError(ProblemError):
    pass


class NoLeaderError(ProblemError):
    pass


_OF_STATUS: dict[int, type[ProblemError]] = {
    400: InvalidError,
    401: DeniedError,
    403: DeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: ConflictError,
    412: ConflictError,
    413: InvalidError,
    422: InvalidError,
    429: NoLeaderError,
    503: NoLeaderError,
}


def problem_error(problem: Mapping[str, Any], status: int) -> ProblemError:
    """The exception of this problem."""
    return _OF_STATUS.get(status, ProblemError)(problem, status)


class RunFailedError(CronclaveError):
    """The run ended, and did not succeed."""

    def __init__(self, run: Run) -> None:
        why = f" ({run.reason})" if run.reason and run.reason != run.state else ""
        super().__init__(
            f"run {run.id} of {run.namespace}/{run.job} {run.state}{why}",
            hint=f"cronclave run logs {run.id}",
        )
        self.run = run


class WaitTimeoutError(CronclaveError, TimeoutError):
    """The run goes on; the time to wait for it is over."""

    def __init__(self, run: Run) -> None:
        super().__init__(
            f"run {run.id} of {run.namespace}/{run.job} has not ended in that time: it is {run.state}",
            hint=f"cronclave run explain {run.id}",
        )
        self.run = run


class StaleFenceError(CronclaveError):
    """Somebody with a newer grant has used the resource: whoever holds this fence must stop."""

    def __init__(self, resource: str, fence: int, newest: int) -> None:
        super().__init__(
            f"{resource} was used under fence {newest}, which is newer than {fence}",
            hint="This attempt was given up, and another has taken its place: end, and touch nothing.",
        )
        self.resource = resource
        self.fence = fence
        self.newest = newest


class DefinitionError(CronclaveError):
    """A job in Python that cannot be one."""
