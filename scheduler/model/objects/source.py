"""source: a folder, a git repository or a part of an object store that owns jobs and objects."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from scheduler.model.fields import DurationMs, Model, Name, Names, Reference, type_name
from scheduler.model.named import Target, resolved
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import Problem, Refused, shortened
from scheduler.model.texts import no_nul

NAMESPACES_MAX = 100
EVERY_MS, EVERY_MS_MIN = 30_000, 1_000
REF_PATTERN = r"^(refs/(heads|tags)/[^\s~^:?*\[\\]+|[0-9a-f]{40}|[0-9a-f]{64})$"
_REF = re.compile(REF_PATTERN[1:-1])
_SHARE = re.compile(r"(100|[1-9]?[0-9])%")
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/.*)?")
SHARE_PATTERN = "^(100|[1-9]?[0-9])%$"
CREDENTIALS = ("username", "password", "ssh_key", "known_hosts", "access_key_id", "secret_access_key")
"""Fields of places that name secrets."""
_URL = re.compile(r"(https://[^/@\s]+|ssh://([^/@:\s]+@)?[^/@\s]+|file://)/\S*")
_WITH_CREDENTIALS = re.compile("(https|file)://[^/]*@|ssh://[^/@]*:[^/]*@")


def _folder(value: Any) -> Any:
    if not isinstance(value, str):
        raise Refused(f"a folder is named by a text, not {type_name(value)}", "such as /srv/cronclave/jobs")
    no_nul(value)
    if not value.startswith("/"):
        raise Refused(f"{shortened(value)} is no absolute path", "such as /srv/cronclave/jobs")
    return value


def _below(value: Any) -> Any:
    """A folder within the repository."""
    if not isinstance(value, str):
        raise Refused(f"a path is text, not {type_name(value)}", "such as jobs/prd")
    no_nul(value)
    parts = value.strip("/").split("/")
    if value.startswith("/") or any(part in ("", ".", "..") for part in parts if value):
        raise Refused(f"{shortened(value)} is no folder of the repository", "such as jobs/prd")
    return value.rstrip("/")


def _prune(value: Any) -> Any:
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100_000:
        return str(value)
    raise Refused(f"{shortened(value)} is no share and no number", "such as 10% of what it owns, or 20")


def _git_url(value: Any) -> Any:
    if not isinstance(value, str):
        raise Refused(f"an address is text, not {type_name(value)}", "such as https://git.example.org/jobs.git")
    no_nul(value)
    if _URL.fullmatch(value) is None:
        if _WITH_CREDENTIALS.match(value):
            raise Refused("an address holds no credentials", "name secrets: `username` and `password`")
        hint = "such as https://git.example.org/jobs.git, ssh://git@git.example.org/jobs.git, file:///srv/jobs.git"
        raise Refused(f"{shortened(value)} is no address of a repository", hint)
    return value


class Git(Model):
    """A repository, read at a ref."""

    url: Annotated[
        str, BeforeValidator(_git_url), WithJsonSchema({"type": "string", "pattern": "^(https|ssh|file)://"}),
        Field(max_length=2_000, description="https, ssh or file; without credentials"),
    ]  # fmt: skip
    ref: Annotated[
        str,
        Field(max_length=250, description="a full name, refs/heads/NAME or refs/tags/NAME, or a commit's id"),
    ] = "refs/heads/main"
    path: Annotated[
        str, BeforeValidator(_below), WithJsonSchema({"type": "string"}),
        Field(max_length=1_000, description="the folder within it; empty: all of it"),
    ] = ""  # fmt: skip
    username: Annotated[Reference | None, Field(description="a secret, for https")] = None
    password: Annotated[Reference | None, Field(description="a secret, a token as well, for https")] = None
    ssh_key: Annotated[Reference | None, Field(description="a secret: the private key, for ssh")] = None
    known_hosts: Annotated[
        Reference | None, Field(description="a secret: lines of known_hosts; without it the node's own")
    ] = None

    @field_validator("ref")
    @classmethod
    def _is_whole(cls, value: str) -> str:
        if not _REF.fullmatch(value) or ".." in value:
            hint = f"such as refs/heads/{value[:60]}" if re.fullmatch(r"[\w./-]+", value) else ""
            raise Refused(
                f"{shortened(value)} is no full name of a ref: a branch and a tag may be called alike",
                hint or "such as refs/heads/main, or 40 hexadecimal digits",
            )
        return value

    @model_validator(mode="after")
    def _credentials_fit(self) -> Self:
        over = {"https": ("ssh_key", "known_hosts"), "ssh": ("username", "password")}
        scheme = self.url.partition(":")[0]
        for name in over.get(scheme, ("username", "password", "ssh_key", "known_hosts")):
            if getattr(self, name) is not None:
                raise Refused(f"{name} means nothing for {scheme}", "remove it", at=(name,))
        if self.password is None and self.username is not None:
            raise Refused("a username without a password", "name the secret of the password too")
        return self


class Bucket(Model):
    """What is below a prefix of an S3 bucket."""

    url: Annotated[str, Field(max_length=1_100, pattern="^s3://", description="s3://BUCKET/PREFIX")]
    region: Annotated[str, Field(max_length=60, description="of the bucket")] = "us-east-1"
    endpoint: Annotated[
        str, Field(max_length=500, description="the address of a server that is not AWS's")
    ] = ""
    access_key_id: Annotated[
        Reference | None, Field(description="a secret; without it what the node's host is allowed")
    ] = None
    secret_access_key: Annotated[Reference | None, Field(description="a secret")] = None

    @field_validator("url")
    @classmethod
    def _names_a_bucket(cls, value: str) -> str:
        if not _BUCKET.fullmatch(value):
            raise Refused(f"{shortened(value)} names no bucket", "such as s3://jobs-prd/cronclave")
        return value.rstrip("/")

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/\s@]+/?", value):
            raise Refused(f"{shortened(value)} is no endpoint", "such as https://minio.example.org:9000")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise Refused("access_key_id and secret_access_key go together", "name both secrets, or none")
        return self


class Source(Described):
    name: Annotated[Name, Field(alias="source")]
    enabled: Annotated[bool, Field(description="false: it is not looked at, and keeps what it owns")] = True
    folder: Annotated[
        str | None, BeforeValidator(_folder), WithJsonSchema({"type": "string", "pattern": "^/"}),
        Field(max_length=1_000, description="on the host of whichever node leads"),
    ] = None  # fmt: skip
    git: Annotated[Git | None, Field(description="a repository")] = None
    store: Annotated[Bucket | None, Field(description="what is below a prefix of an S3 bucket")] = None
    namespaces: Annotated[
        Names, Field(max_length=NAMESPACES_MAX, description="those beside its own that it may edit")
    ] = ()
    every_ms: Annotated[
        DurationMs, Field(alias="every", description="how often it is looked at")
    ] = EVERY_MS
    drift: Annotated[
        Literal["refuse", "heal", "tell"],
        Field(description="of edits by hand of what it owns: refused, undone at the next look, or shown"),
    ] = "refuse"
    prune: Annotated[
        str | None, BeforeValidator(_prune),
        WithJsonSchema({"anyOf": [
            {"type": "string", "pattern": SHARE_PATTERN},
            {"type": "integer", "minimum": 0, "maximum": 100_000},
        ]}),
        Field(description="delete what it no longer names, at most this share of what it owns, or so many, at"
              " once; without it that is shown and stays"),
    ] = None  # fmt: skip

    @field_validator("every_ms")
    @classmethod
    def _is_not_too_often(cls, value: int) -> int:
        if value < EVERY_MS_MIN:
            raise Refused("at least 1s", "such as 30s")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        said = [name for name in ("folder", "git", "store") if getattr(self, name) is not None]
        if not said:
            raise Refused("it does not say where it is", "add one of folder, git, store")
        if len(said) > 1:
            raise Refused(f"{' and '.join(said)} exclude each other", "make a source of each", at=(said[1],))
        return self

    def reach(self) -> tuple[str, ...]:
        """The namespaces that it may edit."""
        return tuple(dict.fromkeys((self.namespace, *self.namespaces)))

    def refers(self) -> list[Target]:
        found = []
        for part, given in (("git", self.git), ("store", self.store)):
            for field in CREDENTIALS:
                if (name := getattr(given, field, None)) is not None:
                    found.append(Target("secret", *resolved(name, self.namespace), f"/{part}/{field}"))
        return found

    def faults(self) -> list[Problem]:
        """A secret of another namespace would be told to whoever serves the repository."""
        return [
            Problem(each.pointer, f"secret {each.namespace}/{each.name} is of another namespace", "copy it")
            for each in self.refers()
            if each.namespace != self.namespace
        ]


SOURCE = Kind(
    name="source",
    description="A folder, a git repository or a part of an object store that owns jobs and objects.",
    example={
        "source": "prd",
        "git": {"url": "https://git.example.org/jobs.git", "ref": "refs/heads/main", "path": "prd"},
        "prune": "10%",
    },
    model=Source,
    pin=lambda stored: stored["drift"],
    capability="admin",
    reach=lambda given: given.reach(),
    other_words=("repository", "gitops", "bucket"),
)
