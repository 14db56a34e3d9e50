"""What a task of kind `http` asks: `http: https://…`, or `{method: POST, url: …, json: {…}}`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from scheduler.model.fields import DurationMs, Model
from scheduler.model.problems import Refused, shortened
from scheduler.model.texts import no_nul, plain_json

URL_LETTERS_MAX = 4_096
BODY_BYTES_MAX = 64 << 10
HEADERS_MAX = 50
EXPECTED_MAX = 20
REDIRECTS_MAX = 10
SILENCE_MS = 60_000
EXPECTED = ("2xx",)
EXPECT_PATTERN = r"^([1-5]xx|[1-5][0-9]{2}(-[1-5][0-9]{2})?)$"
_EXPECT = re.compile(EXPECT_PATTERN[1:-1])
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::([0-9]{0,5}))?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, 5.6.2: a token
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "host", "accept-encoding", "expect"})
VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""As `agent.http_request` has it, which fills them in."""


def variables_of(text: str) -> set[str]:
    return {name for escaped, name in VARIABLE.findall(text) if not escaped}


def with_variables(value: str) -> str:
    """Whether each `${` is a variable's."""
    at = VARIABLE.sub(lambda found: "x" * len(found[0]), value).find("${")
    if at >= 0:
        said = f"{shortened(value[at:], 20)} at character {at + 1} names no variable"
        raise Refused(said, "write ${NAME}, and $${NAME} for these very characters")
    return no_nul(value)


def _address(value: str) -> str:
    if any(letter <= " " or letter == "\x7f" for letter in value):
        raise Refused("an address has no blanks", "write %20, or a variable: ${NAME}")
    if not value.startswith(("http://", "https://", "${")):
        hint = "https://…, or ${NAME} of a variable that begins so"
        raise Refused(f"{shortened(value)} is no address of http or https", hint)
    if "@" in _host(value):
        raise Refused(
            "a user or password in an address is written into logs",
            "give it in a header: {Authorization: 'Basic ${SECRET}'}",
        )
    if not value.startswith("${") and not VARIABLE.search(_host(value)) and not _is_host(_host(value)):
        raise Refused(f"{shortened(value)} names no host, or no port", "such as https://deploy.example.org:8443/")
    return value


def _host(address: str) -> str:
    """With its port."""
    return re.split(r"[/?#]", address.partition("://")[2], maxsplit=1)[0]


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and (not found[1] or 0 < int(found[1]) < 1 << 16)


def _headers(value: dict[str, str]) -> dict[str, str]:
    seen: set[str] = set()
    for name, text in value.items():
        if not _HEADER.fullmatch(name):
            raise Refused(f"{shortened(name)} is no name of a header", "such as Authorization")
        if name.lower() in _OURS:
            raise Refused(f"the header {name} is the program's own", "remove it")
        if name.lower() in seen:
            raise Refused(f"the header {name} is there twice", "remove one of the two")
        seen.add(name.lower())
        if not text.isprintable():
            raise Refused(f"the header {name} holds a line end or another character that none may")
        with_variables(text)
    return value


def _expected(value: Any) -> Any:
    given = value if isinstance(value, list | tuple) else [value]
    return tuple(str(each) if type(each) is int else each for each in given)


def _status(value: str) -> str:
    first, dash, last = value.partition("-")
    if not _EXPECT.fullmatch(value) or (dash and last < first):
        raise Refused(f"{shortened(value)} is no status", 'write 2xx, 404 or "200-204", or a list of such')
    return value


Status = Annotated[str, AfterValidator(_status), Field(json_schema_extra={"pattern": EXPECT_PATTERN})]


def _in_json(value: Any) -> Any:
    for text in _texts(value):
        with_variables(text)
    return value


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inside for text in _texts(each)]


class Request(Model):
    url: Annotated[
        str,
        AfterValidator(_address),
        AfterValidator(with_variables),
        Field(
            max_length=URL_LETTERS_MAX,
            description="where to; ${NAME} is a variable of the task, percent-encoded but at the beginning",
        ),
    ]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: Annotated[
        dict[str, str],
        AfterValidator(_headers),
        Field(max_length=HEADERS_MAX, description="beside the usual ones; with variables, secrets too"),
    ] = Field(default_factory=dict)
    body: Annotated[
        Annotated[str, AfterValidator(with_variables)] | None,
        Field(max_length=BODY_BYTES_MAX, description="text to send, with variables"),
    ] = None
    json_: Annotated[
        Any,
        AfterValidator(plain_json),
        AfterValidator(_in_json),
        Field(alias="json", description="sent as JSON in place of `body`; variables in its texts"),
    ] = None
    expect: Annotated[
        tuple[Status, ...],
        BeforeValidator(_expected),
        Field(min_length=1, max_length=EXPECTED_MAX, description="status of an answer that is a success"),
    ] = EXPECTED
    redirects: Annotated[
        int, Field(ge=0, le=REDIRECTS_MAX, description="followed at most; none to http from https")
    ] = 0
    silence_ms: Annotated[
        DurationMs, Field(alias="silence", description="of the other side, after which it is given up")
    ] = SILENCE_MS

    @model_validator(mode="after")
    def _one_body(self) -> Request:
        if self.body is not None and self.json_ is not None:
            raise Refused("body and json exclude each other", "remove one of the two")
        if self.method in ("GET", "HEAD", "OPTIONS") and (self.body is not None or self.json_ is not None):
            raise Refused(f"{self.method} sends no body", "add method: POST, or remove it")
        return self

    @property
    def in_address(self) -> set[str]:
        """The variables that its address shows to whoever logs it."""
        return variables_of(self.url)


def _written_out(value: Any) -> Any:
    """An address alone."""
    return {"url": value} if isinstance(value, str) else value


def _short(value: Request) -> str | dict[str, Any]:
    """Equal jobs have one text."""
    given = value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return value.url if given.keys() == {"url"} else given


Http = Annotated[
    Request,
    BeforeValidator(_written_out),
    PlainSerializer(_short),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": URL_LETTERS_MAX},
                Request.model_json_schema(),
            ]
        }
    ),
]
