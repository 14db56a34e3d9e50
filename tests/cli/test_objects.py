"""Jobs and what they refer to: applied from files, compared, looked at, deleted."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.conftest import Command

PLAN = """\
job: load
run: load --host "$CRONCLAVE_VAR_HOST"
vars: [dsn]
---
vars: dsn
owner: ann
values: {host: db1, port: 5432}
"""


async def test_what_is_applied_together_refers_to_each_other_and_goes_again(
    cronclave: Command, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    dry = await cronclave("diff", "plan.yaml")
    assert "+++ vars default/dsn, new" in dry.out
    assert "2 would be created" in dry.out
    first = await cronclave("apply", "plan.yaml", "--source", "git")
    assert "+ default/load  created, revision 1" in first.out
    assert "+ vars default/dsn  created, revision 1" in first.out

    plan.write_text(PLAN.replace("db1", "db2"))
    told = await cronclave("diff", "plan.yaml")
    assert "-  host: db1\n+  host: db2\n" in told.out
    assert "0 would be created, 1 would be changed, 1 unchanged" in told.out
    await cronclave("apply", "plan.yaml", "--source", "git")

    listed = await cronclave("vars", "list", "-o", "json")
    (row,) = json.loads(listed.out)
    assert (row["name"], row["revision"], row["owner"]) == ("dsn", 2, "ann")
    history = await cronclave("vars", "history", "dsn", "--diff", "1", "2")
    assert "-  host: db1\n+  host: db2\n" in history.out
    again = await cronclave("vars", "get", "dsn", "-o", "yaml")
    unchanged = await cronclave("vars", "apply", "-", stdin=again.out)
    assert "1 unchanged" in unchanged.out, unchanged

    referrers = await cronclave("vars", "get", "dsn", "--referrers")
    assert "load" in referrers.out
    kept = await cronclave("vars", "delete", "dsn")
    assert kept.code == 5
    assert "vars default/dsn is referred to by job default/load" in kept.err

    plan.write_text("board: stock\n")
    pruned = await cronclave("apply", "plan.yaml", "--source", "git", "--prune")
    assert "- vars default/dsn  deleted" in pruned.out
    assert "1 created, 0 changed, 0 unchanged, 2 deleted" in pruned.out


CALENDAR = """\
calendar: bank
exclude: ["{off}"]
---
schedule: evening
triggers: [{{cron: "0 {hour} * * *", id: end}}]
---
job: report
noop: true
triggers:
- {{cron: "0 6 * * *", calendar: {{exclude: [bank]}}, id: morning}}
- {{schedule: evening}}
"""


async def test_a_dry_run_of_a_calendar_and_a_schedule_says_which_ticks_of_jobs_move(
    cronclave: Command,
) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    then = tomorrow + timedelta(days=1)
    plan = CALENDAR.format(off=tomorrow, hour=22)
    await cronclave("apply", "-", stdin=plan)
    others = CALENDAR.format(off=then, hour=23).rpartition("---")[0]

    for command in (("apply", "-", "--dry-run"), ("diff", "-")):
        dry = await cronclave(*command, stdin=others)
        assert f"+ tick {tomorrow}T06:00:00Z of default/report, trigger morning\n" in dry.out
        assert f"- tick {then}T06:00:00Z of default/report, trigger morning\n" in dry.out
        assert re.search(r"^- tick \S+T22:00:00Z of default/report, trigger evening:end$", dry.out, re.M)
        assert re.search(r"^- … and 39\d more within 400 days of default/report", dry.out, re.M)
    told = json.loads((await cronclave("apply", "-", "--dry-run", "-o", "json", stdin=others)).out)
    assert {move["trigger"] for move in told["moves"]} == {"morning", "evening:end"}
    same = await cronclave("apply", "-", "--dry-run", stdin=plan)
    assert "tick" not in same.out


async def test_the_days_of_a_calendar_are_listed_over_any_range(cronclave: Command) -> None:
    await cronclave("apply", "-", stdin='calendar: bank\nexclude: ["2027-01-01"]\n')
    told = await cronclave("calendar", "days", "bank", "--from", "2026-12-31", "--to", "2027-01-02")
    lines = [line.split() for line in told.out.splitlines()]
    assert lines[1:] == [
        ["2026-12-31", "Thu", "yes", "-"], ["2027-01-01", "Fri", "no", "off"],
        ["2027-01-02", "Sat", "no", "weekend"],
    ]  # fmt: skip
    far = ("--from", "2020-01-01", "--to", "2036-12-31", "-o", "json")
    days = [each["day"] for each in json.loads((await cronclave("calendar", "days", "bank", *far)).out)]
    assert (days[0], days[-1]) == ("2020-01-01", "2036-12-31")
    assert len(days) == len(set(days)) == 6_210
    assert len(json.loads((await cronclave("calendar", "days", "bank", "-o", "json")).out)) == 31
    wrong = await cronclave("calendar", "days", "bank", "--from", "2027-01-02", "--to", "2027-01-01")
    assert (wrong.code, "--to is before --from" in wrong.err) == (2, True)
    none = await cronclave("calendar", "days", "bnk")
    assert none.code == 3


async def test_the_last_of_a_source_goes_with_a_word_of_its_own(cronclave: Command, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    (folder / "a.yaml").write_text("vars: dsn\nvalues: {a: 1}\n---\nboard: stock\n")
    source = ("plan", "--source", "git", "--prune")
    assert (await cronclave("apply", *source)).code == 0
    (folder / "a.yaml").unlink()
    refused = await cronclave("apply", *source)
    assert (refused.code, "no jobs in plan" in refused.err) == (1, True), refused
    assert "--may-be-empty" in refused.err
    assert (await cronclave("apply", "plan", "--may-be-empty")).code == 2
    trial = await cronclave("apply", *source, "--may-be-empty", "--dry-run")
    assert "2 would be deleted" in trial.out or "2 deleted" in trial.out, trial.out
    assert (await cronclave("diff", *source, "--may-be-empty")).code == 0
    gone = await cronclave("apply", *source, "--may-be-empty")
    assert "- board default/stock  deleted" in gone.out
    assert json.loads((await cronclave("vars", "list", "-o", "json")).out) == []


async def test_a_mistake_is_told_with_file_line_and_column(cronclave: Command, tmp_path: Path) -> None:
    wrongs = ("vars: dsn\nvaluess: {a: 1}\n", "var: x\n", "board: b\nexpires: soon\n")
    (tmp_path / "wrong.yaml").write_text("---\n".join(wrongs))
    wrong = await cronclave("apply", "wrong.yaml")
    assert wrong.code == 1
    for said in ("wrong.yaml:2:1", "did you mean values?", "wrong.yaml:4:1", "wrong.yaml:7:"):
        assert said in wrong.err
    (tmp_path / "lost.yaml").write_text("vars: dsn\nvalues: {a: 1}\n---\njob: a\nrun: x\nvars:\n  - dns\n")
    lost = await cronclave("apply", "lost.yaml")
    assert "lost.yaml:7:5 /vars/0: there is no vars 'dns' in namespace 'default'" in lost.err
    assert (await cronclave("apply", "lost.yaml", "--prune")).code == 2


LOCKED = """\
resource: till
---
job: pays
policies: {locks: [till]}
tasks:
  load: {run: load}
  ask: {needs: [load], approval: {text: Pay?}}
"""


async def test_what_a_job_perhaps_should_not_mean_is_told_and_applied(
    cronclave: Command, tmp_path: Path
) -> None:
    (tmp_path / "plan.yaml").write_text(LOCKED)
    for more in (["--dry-run"], []):
        told = await cronclave("apply", "plan.yaml", *more)
        assert told.code == 0, told
        said = "! default/pays /policies/locks: a run of it holds them while ask waits for a person\n"
        assert said in told.err
        assert "Let those tasks take them that need them" in told.err
