"""`python -m tests.golden.record [--again]`: write the golden logs of the newest format.

Logs that are there are kept, unless told `--again`, which is for a format that no release has.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from scheduler import formats
from tests.golden import log
from tests.golden.stories import STORIES


def record(folder: Path, *, again: bool) -> None:
    folder.mkdir(exist_ok=True)
    for name, tell in STORIES.items():
        path = folder / f"{name}.log"
        if path.exists() and not again:
            print(f"{path}: is there already")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            story = log.Recorder(Path(scratch) / "told.db")
            tell(story)
            log.write(path, story.entries)
            story.close()
            expected = log.replay(path, Path(scratch) / "replayed.db")
        path.with_suffix(".json").write_text(json.dumps(expected, indent=1) + "\n")
        print(f"{path}: {len(story.entries)} entries, {path.stat().st_size} bytes")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--again"]):
        sys.exit(__doc__)
    record(log.FOLDER / f"format-{formats.newest()}", again=bool(sys.argv[1:]))
