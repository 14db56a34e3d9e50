"""Its tests, as docs/reference/executors.md shows: `python -m waiting.hold FOLDER [broken]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agent.executors.suite import BrokenError, Sample, hold

from . import Waiting
from .broken import Broken


def main(folder: str, *words: str) -> str:
    """Empty: the contract is kept."""
    create = Broken if words == ("broken",) else Waiting
    sample = Sample(
        "waiting", create, good={"with": {"seconds": 0.05}}, lasting={"with": {"seconds": 3600}},
        bad={"with": {}},
    )  # fmt: skip
    try:
        asyncio.run(hold(sample, Path(folder)))
    except BrokenError as error:
        return f"refused: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) or 0)
