"""One request as the routes see it: who asks, the query, the body (read and measured already) and the
reply's index.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from api.access import Principal, Reach, require
from api.callbacks import Callback
from api.known_defaults import KnownDefaults
from api.ports import ApiSettings, Scheduler
from api.problems import FieldError, Problem, query_problem
from api.turns import Turns
from scheduler.machine.rules import templates
from scheduler.model.bounds import half_pair
from scheduler.model.given import Given
from scheduler.words.commands import Actor

SCOPE_KEY = "cronclave.call"
KEY_LETTERS_MAX = 255
_ANONYMOUS = Principal("", "", "")
T = TypeVar("T")
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(slots=True)
class Call:
    scheduler: Scheduler
    settings: ApiSettings
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    principal: Principal = _ANONYMOUS
    callback: Callback | None = None  #: of an attempt that speaks for itself, in place of a principal
    client: str = ""  #: the address that it came from
    body: bytes = b""
    index: int | None = None  #: what the reply says in X-Cronclave-Index; None: the node's index at the reply
    is_stale: bool = False  #: what it reads may be old
    lag_ms: int | None = None  #: how old; None: nobody knows
    turns: Turns = field(default_factory=Turns)  #: the front's, for whoever is woken with many others
    known_defaults: KnownDefaults | None = None  #: the front's; None: they are read
    _defaults: dict[str, Given | None] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        """Who asks, as commands and the audit say it."""
        return Actor(self.principal.name, self.client, self.principal.by_cookie)

    def defaults(self, namespace: str) -> Given | None:
        """What the namespace gives to its jobs, the same throughout the request; None: it never gave any."""
        if namespace not in self._defaults:
            known = self.known_defaults or KnownDefaults(self.scheduler)
            self._defaults[namespace] = known.of(namespace)
        return self._defaults[namespace]

    def templates(self, namespace: str, name: str) -> dict[str, Any] | None:
        """What a template gives that jobs extend; None: there is none."""
        with self.scheduler.read() as store:
            return templates.of(store)(namespace, name)

    @property
    def namespace(self) -> str:
        return self.query.get("namespace") or "default"

    def need(self, capability: str, *, namespace: str | Reach) -> None:
        """Raises Problem forbidden. `namespace`: of the job or run that is read or changed; before it is
        known, Reach.ANY keeps out who may nowhere."""
        require(self.principal, capability, namespace)

    def need_listed(self, capability: str, namespace: str | None = None) -> tuple[str, ...] | None:
        """The namespaces that a list is of: the one that is asked for, else all in which the caller may, None
        where that is everywhere. Raises Problem forbidden."""
        asked = namespace or self.query.get("namespace")
        self.need(capability, namespace=asked or Reach.ANY)
        return (asked,) if asked else self.principal.where(capability)

    def flag(self, name: str) -> bool:
        """A Boolean query parameter; `?name` alone means true."""
        text = self.query.get(name)
        if text is None or text in ("false", "0", "no"):
            return False
        if text in ("", "true", "1", "yes"):
            return True
        raise query_problem(name, f"{text[:64]!r} is not true or false")

    def integer(self, name: str, default: int, *, least: int, most: int) -> int:
        text = self.query.get(name)
        if text is None:
            return default
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None
        if value is None or not least <= value <= most:
            raise query_problem(name, f"{text[:64]!r} is not a whole number from {least} to {most}")
        return value

    def idempotency(self) -> tuple[str, bytes]:
        """The Idempotency-Key, scoped to the caller, and the hash of the request that it stands for."""
        key = self.headers.get("idempotency-key", "")
        if not key:
            return "", b""
        if len(key) > KEY_LETTERS_MAX:
            raise Problem("validation", f"Idempotency-Key is longer than {KEY_LETTERS_MAX} letters")
        request = hashlib.sha256(f"{self.method} {self.path} {sorted(self.query.items())}\n".encode())
        request.update(self.body)
        return f"{self.principal.name}:{key}", request.digest()

    def json_object(self, *, optional: bool = False) -> dict[str, Any]:
        """The body as a JSON object; `optional`: no body is an empty one."""
        if self.body == b"{}":
            return {}
        if not self.body.strip():
            if optional:
                return {}
            raise Problem("empty-body", "a JSON object was expected and nothing came")
        document = parse_json(self.body)
        if not isinstance(document, dict):
            detail = f"a JSON object was expected, not {json_type(document)}"
            raise Problem("validation", detail, errors=[FieldError("", detail)])
        return document


def parse_json(body: bytes) -> Any:
    try:
        document = _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except json.JSONDecodeError as error:
        raise Problem(
            "not-json",
            f"line {error.lineno}, column {error.colno}: {error.msg}",
            hint="Check the body's syntax.",
        ) from None
    except UnicodeDecodeError as error:
        raise Problem("not-json", f"the body is not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise Problem("not-json", "the body is nested too deeply") from None
    except _BodyError as error:
        raise Problem("not-json", str(error)) from None
    except ValueError:  # of int()
        raise Problem("not-json", "a whole number has more than 4,300 digits") from None
    if _HALF_PAIR.search(body):  # or one half of a pair that is whole: looked at value by value
        refuse_half_pairs(document)
    return document


def refuse_half_pairs(document: object) -> None:
    """Raises Problem for a text that nothing can store or send again."""
    pointer = half_pair(document)
    if pointer is not None:
        detail = "half of a surrogate pair (such as \\ud800) is no letter"
        raise Problem(
            "validation", f"{pointer}: {detail}", hint="Send whole letters, as UTF-8 or as \\uXXXX.",
            errors=[FieldError(pointer, detail)],
        )  # fmt: skip


class _BodyError(ValueError):
    """What our own hooks of the parser refuse."""


def _refuse_constant(text: str) -> Any:
    raise _BodyError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise _BodyError(f"the number {text[:40]} is too large")
    return value


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: dict[str, Any] = {}
        for name, value in pairs:
            if name in seen:
                raise _BodyError(f"the field {name[:200]!r} is given twice")
            seen[name] = value
    return document


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_unique_pairs
)
"""One for all: to make one costs more than to read a small body."""


def json_type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a Boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def call_of(request: Request) -> Call:
    call: Call = request.scope[SCOPE_KEY]
    return call


def json_response(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    body = text.encode(errors="backslashreplace")
    return Response(body, status, headers=dict(headers or {}), media_type="application/json")
