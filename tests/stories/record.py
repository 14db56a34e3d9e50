"""`python -m tests.stories.record`: writes into each story what comes of it now."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.stories.teller import told

FOLDER = Path(__file__).parent


def record() -> None:
    for path in sorted(FOLDER.glob("*.txt")):
        text = path.read_text()
        with tempfile.TemporaryDirectory() as scratch:
            now = told(text, Path(scratch) / "state.db")
        if now != text:
            path.write_text(now)
            print(f"{path}: written")


if __name__ == "__main__":
    record()
