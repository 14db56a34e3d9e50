"""`python -m node.backup FILE`: is this a sound backup? Prints what it is of, as JSON; 1 and why not.

The checksum of the file is beside it (FILE.sha256, as sha256sum writes it), or given.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from scheduler.backup import BackupError, Manifest, check

SUFFIX = ".sha256"
_REMEDY = "It cannot be restored: take another copy of it, or another backup"


def verify(path: Path, *, sha256: str | None = None, unsummed: bool = False) -> Manifest:
    """The manifest of a sound backup. Raises BackupError. `unsummed`: go on without a checksum."""
    if not path.is_file():
        raise BackupError(f"{path}: there is no such file")
    wanted = sha256 or _noted(path)
    if wanted is None and not unsummed:
        raise BackupError(
            f"{path}{SUFFIX} is missing: the file's checksum, which cronclave cluster backup writes beside"
            " it. Bring it along, or say --no-checksum to go on with SQLite's own checks alone"
        )
    if wanted is not None:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != wanted:
            try:
                check(path)  # which may know where
            except BackupError as error:
                raise BackupError(f"{error}; its SHA-256 is not {wanted}. {_REMEDY}") from None
            raise BackupError(
                f"{path}: its SHA-256 is {digest.hexdigest()}, not {wanted}: some byte of its"
                f" {path.stat().st_size} was changed since it was made. {_REMEDY}"
            )
    return check(path)


def _noted(path: Path) -> str | None:
    beside = path.with_name(path.name + SUFFIX)
    if not beside.is_file():
        return None
    text = beside.read_text(errors="replace").split()
    if not text or len(text[0]) != 64:
        raise BackupError(f"{beside}: no line of sha256sum: it begins with the checksum in 64 digits")
    return text[0].lower()


def main() -> int:
    parser = argparse.ArgumentParser(prog="cronclave cluster backup --verify")
    parser.add_argument("file", type=Path)
    parser.add_argument("--sha256")
    parser.add_argument("--no-checksum", action="store_true")
    arguments = parser.parse_args()
    try:
        manifest = verify(arguments.file, sha256=arguments.sha256, unsummed=arguments.no_checksum)
    except BackupError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(manifest.facts()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
