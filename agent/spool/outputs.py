"""What a command gives to the tasks after it: it writes `KEY=VALUE` lines, or one JSON object, to the file
that CRONCLAVE_OUTPUT names.

Rules of this file:

1. The file is the command's user's, its folder is the agent's: under another user (`run_as`) it can be
   written, and never be replaced by a link to what that user may not read.
2. Read once, after the end of the work, and never more than the limit. What cannot be read is told in words
   that say where.
3. Secrets are taken out of values and of those words, as out of output (masking).

Standard library only (spooler).
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from agent.spool.masking import Mask
from agent.spool.wire import Command

VARIABLE = "CRONCLAVE_OUTPUT"
_NAME = "cronclave-output-{installation}-"
_FILE = "output"
_INTEGER_MAX = 1 << 63


class Unreadable(ValueError):
    """What is wrong with what was written, for people."""


def made(command: Command, installation: str) -> str:
    """The path of an empty file. Raises OSError."""
    folder = tempfile.mkdtemp(prefix=_NAME.format(installation=installation))
    path = os.path.join(folder, _FILE)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        if command.run_as:
            entry = pwd.getpwnam(command.run_as)  # known: it was found startable under it, or fails there
            os.chown(path, entry.pw_uid, entry.pw_gid)
            os.chmod(folder, 0o711)
    except BaseException:
        remove(path)
        raise
    return path


def remove(path: str) -> None:
    if path:
        shutil.rmtree(os.path.dirname(path), ignore_errors=True)


def sweep(installation: str) -> None:
    """What an earlier spooler of this installation has left."""
    for folder in Path(tempfile.gettempdir()).glob(_NAME.format(installation=installation) + "*"):
        shutil.rmtree(folder, ignore_errors=True)


def read(path: str, names: tuple[str, ...], bytes_max: int, mask: Mask | None) -> bytes:
    """A JSON object; empty: nothing was written. Raises Unreadable."""
    text = _text(path, bytes_max)
    if not text.strip():
        return b""
    values = _of_json(text) if text.lstrip().startswith("{") else _of_lines(text)
    told: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            said = f"{_shown(name, value, mask)!r} is no output of this task"
            raise Unreadable(f"{said}: {', '.join(names)[:200]}")
        told[name] = _checked(name, value, mask)
    written = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    if len(written) > bytes_max:
        raise Unreadable(f"{len(written)} bytes as JSON, {bytes_max} at most")
    return written


def _text(path: str, bytes_max: int) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable(f"the file is gone: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unreadable("it is no file any more")
        with open(handle, "rb", closefd=False) as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error.strerror}") from error
    finally:
        os.close(handle)
    if len(data) > bytes_max:
        raise Unreadable(f"more than {bytes_max} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"no UTF-8 at byte {error.start + 1}") from error


def _of_lines(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise Unreadable(f"line {number} is no KEY=VALUE")
        values[name.strip()] = value
    return values


def _of_json(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {str(error)[:200]}") from error
    assert isinstance(values, dict), "it begins with a brace"
    return {name: value for name, value in values.items() if value is not None}


def _checked(name: str, value: Any, mask: Mask | None) -> Any:
    if not isinstance(value, str | bool | int | float):
        raise Unreadable(f"{name} is no text, number, true or false")
    if not isinstance(value, str) and not abs(value) < _INTEGER_MAX:  # also NaN is not
        raise Unreadable(f"{name} is a number that is too large")
    if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
        raise Unreadable(f"{name} holds a NUL character, or half of one")
    if mask is None or isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    masked = _masked(text, mask)
    return value if masked == text else masked


def _shown(name: str, value: Any, mask: Mask | None) -> str:
    """A name that is none: a secret that was written as it is may have an equals sign."""
    line = f"{name}={value}"
    masked = _masked(line, mask)
    return (name if masked == line else masked.partition("=")[0])[:64]


def _masked(text: str, mask: Mask | None) -> str:
    if mask is None:
        return text
    return mask.whole(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _is_unicode(text: str) -> bool:
    """JSON may escape half of a pair, which is no text."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
