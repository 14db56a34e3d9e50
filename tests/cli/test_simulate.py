"""`cronclave simulate`: by a backup, with changed files, and what its exit code says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.scheduler.story import Story, job

GPU = "job: gpu\nrun: 'true'\ntriggers: [{every: 1h}]\non: {pool: gpu}\npolicies: {start_deadline: 10m}\n"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    story = Story(tmp_path / "backup.db")
    story.lead()
    story.connect()
    story.put(job(trigger={"every": "1h", "id": "t"}))
    story.close()
    return story.path


async def test_changed_files_that_bring_something_new_end_with_1(
    cronclave: Command, backup: Path, tmp_path: Path
) -> None:
    (tmp_path / "gpu.yaml").write_text(GPU)
    shown = await cronclave("simulate", str(tmp_path / "gpu.yaml"), "--state", str(backup), "--days", "1")
    assert (shown.code, "default/gpu" in shown.out, "missed(deadline)" in shown.out) == (1, True, True)


async def test_what_comes_is_told_as_json_and_mistakes_with_words(
    cronclave: Command, backup: Path, tmp_path: Path
) -> None:
    told = await cronclave("simulate", "--state", str(backup), "--days", "1", "-o", "json")
    assert told.code == 0
    assert json.loads(told.out)["ticks"] == {"ran": 23}
    alone = await cronclave("simulate", "--state", str(backup), "--lose", "zone-a")
    assert (alone.code, "--lose and --at are given together" in alone.err) == (2, True)
    (tmp_path / "bad.yaml").write_text("job: x\nruns: 'true'\n")
    bad = await cronclave("simulate", str(tmp_path / "bad.yaml"), "--state", str(backup))
    assert (bad.code, "unknown field 'runs'" in bad.err) == (1, True)
    nowhere = await cronclave("simulate", "--state", str(backup), "--lose", "zone-x", "--at", "+2d")
    assert (nowhere.code, "those that are have 'zone-a'" in nowhere.err) == (1, True)
    (tmp_path / "no.db").write_text("no database")
    assert (await cronclave("simulate", "--state", str(tmp_path / "no.db"))).err.startswith(
        "error: file is not"
    )


async def test_files_go_to_the_namespace_that_is_named(
    cronclave: Command, backup: Path, tmp_path: Path
) -> None:
    (tmp_path / "gpu.yaml").write_text(GPU)
    shown = await cronclave(
        "simulate", str(tmp_path / "gpu.yaml"), "-n", "team", "--state", str(backup), "--days", "1"
    )
    assert (shown.code, "team/gpu" in shown.out) == (1, True)
