"""What a run left, as it left it: size and SHA-256 of each file that checkers read, in seal.json.

Rules: a run that comes to its end is sealed, and its history says from the begin that it will be (`seal`).
Checkers call it invalid when a file is cut, changed, gone or new, so that no verdict stands on half of the
evidence. It proves nothing against somebody who writes a seal of his own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

SEAL = "seal.json"
SEALED = ("plan.json", "history.jsonl", "evidence/*", "events/*", "final/*")


def write_seal(directory: Path) -> None:
    (directory / SEAL).write_text(json.dumps(dict(_sums(directory)), indent=1) + "\n")


def broken_seals(directory: Path) -> list[str]:
    """What differs from the seal, a line for each file."""
    try:
        told = json.loads((directory / SEAL).read_text())
    except OSError:
        return [f"{SEAL} is missing: the run did not come to its end"]
    except ValueError:
        return [f"{SEAL} is no JSON"]
    found = dict(_sums(directory))
    lines = []
    for name in sorted({*told, *found}):
        if name not in found:
            lines.append(f"{name} is missing")
        elif name not in told:
            lines.append(f"{name} was not there when the run ended")
        elif told[name] != found[name]:
            sizes = f"{found[name][0]} bytes, sealed with {told[name][0]}"
            lines.append(f"{name} is not as the run left it: {sizes}")
    return lines


def _sums(directory: Path) -> Iterator[tuple[str, list[int | str]]]:
    for pattern in SEALED:
        for file in sorted(directory.glob(pattern)):
            content = file.read_bytes()
            yield file.relative_to(directory).as_posix(), [len(content), hashlib.sha256(content).hexdigest()]
