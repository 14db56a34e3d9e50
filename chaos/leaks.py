"""A secret of the load, looked for in every file of nodes and agents: what the product writes down.

Rule: the search proves itself. What a payload prints in clear must be found, or nothing was looked at.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

NAME = "CHAOS_SECRET"
JOB = "secret"
MASK = b"masked: ***"
CONTROL = b"in clear: chaos-control"
FINAL = "secrets.json"


def value_of(seed: int) -> str:
    """Letters that nothing else in a cluster has."""
    return f"chaos/{hashlib.sha256(f'secret {seed}'.encode()).hexdigest()[:32]}"


def line_of(seed: int) -> str:
    """A payload's first lines: only with the right value it goes on; what it prints of it is to be masked."""
    expected = hashlib.sha256(value_of(seed).encode()).hexdigest()
    return (
        f'[ "$(printf %s "${NAME}" | sha256sum)" = "{expected}  -" ] || exit 9\n'
        f'echo "masked: ${NAME}"\necho "in clear: chaos-control"\n'
    )


def look(root: Path, seed: int, folder: Path) -> None:
    """What is found below `root`, into the folder of what is collected in the end."""
    value = value_of(seed).encode()
    forms = (value, base64.b64encode(value)[:-4])
    found: dict[str, list[str]] = {"leaks": [], "masks": [], "controls": []}
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        content, name = path.read_bytes(), str(path.relative_to(root))
        for kind, marks in (("leaks", forms), ("masks", (MASK,)), ("controls", (CONTROL,))):
            if any(mark in content for mark in marks):
                found[kind].append(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FINAL).write_text(json.dumps(found))
