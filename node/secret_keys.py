"""The keys that secrets are encrypted with: from a file, or from a command that prints the same.

One key a line, 32 bytes in base64, `#` before a comment. The first is the one that new values are encrypted
with, the others are known for what was encrypted before. They are on the nodes alone, never in the state: a
backup is safe to copy. The file is read again when it has changed, the command runs once, at the start.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

log = logging.getLogger("cronclave.front")

KEY_BYTES = 32
KEYS_MAX = 16
TEXT_BYTES_MAX = 16 << 10
COMMAND_S = 10.0


class KeysError(Exception):
    """What is wrong with the keys, where, and what to do. No part of a key is in the words."""


def key_id(key: bytes) -> str:
    """It may be shown to everybody: it tells nothing of the key."""
    return hashlib.sha256(b"cronclave secret key\0" + key).hexdigest()[:12]


def read_keys(text: str, where: str) -> dict[str, bytes]:
    """By their ids, in their order. Raises KeysError."""
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        written = line.partition("#")[0].strip()
        if not written:
            continue
        try:
            key = base64.b64decode(written, validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise KeysError(
                f"{where}:{number}: a key is {KEY_BYTES} bytes in base64: openssl rand -base64 32"
            )
        found.setdefault(key_id(key), key)
    if not found:
        raise KeysError(f"{where}: no key is in it: openssl rand -base64 32")
    if len(found) > KEYS_MAX:
        raise KeysError(f"{where}: {len(found)} keys, {KEYS_MAX} at most; remove those that nothing uses")
    return found


class KeyRing:
    """The keys of this node: of a file, or else of a command."""

    def __init__(self, file: Path | None, command: Sequence[str] = ()) -> None:
        """Raises KeysError."""
        self._file = file
        self._seen: tuple[int, ...] = ()
        self._keys: Mapping[str, bytes] = {}
        if file is not None:
            self._read(file)
        else:
            self._keys = _told_by(command)

    def keys(self) -> Mapping[str, bytes]:
        """By their ids, the current one first."""
        if self._file is not None:
            try:
                self._read(self._file)
            except KeysError as error:  # in the middle of an edit, say: what is known stays good
                log.error("%s: the keys read before stay in use", error)
        return self._keys

    def _read(self, file: Path) -> None:
        try:
            status = file.stat()
            seen = status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode
            if seen == self._seen:
                return
            self._seen = seen
            if stat.S_IMODE(status.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeysError(f"secrets.key_file: others may read {file}: chmod 600 {file}")
            if status.st_size > TEXT_BYTES_MAX:
                raise KeysError(
                    f"secrets.key_file: {file} is larger than {TEXT_BYTES_MAX} bytes: no file of keys"
                )
            self._keys = read_keys(file.read_text("ascii", "replace"), f"secrets.key_file: {file}")
        except OSError as error:
            self._seen = ()
            raise KeysError(f"secrets.key_file: {file}: {error.strerror}") from error


def _told_by(command: Sequence[str]) -> dict[str, bytes]:
    where = f"secrets.key_command: {command[0]}"
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S)
    except subprocess.TimeoutExpired:
        raise KeysError(f"{where} did not end within {COMMAND_S:.0f} s") from None
    except OSError as error:
        raise KeysError(f"{where}: {error.strerror}") from error
    if ran.returncode:
        said = ran.stderr.decode("utf-8", "replace").strip()[-300:]
        raise KeysError(f"{where} ended with exit code {ran.returncode}: {said or 'without a word'}")
    return read_keys(ran.stdout[: TEXT_BYTES_MAX + 1].decode("ascii", "replace"), where)
