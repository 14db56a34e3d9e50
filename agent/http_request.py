"""`python -m agent.http_request`: the process of an `http` task. It asks once, and its end says what came.

Standard input says what to ask, as JSON (`scheduler.model.request`, and `outputs`, the names of those that
the task has). The body of the answer goes to standard output as it comes, one line about it to standard
error.

Rules of this file:

1. `${NAME}` is the variable NAME of the environment: parameters, outputs of other tasks, secrets. In the URL
   it is percent-encoded, but at its very beginning, and leads no step up; in `json` it is a value of a text;
   in a header it holds no line end. `$${NAME}` is `${NAME}` itself. One that is not set is an error before
   anything is sent.
2. Nothing is sent twice: trying again is the task's `retry`, which is told by the exit code what is worth it.
3. Redirects are followed as often as the task says, never from https to http; the body and headers that the
   task gives go to the same origin alone.
4. Nothing waits for ever: a silence of the other side ends it.
5. What the other side says is told whole or not at all: half a secret is not masked.

Standard library only, and none of ours: it starts once for each attempt.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import re
import socket
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import IO, Any

AGAIN, BROKEN, CONNECT, LATE, NAME, TLS, UNEXPECTED, WRONG = 75, 56, 7, 28, 6, 35, 22, 2
"""Exit codes: where curl has one it is that, 75 is EX_TEMPFAIL (sysexits.h)."""
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
ANSWER_BYTES_MAX = 1 << 20  #: of one whose fields are outputs
_INTERIM_MAX = 100  #: answers before the answer
_SAID_LETTERS_MAX = 500
_CHUNK_BYTES = 64 << 10
_VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SAFE = "/%:@!$&'()*+,;=~?-._"  #: as it stands in a path or a query
_KEPT = frozenset({"accept", "accept-language", "content-type", "user-agent"})  #: headers, at another origin
_DEFAULTS = {"User-Agent": "cronclave", "Accept-Encoding": "identity"}


class _Out:
    """Standard output, and whether what comes next stands at the beginning of a line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.is_at_start = file, True

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        self.is_at_start = data.endswith(b"\n")


class End(Exception):
    """The exit code, and why, for people."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


class _Lines:
    """Of a connection: each line has its end. `http.client` takes a head that breaks off for a whole one."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._file.readline(limit)
        if not line.endswith(b"\n") and (limit < 0 or len(line) < limit):
            raise http.client.IncompleteRead(line)
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Answer(http.client.HTTPResponse):
    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fp = _Lines(self.fp)  # type: ignore[assignment]  # all that is asked of it

    def _read_status(self) -> tuple[str, int, str]:
        """`http.client` knows 100 alone of those that come before the answer (103: early hints)."""
        for _ in range(_INTERIM_MAX):
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in typeshed
            if not 101 < line[1] < 200:
                return line
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"{_INTERIM_MAX} answers before the answer")


class _Plain(http.client.HTTPConnection):
    response_class = _Answer


class _Secure(http.client.HTTPSConnection):
    response_class = _Answer


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_Plain, request)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_Secure, request, context=ssl.create_default_context())


