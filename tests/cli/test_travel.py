"""`cronclave state` and `cronclave diff --from`: what they show, and what is wrong with a question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scheduler.backup import seal
from scheduler.words import commands as c
from tests.cli.conftest import Command
from tests.scheduler.story import Story, job


@pytest.fixture
def backups(tmp_path: Path) -> tuple[Path, Path]:
    """Of one cluster, before and after an edit, a deletion and a pause."""
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    story.put({"job": "load", "run": "old"}, job("gone"))
    first = _sealed(story, tmp_path / "monday.db")
    story.now_ms += 60_000
    story.put({"job": "load", "run": "new"})
    story.tell_ok(c.DeleteJob("default", "gone", actor=c.Actor("ann")))
    story.tell_ok(c.Pause("default", "moved", actor=c.Actor("bob")))
    second = _sealed(story, tmp_path / "tuesday.db")
    story.close()
    return first, second


def _sealed(story: Story, path: Path) -> Path:
    story.store.copy_to(path)
    seal(path, node="node-1", version="1", made_ms=0)
    return path


async def test_a_state_is_shown_with_what_was_there(offline: Command, backups: tuple[Path, Path]) -> None:
    shown = await offline("state", "--at", str(backups[0]))
    assert shown.code == 0, shown.err
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert "objects 2 job" in lines
    assert any(line.startswith("job default/load 1 active") for line in lines)
    assert any(line.startswith("agent-1 zone-a") for line in lines)
    told = json.loads((await offline("state", "--at", str(backups[1]), "-o", "json")).out)
    assert [(each["name"], each["revision"]) for each in told["objects"]] == [("load", 2)]
    assert told["pauses"][0]["reason"] == "moved"


async def test_between_two_backups_each_change_is_told_with_its_author(
    offline: Command, backups: tuple[Path, Path]
) -> None:
    shown = await offline("diff", "--from", str(backups[0]), "--to", str(backups[1]))
    assert shown.code == 0, shown.err
    assert "-    run: old\n+    run: new\n" in shown.out
    assert "deleted by ann, " in shown.out
    assert "objects  1 changed, 1 removed" in shown.out
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert "begun namespace default bob - moved" in lines


async def test_a_saved_state_is_a_backup(
    offline: Command, backups: tuple[Path, Path], tmp_path: Path
) -> None:
    saved = tmp_path / "saved.db"
    assert (await offline("state", "--at", str(backups[0]), "--save", str(saved))).code == 0
    checked = await offline("cluster", "backup", "--verify", str(saved))
    assert (checked.code, "sound" in checked.out) == (0, True)
    again = await offline("state", "--at", str(backups[0]), "--save", str(saved))
    assert (again.code, "exists already" in again.err) == (5, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("state", "--at", "soon"), 2, "or an index as 5120, or the file of a backup"),
        (("state", "--at", "no/such.db"), 2, "there is no such file"),
        (("state", "--at", "9" * 30), 2, "more than an index ever is"),
        (("state", "--at", "5"), 1, "nothing is given that reaches back"),
        (("state", "--at", "5", "--data", "/nowhere"), 1, "no data directory of a node"),
        (("state", "--at", "5", "--backup", "/nowhere.db"), 1, "there is no such file"),
        (("diff",), 2, "name files to compare with the cluster, or --from"),
        (("diff", "--to", "5"), 2, "are for --from"),
        (("diff", "x.yaml", "--from", "5"), 2, "compares two states, and no files"),
        (("diff", "x.yaml", "-o", "json"), 2, "-o is for --from"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_words(
    offline: Command, words: tuple[str, ...], code: int, said: str
) -> None:
    shown = await offline(*words)
    assert (shown.code, said in shown.err) == (code, True), shown.err


async def test_out_of_reach_says_what_the_reach_is(offline: Command, backups: tuple[Path, Path]) -> None:
    shown = await offline("state", "--at", "1", "--backup", str(backups[0]))
    assert shown.code == 1
    assert "index 1 is out of reach. What was given reaches index " in shown.err
