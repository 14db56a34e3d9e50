"""Every error of the API as RFC 9457 problem+json.

Rules: `type` is stable and one of `KINDS`; `detail` says what is wrong with this request; `hint` says what
to do; a bad field is named by a JSON pointer in `errors`. No reply of ours is an error in any other shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
_PLACE = re.compile(r":([0-9]+):([0-9]+)$")


@dataclass(frozen=True, slots=True)
class Kind:
    status: int
    title: str
    hint: str = ""


KINDS: dict[str, Kind] = {
    "validation": Kind(422, "The request is not valid"),
    "not-json": Kind(400, "The body is not valid JSON"),
    "not-yaml": Kind(400, "The body is not valid YAML"),
    "empty-body": Kind(400, "The body is empty", "Send a JSON object."),
    "unsupported-media-type": Kind(415, "The body's content type is not known", "Send application/json."),
    "too-large": Kind(
        413, "The request is too large", "Send less at once: fewer jobs, shorter scripts or parameters."
    ),
    "too-slow": Kind(408, "The request came too slowly", "Send it again, all of it."),
    "head-too-large": Kind(431, "The request's headers are too large", "Send fewer or shorter headers."),
    "unauthorized": Kind(
        401, "A token is needed", "Send 'Authorization: Bearer TOKEN'; the token is made by the cluster."
    ),
    "not-signed": Kind(
        401,
        "The delivery is not signed",
        "Look at the hook's scheme, the secret on both sides, and both clocks; the node's log says more.",
    ),
    "forbidden": Kind(403, "This token may not do that"),
    "csrf": Kind(
        403, "The CSRF token is missing or wrong", "Send X-CSRF-Token as given by POST /v1/session."
    ),
    "not-found": Kind(404, "There is no such thing"),
    "method-not-allowed": Kind(405, "This path does not take that method"),
    "gone": Kind(
        410,
        "It belongs to the cluster as it was before a restore",
        "Nobody waits for this word any more; whether its work ran twice is for a person to look at.",
    ),
    "exists": Kind(409, "The name is taken"),
    "owned": Kind(409, "It comes from a source", "Edit it there."),
    "conflict": Kind(409, "The state does not allow that"),
    "revision-mismatch": Kind(
        412, "It has changed since it was read", "Read it again, then send If-Match with its ETag."
    ),
    "idempotency-key-reused": Kind(
        422, "The Idempotency-Key was used for another request", "Use a new key for a new request."
    ),
    "no-signer": Kind(409, "This node signs no certificates", "Ask a node that has tls.ca_key."),
    "not-available": Kind(422, "Not available in this version"),
    "too-many-failures": Kind(
        429,
        "Too many wrong tokens or signatures came from this address",
        "What is right is taken all the same; look for a client with an old token or secret.",
    ),
    "told-too-often": Kind(
        429,
        "Progress is told too often",
        "No harm is done: tell how far it is after Retry-After seconds, as it is by then.",
    ),
    "too-many-requests": Kind(429, "Too many requests wait already", "Try again after Retry-After seconds."),
    "overloaded": Kind(503, "The node has too much to do", "Try again after Retry-After seconds."),
    "no-leader": Kind(
        503,
        "No leader or no quorum",
        "Reads: add ?consistency=stale for what this node knows. Writes: try again, with an Idempotency-Key.",
    ),
    "founding": Kind(
        503,
        "The cluster is being founded",
        "Try again. If it stays so, no node has auth.bootstrap_token_sha256 set.",
    ),
    "behind": Kind(503, "This node has not seen that index yet", "Try again, or ask another node."),
    "unavailable": Kind(503, "The node takes no writes for now", "Ask another node."),
    "storage-low": Kind(507, "The cluster is short of disk", "Free disk space on the nodes."),
    "query-too-long": Kind(
        503, "The query took too long", "Narrow it: fewer filters by text, a shorter range."
    ),
    "unreadable-schedule": Kind(
        503,
        "This node cannot read a schedule",
        "Its time zone data may be older than another node's: ask another, or bring this one up to date.",
    ),
    "damaged": Kind(
        503, "This node's state is damaged", "Ask another node. This one takes another's state, or ends."
    ),
    "internal": Kind(500, "An error of the server", "The node's log says more."),
    "http": Kind(400, "The request was not understood"),
}


@dataclass(frozen=True, slots=True)
class FieldError:
    pointer: str  #: JSON pointer into the body, or `?name` for a query parameter
    detail: str
    hint: str = ""
    line: int | None = None  #: of a body in YAML, from 1
    column: int | None = None

    def document(self) -> dict[str, object]:
        optional = {"hint": self.hint or None, "line": self.line, "column": self.column}
        told = {name: value for name, value in optional.items() if value is not None}
        return {"pointer": self.pointer, "detail": self.detail, **told}


class Problem(Exception):
    """Leaves a route and becomes the reply."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        hint: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.hint = hint or KINDS[kind].hint
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.status = status or KINDS[kind].status
        self.extra = dict(extra or {})

    def body(self) -> bytes:
        document: dict[str, object] = {
            "type": f"/problems/{self.kind}",
            "title": KINDS[self.kind].title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.hint:
            document["hint"] = self.hint
        if self.errors:
            document["errors"] = [error.document() for error in self.errors]
        document.update(self.extra)
        return json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace")

    def response(self) -> Response:
        return Response(self.body(), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def query_problem(name: str, detail: str, hint: str = "") -> Problem:
    """A query parameter that is not valid."""
    return Problem(
        "validation",
        f"query parameter {name!r}: {detail}",
        hint=hint,
        errors=[FieldError(f"?{name}", detail)],
    )


def _field_error(problem: object) -> FieldError:
    pointer, detail, hint, where = (
        str(getattr(problem, name, "") or "") for name in ("pointer", "detail", "hint", "where")
    )
    place = _PLACE.search(where)
    line, column = (None, None) if place is None else (int(place[1]), int(place[2]))
    return FieldError(pointer, detail or str(problem), hint, line, column)


def from_job_problems(problems: Iterable[object], *, what: str = "the job") -> Problem:
    """The problems of `scheduler.model.JobError` (pointer, detail, hint) as one reply."""
    errors = [_field_error(problem) for problem in problems]
    if not errors:
        return Problem("validation", f"{what} is not valid")
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    where = f"{first.pointer}: " if first.pointer else ""
    return Problem("validation", f"{where}{first.detail}{more}", hint=first.hint, errors=errors)