class _Untouched(urllib.request.HTTPErrorProcessor):
    """Every answer is one: this program judges them."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


def filled(text: str, values: Mapping[str, str], where: str, encode: Callable[[str], str] = str) -> str:
    """`text` with its variables. Raises End for one that is not set."""

    def value(found: re.Match[str]) -> str:
        escaped, name = found.groups()
        if escaped:
            return found[0][1:]
        if name not in values:
            raise End(WRONG, f"{where}: there is no variable {name}")
        return values[name] if found.start() == 0 else encode(values[name])

    return _VARIABLE.sub(value, text)


def request_of(asked: Mapping[str, Any], values: Mapping[str, str]) -> urllib.request.Request:
    """What to send, with its variables. Raises End."""
    url = filled(asked["url"], values, "url", lambda value: urllib.parse.quote(value, safe=""))
    try:
        parts = urllib.parse.urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets, of a port
        is_address = False
    if not is_address:
        raise End(WRONG, f"url: {url[:200]!r} is no address of http or https")
    if "@" in parts.netloc:
        raise End(WRONG, "url: a user or password in an address is not sent: give it in a header")
    if _steps(parts.path) > _steps(asked["url"].partition("?")[0].partition("#")[0]):
        raise End(WRONG, "url: with its variables the path has a step '.' or '..', which leads elsewhere")
    body, kind = _body_of(asked, values)
    headers = {**_DEFAULTS, **kind}
    for name, text in asked["headers"].items():
        value = filled(text, values, f"headers: {name}")
        if not value.isprintable():
            raise End(WRONG, f"headers: {name} would hold a line end or another character that none may")
        headers = {other: said for other, said in headers.items() if other.lower() != name.lower()}
        headers[name] = value
    return urllib.request.Request(_ascii(url), body, headers, method=asked["method"])


def _body_of(asked: Mapping[str, Any], values: Mapping[str, str]) -> tuple[bytes | None, dict[str, str]]:
    """With the header that tells its kind, where the task names none."""
    if "json" in asked:
        text = json.dumps(_deeply(asked["json"], values), ensure_ascii=False)
        return text.encode("utf-8", "replace"), {"Content-Type": "application/json"}
    if "body" in asked:
        text = filled(asked["body"], values, "body")
        return text.encode("utf-8", "surrogateescape"), {"Content-Type": "text/plain; charset=utf-8"}
    return None, {}


def _steps(path: str) -> int:
    """Parts of it that stand for another folder."""
    return sum(part in (".", "..") for part in path.split("/"))


def _deeply(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return filled(value, values, "json")
    if isinstance(value, list):
        return [_deeply(each, values) for each in value]
    if isinstance(value, dict):
        return {name: _deeply(each, values) for name, each in value.items()}
    return value


def _ascii(url: str) -> str:
    """Letters beyond ASCII as a browser sends them; what is encoded already stays."""
    parts = urllib.parse.urlsplit(url)
    try:
        host = parts.netloc.encode("idna").decode() if not parts.netloc.isascii() else parts.netloc
    except UnicodeError:
        raise End(NAME, f"url: {parts.netloc[:200]!r} is no name of a host") from None
    path, query = (urllib.parse.quote(part, safe=_SAFE) for part in (parts.path, parts.query))
    return urllib.parse.urlunsplit((parts.scheme, host, path, query, ""))


def answer_of(request: urllib.request.Request, *, redirects: int, silence_s: float) -> Any:
    """The answer, behind so many redirects at most. Raises End."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), _Http(), _Https(), _Untouched()):
        opener.add_handler(handler)
    for left in range(redirects, -1, -1):
        answer = opener.open(request, timeout=silence_s)
        target = answer.headers.get("Location")
        if answer.status not in (301, 302, 303, 307, 308) or not target or not left:
            return answer
        answer.close()
        request = _redirected(request, answer.status, target)
    raise AssertionError("the last one is returned")


def _redirected(request: urllib.request.Request, status: int, target: str) -> urllib.request.Request:
    target = target.encode("latin-1", "replace").decode("utf-8", "replace")  # headers come as latin-1
    url = _ascii(urllib.parse.urljoin(request.full_url, target))
    old, new = urllib.parse.urlsplit(request.full_url), urllib.parse.urlsplit(url)
    if new.scheme not in ("http", "https") or (old.scheme, new.scheme) == ("https", "http"):
        said = f"redirected from {old.scheme} to {new.scheme or 'nowhere'}, which is not followed"
        raise End(UNEXPECTED, said)
    headers = dict(request.header_items())
    method, body = request.get_method(), request.data
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        if body is not None:
            raise End(UNEXPECTED, f"redirected to {_told(new.netloc)}, which the body is not for")
        headers = {name: value for name, value in headers.items() if name.lower() in _KEPT}
    headers.pop("Host", None)
    return urllib.request.Request(url, body, headers, method=method)


