"""The clusters that a person has named: their addresses, tokens and authorities, in one private file.

Rules:

1. The file is $XDG_CONFIG_HOME/cronclave/contexts.toml (~/.config by default), mode 0600. One that others may
   read is refused while it holds a token, as ssh refuses a key.
2. It is read when a context is meant, and by nothing else: a broken file stops no command that names its
   cluster otherwise.
3. What is wrong in it is told with the file and the place. It is replaced in one step.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cli.exits import NOT_FOUND, USAGE, Failure

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
CONTEXTS_MAX = 1_000
FILE_BYTES_MAX = 1 << 20
KEYS = ("url", "token", "token_file", "ca")
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Context:
    url: str  #: of a node, or of several with commas
    token: str = ""
    token_file: str = ""  #: read whenever it is needed, so that it may be renewed in place
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Contexts:
    current: str = ""
    named: Mapping[str, Context] = field(default_factory=dict)

    def get(self, name: str, *, named_by: str) -> Context:
        """Raises Failure where there is none of this name; `named_by` is who named it."""
        found = self.named.get(name)
        if found is not None:
            return found
        from difflib import get_close_matches

        near = get_close_matches(name, self.named, 1)
        known = f"Did you mean {near[0]}? " if near else ""
        raise Failure(
            f"there is no context {name!r} ({named_by})",
            code=NOT_FOUND,
            hint=f"{known}See cronclave context list, or add it: cronclave context add {name} --url URL",
        )


def contexts_file() -> Path:
    """The XDG base directory specification: a relative path in the variable counts for nothing."""
    told = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(told) if told.startswith("/") else Path.home() / ".config"
    return folder / "cronclave" / "contexts.toml"


def load_contexts() -> Contexts:
    """What the file holds; nothing where there is none. Raises Failure."""
    import tomllib

    path = contexts_file()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}", code=USAGE) from None
    if len(data) > FILE_BYTES_MAX:
        raise Failure(f"{path} is larger than {FILE_BYTES_MAX} bytes: it is no file of contexts", code=USAGE)
    try:
        raw = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise Failure(f"{path} is not TOML: {error}", code=USAGE, hint="Mend it, or move it away.") from None
    found = _checked(path, raw)
    if mode & OPEN_TO_OTHERS and any(each.token for each in found.named.values()):
        raise Failure(
            f"{path} holds tokens, and others may read it (mode {stat.S_IMODE(mode):04o})",
            code=USAGE,
            hint=f"chmod 600 {path}; make new tokens if somebody has read them.",
        )
    return found


def save_contexts(contexts: Contexts) -> None:
    """Raises Failure."""
    from cli.dev.layout import toml, write_private

    document: dict[str, Any] = {"current": contexts.current} if contexts.current else {}
    document["contexts"] = {
        name: {key: text for key in KEYS if (text := getattr(context, key))}
        for name, context in sorted(contexts.named.items())
    }
    path = contexts_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, toml(document))
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None


def with_context(contexts: Contexts, name: str, context: Context) -> Contexts:
    """The first one is in use at once. Raises Failure."""
    if not NAME.fullmatch(name):
        raise Failure(
            f"{name[:80]!r} is no name of a context",
            code=USAGE,
            hint="Letters, digits and . _ - between them, 64 at most.",
        )
    named = {**contexts.named, name: context}
    if len(named) > CONTEXTS_MAX:
        raise Failure(f"there are {CONTEXTS_MAX} contexts already", hint="cronclave context remove NAME")
    return replace(contexts, current=contexts.current or name, named=named)


def without_context(contexts: Contexts, name: str) -> Contexts:
    contexts.get(name, named_by="the argument")
    named = {each: context for each, context in contexts.named.items() if each != name}
    return replace(contexts, current="" if contexts.current == name else contexts.current, named=named)


def _checked(path: Path, raw: Mapping[str, Any]) -> Contexts:
    for key in raw:
        if key not in ("current", "contexts"):
            raise _wrong(path, key, "is no setting; known are current and contexts")
    current, tables = raw.get("current", ""), raw.get("contexts", {})
    if not isinstance(current, str):
        raise _wrong(path, "current", "must be the name of a context")
    if not isinstance(tables, dict):
        raise _wrong(path, "contexts", "must be tables: [contexts.NAME]")
    named: dict[str, Context] = {}
    for name, table in tables.items():
        where = f"contexts.{name}"
        if not NAME.fullmatch(name):
            raise _wrong(path, where, "is no name: letters, digits and . _ - between them, 64 at most")
        if not isinstance(table, dict):
            raise _wrong(path, where, "must be a table with url")
        for key, value in table.items():
            if key not in KEYS:
                raise _wrong(path, f"{where}.{key}", f"is no setting; known are {', '.join(KEYS)}")
            if not isinstance(value, str):
                raise _wrong(path, f"{where}.{key}", "must be a text")
        if not table.get("url"):
            raise _wrong(path, f"{where}.url", "is missing")
        named[name] = Context(**table)
    return Contexts(current, named)


def _wrong(path: Path, where: str, what: str) -> Failure:
    return Failure(f"{path}: {where} {what}", code=USAGE, hint="Mend it, or move it away.")
