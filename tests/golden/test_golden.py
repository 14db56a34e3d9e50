"""Every log that any release may have written replays to what it was: states, ledgers and outcomes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from scheduler import formats
from scheduler.words import commands
from tests.golden import log
from tests.golden.log import FOLDER

LOGS = sorted(FOLDER.glob("format-*/*.log"))
DIFFERS = (
    "this version makes something else of a golden log: beside nodes of the version that recorded it, it"
    " would differ. Let what changed branch on state.format; while the format is unreleased, record it anew:"
    " python -m tests.golden.record --again"
)
TABLES = (
    "the tables are other ones than in a state that an older version made, and nothing brings that into the"
    " new shape: give a new format a migration (scheduler/formats.py); while the format is unreleased, record"
    " it anew: python -m tests.golden.record --again"
)
NEVER_ACCEPTED = {"Migrate"}  #: in a log of the first format, which nothing leads to


@pytest.mark.parametrize("reverse", [False, True], ids=["rows-in-order", "rows-reversed"])
@pytest.mark.parametrize("path", LOGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_log_replays_to_what_was_recorded(path: Path, reverse: bool, tmp_path: Path) -> None:
    found = log.replay(path, tmp_path / "state.db", reverse=reverse)
    expected = log.expected_of(path)
    assert found["tables_sha256"] == expected["tables_sha256"], TABLES
    assert found["outcomes"] == expected["outcomes"], DIFFERS
    assert found == expected, DIFFERS


def test_every_format_has_its_logs() -> None:
    assert {path.parent.name for path in LOGS} == {f"format-{known.number}" for known in formats.FORMATS}


def test_every_command_is_in_a_golden_log_and_was_accepted_there() -> None:
    told: Counter[str] = Counter()
    for path in LOGS:
        told.update(log.expected_of(path)["outcomes"])
    union = {cls.__name__ for cls in commands.ALL}
    hint = "tell of it in tests/golden/stories.py, then python -m tests.golden.record --again"
    assert {name for name in union if not told[f"{name} ok"]} <= NEVER_ACCEPTED, hint
    assert union == {outcome.partition(" ")[0] for outcome in told}, hint


def test_refusals_are_in_the_golden_logs_too() -> None:
    codes = {outcome.partition(" ")[2] for path in LOGS for outcome in log.expected_of(path)["outcomes"]}
    wanted = {"ok", "not_found", "exists", "stale_epoch", "stale_due", "superseded", "ended", "conflict"}
    assert wanted <= codes
