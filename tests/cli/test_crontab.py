"""A crontab of the usual variety: each line fires as under cron, and what cannot be taken is told by line."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from cli.crontab import CrontabImport, parse_crontab
from scheduler.model import parse_job, seed
from scheduler.model.documents import dump_yaml, load_yaml
from scheduler.ticks import schedule

CRONTAB = r"""# the usual variety
SHELL=/bin/bash
PATH="/usr/local/bin:/usr/bin:/bin"
MAILTO=ops@example.org

*/5 * * * * /usr/local/bin/poll --quiet
0 2 * * 1-5 /opt/backup.sh full >> /var/log/backup.log 2>&1
30 2 * * * /opt/in-the-gap.sh
0 3 * * sun pg_dump shop | gzip > /backup/shop-$(date +\%F).sql.gz
15,45 8-18/2 * * mon-fri /opt/office hours
0 0 1 jan,apr,jul,oct * /opt/quarter
0 0 1,15 * 5 /opt/either
0 12 */2 * 1 /opt/both
0 0 * * 7 /opt/weekly
0 0 * * 0,7 /opt/weekly --twice
@daily cd /srv/app && ./manage.py clearsessions
@hourly /opt/hourly
@weekly /opt/rotate
@monthly /opt/invoice
@yearly /opt/happy-new-year
@midnight /opt/midnight
@reboot /usr/local/bin/start-thing
30 8 1,15 * * mail -s "Report" boss@example.org%Dear boss,%%all is well.%Yours
59/15 * * * * /bin/late
10-50/10 1 * 2-4 * /opt/spring
    # an indented comment
