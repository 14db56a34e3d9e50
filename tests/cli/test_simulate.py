"""`cronclave simulate`: by a backup, with changed files, and what its exit code says."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.wheels import holidays_wheel, tzdata_wheel
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


@pytest.fixture
def dated(tmp_path: Path) -> Path:
    """A job of each working day in Berlin, one of a zone, and one of neither."""
    story = Story(tmp_path / "dated.db")
    story.lead()
    story.connect()
    berlin = {"calendar": "berlin", "holidays": {"country": "DE", "subdivision": "BE"}}
    working = {"cron": "0 9 * * *", "id": "t", "calendar": {"include": ["berlin"]}}
    assert story.apply(berlin).ok
    local = {"cron": "0 9 * * *", "tz": "Europe/Berlin", "id": "t"}
    plain = {"every": "1h", "id": "t"}
    story.put(job("working", trigger=working), job("local", trigger=local), job("plain", trigger=plain))
    story.close()
    return story.path


async def test_other_zone_data_says_which_ticks_move(offline: Command, dated: Path, tmp_path: Path) -> None:
    wheel = tzdata_wheel(tmp_path, "Europe/Berlin", "Asia/Tokyo")
    of = ("simulate", "--state", str(dated), "--days", "3", "-o", "json")
    told = await offline(*of, "--tzdata", str(wheel))
    assert told.code == 1, told.err
    found = json.loads(told.out)
    assert (found["by"], found["new"]) == ({"tzdata": "2030.1"}, ["moves default/local"])
    (said,) = [each["said"] for each in found["findings"] if each["kind"] == "moves"]
    assert said == (
        "trigger t: no more 2027-01-16T08:00:00Z, 2027-01-17T08:00:00Z;"
        " instead 2027-01-16T00:00:00Z, 2027-01-17T00:00:00Z, 2027-01-18T00:00:00Z"
    )


async def test_other_holidays_say_which_ticks_move(offline: Command, dated: Path, tmp_path: Path) -> None:
    wheel = holidays_wheel(tmp_path)
    shown = await offline("simulate", "--state", str(dated), "--days", "7", "--holidays", str(wheel))
    assert shown.code == 1, shown.err
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert "holidays 99.1, as if it were in force" in lines
    moves = "moves default/working trigger t: no more 2027-01-20T09:00:00Z; instead none"
    assert any(moves in line for line in lines)


async def test_what_is_installed_moves_nothing_that_it_decided(offline: Command, dated: Path) -> None:
    told = await offline(
        "simulate", "--state", str(dated), "--days", "7", "--holidays", version("holidays"),
        "--tzdata", version("tzdata"), "-o", "json",
    )  # fmt: skip
    assert (told.code, json.loads(told.out)["new"]) == (0, []), told.err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--tzdata", "1999.1", "tzdata 1999.1 is not installed here"),
        ("--tzdata", "1999b", "pip download --no-deps tzdata==1999.2"),
        ("--holidays", "nowhere.whl", "nowhere.whl: no wheel: No such file or directory"),
        ("--tzdata", "text.whl", "text.whl: no wheel: File is not a zip file"),
        ("--tzdata", "holidays-99.1-py3-none-any.whl", "no wheel of tzdata: there is no folder tzdata in it"),
    ],
)
async def test_what_is_no_version_is_refused_with_words(
    offline: Command, backup: Path, tmp_path: Path, option: str, value: str, said: str
) -> None:
    (offline.folder / "text.whl").write_text("no zip")
    holidays_wheel(offline.folder)
    shown = await offline("simulate", "--state", str(backup), "--days", "1", option, value)
    assert (shown.code, said in shown.err) == (1, True), shown.err


async def test_the_days_of_another_month(offline: Command, backup: Path) -> None:
    told = await offline(
        "simulate", "--state", str(backup), "--from", "2027-02-01", "--days", "2", "-o", "json"
    )
    assert told.code == 0, told.err
    found = json.loads(told.out)
    assert (found["from"], found["to"]) == ("2027-02-01T00:00:00Z", "2027-02-03T00:00:00Z")
    early = await offline("simulate", "--state", str(backup), "--from", "2026-02-01")
    assert (early.code, "does not lie between" in early.err) == (1, True)
