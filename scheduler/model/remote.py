"""What a task of kind `ssh` does: `ssh: {host: db1.example.org, run: ./vacuum.sh}`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from scheduler.model.fields import VARIABLE_PATTERN, Model, check_variable
from scheduler.model.problems import Refused, shortened
from scheduler.model.request import VARIABLE, with_variables
from scheduler.model.texts import SCRIPT_CHARACTERS_MAX, no_nul, not_blank
from scheduler.model.work.run import check_script

PORT = 22
KNOWN_HOSTS_LETTERS_MAX = 64 << 10
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,32})?")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_KEY_LINE = re.compile(r"(@(cert-authority|revoked)\s+)?\S+\s+(ssh-|ecdsa-|sk-|x509v3-|rsa-)\S+\s+\S{16,}.*")
_NAME_HINT = "its name or address alone; user and port have fields of their own"


def _host(value: str) -> str:
    with_variables(value)
    if not VARIABLE.search(value) and not _HOST.fullmatch(value):
        raise Refused(f"{shortened(value)} names no host", _NAME_HINT)
    return value


def _user(value: str) -> str:
    with_variables(value)
    if _BLANK.search(value) or "@" in value.rstrip("@"):
        raise Refused(f"{shortened(value)} is no user", "the name alone, such as batch")
    return value


def _known_hosts(value: str) -> str:
    for number, line in enumerate(no_nul(value).splitlines(), 1):
        if line.strip() and not line.startswith("#") and not _KEY_LINE.fullmatch(line.strip()):
            hint = "lines as `ssh-keyscan HOST` prints them: HOST ssh-ed25519 AAAA…"
            raise Refused(f"line {number} of known_hosts holds no key of a host", hint)
    return not_blank(value)


Variable = Annotated[
    str, AfterValidator(check_variable), Field(json_schema_extra={"pattern": VARIABLE_PATTERN})
]


class Remote(Model):
    host: Annotated[
        str,
        AfterValidator(_host),
        Field(min_length=1, max_length=300, description="name or address; ${NAME} is a variable of the task"),
    ]
    run: Annotated[
        str,
        AfterValidator(check_script),
        Field(min_length=1, max_length=SCRIPT_CHARACTERS_MAX, description="for the shell over there"),
    ]
    user: Annotated[
        Annotated[str, AfterValidator(_user)] | None,
        Field(
            min_length=1, max_length=300,
            description="over there; else what ~/.ssh/config says, else that of the process here",
        ),
    ] = None
    port: Annotated[int, Field(ge=1, le=65_535)] = PORT
    shell: Annotated[
        Literal["sh", "powershell"], Field(description="powershell: a host with Windows")
    ] = "sh"
    key: Annotated[
        Variable | None,
        Field(description="a secret's variable, with the private key or the path of its file"),
    ] = None
    passphrase: Annotated[
        Variable | None, Field(description="a secret's variable, with that of the key")
    ] = None
    password: Annotated[
        Variable | None, Field(description="a secret's variable, with the user's password")
    ] = None
    known_hosts: Annotated[
        Annotated[str, AfterValidator(_known_hosts)] | None,
        Field(
            max_length=KNOWN_HOSTS_LETTERS_MAX,
            description="lines with keys of hosts; else ~/.ssh/known_hosts of the user of the process here",
        ),
    ] = None

    @model_validator(mode="after")
    def _of_a_key(self) -> Remote:
        if self.passphrase is not None and self.key is None:
            raise Refused("passphrase is of a key, and there is none", "add key, or remove it")
        return self


def _short(value: Remote) -> dict[str, Any]:
    """Equal jobs have one text."""
    return value.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


Ssh = Annotated[Remote, PlainSerializer(_short), WithJsonSchema(Remote.model_json_schema())]