def is_expected(status: int, expected: list[str]) -> bool:
    """`expected`: such as 2xx, 404, 200-204."""
    for each in expected:
        first, dash, last = each.replace("x", "0").partition("-")
        if int(first) <= status <= int(last if dash else each.replace("x", "9")):
            return True
    return False


def copy(answer: Any, out: _Out, keep: int) -> tuple[int, bytes]:
    """How many bytes it has, and the first of them."""
    size, kept = 0, bytearray()
    while chunk := answer.read1(_CHUNK_BYTES):
        out.write(chunk)
        size += len(chunk)
        kept += chunk[: max(0, keep - len(kept))]
    if answer.length:  # of what it said that there would be
        raise http.client.IncompleteRead(b"", answer.length)
    return size, bytes(kept)


def outputs_of(status: int, body: bytes, names: list[str]) -> dict[str, Any]:
    """Of an answer that is a JSON object the fields of these names; `status` is its own where it has none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    fields = found if isinstance(found, dict) else {}
    plain = {name: fields[name] for name in names if _is_plain(fields.get(name))}
    return {"status": status, **plain} if "status" in names else plain


def _is_plain(value: object) -> bool:
    """Python reads NaN and Infinity, which are no JSON, as numbers."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | bool | int)


def run(asked: Mapping[str, Any], values: Mapping[str, str], out: _Out) -> tuple[int, str]:
    """The exit code, and what to say. Raises End."""
    request = request_of(asked, values)
    try:
        with answer_of(request, redirects=asked["redirects"], silence_s=asked["silence_ms"] / 1e3) as answer:
            names = asked["outputs"]
            size, kept = copy(answer, out, ANSWER_BYTES_MAX if names else 0)
    except urllib.error.URLError as error:
        raise _end_of(error.reason if isinstance(error.reason, Exception) else error) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _end_of(error) from error
    said = f"{answer.status} {_told(answer.reason)}, {size} bytes"
    if target := answer.headers.get("Location"):
        said += f", redirected to {_told(target)}"
    if not is_expected(answer.status, asked["expect"]):
        code = AGAIN if answer.status in TRY_AGAIN else UNEXPECTED
        return code, f"{said}: not {', '.join(asked['expect'])}"
    if names and (path := values.get("CRONCLAVE_OUTPUT")):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(outputs_of(answer.status, kept, names), file)
    return 0, said


def _told(text: str) -> str:
    return text if len(text) <= _SAID_LETTERS_MAX else f"({len(text)} letters)"


def _end_of(error: Exception) -> End:
    if isinstance(error, TimeoutError):
        return End(LATE, "nothing came for too long")
    if isinstance(error, socket.gaierror):
        return End(NAME, f"no such host: {error.strerror}")
    if isinstance(error, ssl.SSLError):
        return End(TLS, f"TLS: {getattr(error, 'verify_message', '') or error.reason or error}")
    if isinstance(error, http.client.InvalidURL):
        return End(WRONG, f"no such address: {_told(str(error))}")
    if isinstance(error, http.client.HTTPException | ConnectionResetError | BrokenPipeError):
        return End(BROKEN, f"the answer broke off: {type(error).__name__} {_told(str(error))}".rstrip())
    if isinstance(error, OSError):
        return End(CONNECT, f"no connection: {error.strerror or error}")
    return End(WRONG, str(error))


def main() -> int:
    asked, out = json.load(sys.stdin), _Out(sys.stdout.buffer)
    try:
        code, said = run(asked, os.environ, out)
    except End as end:
        code, said = end.code, str(end)
    start = "" if out.is_at_start else "\n"
    print(f"{start}{asked['method']} {asked['url']}: {said}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