23 0-20/2 * * * /opt/even
0 22 * * FRI,SAT /opt/party
5 4 29 2 * /opt/leap
*/7 6 * * 2-4 [ -x /bin/x ] && FOO=1 /bin/x
CRON_TZ=America/New_York
30 1,2 * * * python3 /opt/etl/load.py --day today
17 * 31 12 * /opt/sylvester
0 0 30 2 * /bin/never
61 * * * * /bin/bad
hello
"""


def packaged_zone(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as source:
        return ZoneInfo.from_file(source, key=name)


def imported(text: str, **options: Any) -> CrontabImport:
    return parse_crontab(text, **options)


def expression_of(line: str) -> str:
    aliases = {
        **{"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *", "@weekly": "0 0 * * 0"},
        **{"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *"},
    }
    first = line.split()[0]
    return aliases.get(first) or " ".join(line.split()[:5])


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 11, 21, 12, tzinfo=UTC),
        datetime(2026, 3, 28, 12, tzinfo=UTC),
        datetime(2026, 10, 24, 12, tzinfo=UTC),
        datetime(2026, 3, 7, 12, tzinfo=UTC),
        datetime(2026, 10, 31, 12, tzinfo=UTC),
    ],
)
def test_the_next_five_firings_of_each_line_equal_cronsims(start: datetime) -> None:
    result = imported(CRONTAB, tz="Europe/Berlin")
    assert len(result.jobs) == 25
    start_ms = round(start.timestamp() * 1000)
    for data in result.jobs:
        (trigger,) = seed(parse_job(data), start_ms).triggers
        tz = packaged_zone(data["triggers"][0]["tz"])
        oracle = CronSim(expression_of(data["description"]), start.astimezone(tz))
        expected = [round(instant.timestamp() * 1000) for instant in islice(oracle, 5)]
        assert schedule(trigger.spec).upcoming(start_ms, 5) == expected, data["description"]


def test_what_cannot_be_taken_is_told_by_line() -> None:
    result = imported(CRONTAB, tz="Europe/Berlin")
    reasons = {CRONTAB.split("\n")[p.line - 1]: p.reason for p in result.problems}
    assert "names no instant" in reasons["@reboot /usr/local/bin/start-thing"]
    assert "never fires" in reasons["0 0 30 2 * /bin/never"]
    assert "61 is outside 0-59" in reasons["61 * * * * /bin/bad"]
    assert "no crontab line" in reasons["hello"]
    assert len(reasons) == 4


def test_what_is_taken_with_a_difference_is_noted() -> None:
    notes = {(n.text, n.reason) for n in imported(CRONTAB).notes}
    assert any(text.startswith("MAILTO") for text, _ in notes)
    assert any(text.startswith("59/15") and "59 alone" in reason for text, reason in notes)
    assert any(text.startswith("*/7") and "starts again" in reason for text, reason in notes)
    assert any(text.startswith("0 0 1,15 * 5") and "either one" in reason for text, reason in notes)


def job_of(result: CrontabImport, stem: str) -> dict[str, Any]:
    (job,) = (job for job in result.jobs if job["job"].rpartition("-")[0] == stem)
    return job


def test_the_command_runs_as_under_cron() -> None:
    result = imported(CRONTAB)
    assert job_of(result, "pg-dump")["exec"] == [
        *("/bin/bash", "-c"),
        "pg_dump shop | gzip > /backup/shop-$(date +%F).sql.gz",
    ]
    mail = job_of(result, "mail")
    assert mail["exec"][2] == 'mail -s "Report" boss@example.org'
    assert mail["stdin"] == "Dear boss,\n\nall is well.\nYours\n"
    assert mail["env"] == {"SHELL": "/bin/bash", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    assert mail["policies"] == {"overlap": "allow", "catchup": {"mode": "none"}}
    assert mail["description"].startswith("30 8 1,15 * * mail")
    assert job_of(result, "load")["triggers"] == [{"cron": "30 1,2 * * *", "tz": "America/New_York"}]
    plain = imported("HOME=/srv/app\n1 1 * * * make\n").jobs[0]
    assert (plain["run"], plain["cwd"], plain["env"]) == ("make", "/srv/app", {"HOME": "/srv/app"})


def test_environment_holds_for_the_lines_below_it() -> None:
    first, second, third = imported("1 1 * * * a\nX = 'b c'\n1 1 * * * b\nX=\n1 1 * * * c\n").jobs
    assert "env" not in first
    assert second["env"] == {"X": "b c"}
    assert third["env"] == {"X": ""}


SYSTEM = """\
17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
25 6\t* * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
0 1 * * * alice /home/alice/x.sh
"""


def test_the_user_column_is_found_out_or_told() -> None:
    result = imported(SYSTEM)
    assert result.user_column
    assert [job["labels"]["user"] for job in result.jobs] == ["root", "root", "alice"]
    assert result.jobs[0]["run"] == "cd / && run-parts --report /etc/cron.hourly"
    assert result.jobs[0]["triggers"] == [{"cron": "17 * * * *", "tz": "UTC"}]
    assert not imported(SYSTEM, user_column=False).user_column
    assert imported("0 1 * * * deploy /x", filename="/etc/cron.d/x").jobs[0]["run"] == "/x"
    assert not imported("0 1 * * * backup --full\n").user_column
    assert not imported(CRONTAB).user_column
    assert any("not as root" in note.reason for note in result.notes)


def test_names_are_stable_and_unique() -> None:
    names = [job["job"] for job in imported(CRONTAB).jobs]
    assert len(set(names)) == len(names)
    backwards = "\n".join(reversed(CRONTAB.split("\n")))
    assert {job["job"] for job in imported(backwards).jobs} == set(names)
    first = imported("0 1 * * * /opt/x\n").jobs[0]["job"]
    assert first == imported("0 2 * * * /opt/x\n").jobs[0]["job"]
    same = [job["job"] for job in imported("0 1 * * * /opt/x\n0 2 * * * /opt/x\n0 2 * * * /opt/x\n").jobs]
    assert same[0] == first
    assert len(set(same)) == 3


def test_the_jobs_survive_the_way_through_a_file() -> None:
    jobs = list(imported(CRONTAB).jobs)
    assert [document.data for document in load_yaml(dump_yaml(jobs), "jobs.yaml")] == jobs


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("* * * * *", "command is missing"),
        ("@dayly x", "did you mean @daily?"),
        ("0~30 1 * * * x", "where a number is expected"),
        ("0 1 * * * %only stdin", "command is missing"),
        ("CRON_TZ=Mars/Base", "unknown time zone"),
        ("CRONCLAVE_FENCE=1", "cannot be a task's variable"),
        ("@reboot", "names no instant"),
    ],
)
def test_odd_lines(line: str, said: str) -> None:
    result = imported(line)
    assert result.jobs == ()
    (problem,) = result.problems
    assert problem.line == 1
    assert said in problem.reason
