"""A crontab of the usual variety: each line fires as under cron, and what cannot be taken is told by line."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from cli.importing.formats.crontab import CrontabImport, family, parse_crontab
from scheduler.model import parse_job, prepare
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

PATH = {"PATH": "/usr/bin:/bin"}  #: what cron gives where a crontab sets none


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
    assert len(result.jobs) == 24
    start_ms = round(start.timestamp() * 1000)
    for data in result.jobs:
        (trigger,) = prepare(parse_job(data), start_ms).triggers
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
    assert "another cron's: say whose with --dialect" in reasons["59/15 * * * * /bin/late"]
    assert len(reasons) == 5


def test_what_is_taken_with_a_difference_is_noted() -> None:
    notes = {(n.text, n.reason) for n in imported(CRONTAB, dialect="cronie").notes}
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
    assert job_of(result, "load")["triggers"] == [{"cron": "30 1,2 * * *", "tz": "UTC"}]
    plain = imported("HOME=/srv/app\n1 1 * * * make\n").jobs[0]
    assert (plain["run"], plain["cwd"], plain["env"]) == ("make", "/srv/app", {"HOME": "/srv/app", **PATH})


def test_environment_holds_for_the_lines_below_it() -> None:
    first, second, third = imported("1 1 * * * a\nX = 'b c'\n1 1 * * * b\nX=\"\"\n1 1 * * * c\n").jobs
    assert first["env"] == PATH
    assert second["env"] == {"X": "b c", **PATH}
    assert third["env"] == {"X": "", **PATH}


@pytest.mark.parametrize("dialect", ["debian", "cronie"])
def test_commands_have_the_path_that_cron_gives_where_the_crontab_sets_none(dialect: str) -> None:
    result = imported("1 1 * * * a\nPATH=/opt/bin:/bin\n2 1 * * * b\n", dialect=dialect)

    assert [job["env"]["PATH"] for job in result.jobs] == ["/usr/bin:/bin", "/opt/bin:/bin"]
    assert not result.notes


def test_where_it_is_not_known_which_path_a_cron_gives_that_is_noted() -> None:
    result = imported("1 1 * * * a\n", dialect="supercronic")

    assert "env" not in result.jobs[0]
    assert any("the PATH of the agent, not of supercronic" in note.reason for note in result.notes)
    told = imported("PATH=/bin\n1 1 * * * a\n", dialect="supercronic").notes
    assert not any("PATH" in note.reason for note in told)


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


def by_name(result: CrontabImport) -> dict[str, dict[str, Any]]:
    assert len({job["job"] for job in result.jobs}) == len(result.jobs)
    return {job["job"]: job for job in result.jobs}


def test_the_same_lines_in_any_order_are_the_same_jobs() -> None:
    lines = [line for line in CRONTAB.split("\n") if line[:1] in set("0123456789*@") or "weekly" in line]
    lines += ["1 2 * * * /opt/weekly", "1 1 * * * /opt/weekly", "1 1 * * * /opt/weekly"]

    assert by_name(imported("\n".join(reversed(lines)))) == by_name(imported("\n".join(lines)))


TWICE = ("0 1 * * * /opt/x", "0 2 * * * /opt/x")


@pytest.mark.parametrize(
    ("later", "due"),
    [
        (TWICE[::-1], {"0 1 * * *", "0 2 * * *"}),
        (TWICE[1:], {"0 2 * * *"}),
        (("0 3 * * * /opt/x", TWICE[1]), {"0 2 * * *", "0 3 * * *"}),
    ],
    ids=["exchanged", "the first deleted", "one changed"],
)
def test_a_second_import_leaves_no_second_job_with_the_command(later: tuple[str, ...], due: set[str]) -> None:
    cluster = by_name(imported("\n".join(TWICE)))

    cluster |= by_name(imported("\n".join(later)))

    fires = [trigger["cron"] for job in cluster.values() for trigger in job["triggers"]]
    assert sorted(fires) == sorted(due)


def test_two_crontabs_with_the_same_line_are_two_jobs() -> None:
    one, other = (imported("0 1 * * * /opt/x\n", source=host).jobs[0] for host in ("root@a", "root@b"))

    assert one["job"] != other["job"]


@pytest.mark.parametrize("slug", ["x", "deploy-abcdef", "a-1234"])
def test_jobs_of_one_command_are_one_family(slug: str) -> None:
    text = f"0 1 * * * {slug}\nA=1\n" + "".join(f"{n % 60} {n // 60} * * * {slug}\n" for n in range(250))
    several = {job["job"] for job in imported(text).jobs}
    (plain,) = (job["job"] for job in imported(f"0 1 * * * {slug}\n").jobs)
    (another,) = (job["job"] for job in imported(f"0 1 * * * {slug} 1\n").jobs)

    assert len(several) == 4
    assert {family(name) for name in several} == {family(plain)} == {plain}
    assert family(another) != plain


def test_a_line_that_stands_twice_runs_twice() -> None:
    (job,) = imported("0 1 * * * /opt/x\n0 1 * * * /opt/x\n").jobs

    assert [trigger["cron"] for trigger in job["triggers"]] == ["0 1 * * *"] * 2
    assert len({trigger.key for trigger in parse_job(job).triggers}) == 2


def test_one_command_under_two_environments_is_two_jobs_whatever_their_order() -> None:
    one, other = "A=1\n0 1 * * * x\n", "A=2\n0 2 * * * x\n"

    assert by_name(imported(one + other)) == by_name(imported(other + one))
    assert len(imported(one + other).jobs) == 2


def test_more_lines_of_one_command_than_a_job_has_triggers_are_several_jobs() -> None:
    lines = "\n".join(f"{n % 60} {n // 60} * * * x" for n in range(250))

    jobs = by_name(imported(lines))

    assert [len(job["triggers"]) for job in jobs.values()] == [100, 100, 50]
    for job in jobs.values():
        parse_job(job)


def test_the_jobs_survive_the_way_through_a_file() -> None:
    jobs = list(imported(CRONTAB).jobs)
    assert [document.data for document in load_yaml(dump_yaml(jobs), "jobs.yaml")] == jobs


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("* * * * *", "command is missing"),
        ("@dayly x", "did you mean @daily?"),
        ("0~30 1 * * * x", "H(0-30) is a fixed one"),
        ("~ 1 * * * x", "H(0-59) is a fixed one"),
        ("0 0 * * 5-1 x", "5-1 runs backwards: this line never ran"),
        ("0 22-4 * * * x", "22-4 runs backwards: this line never ran"),
        ("50-10 * * * * x", "50-10 runs backwards: this line never ran"),
        ("0 0 1 nov-feb * x", "nov-feb runs backwards: this line never ran"),
        ("5/20 * * * * x", "refuses the whole file"),
        ("0 0 ? * 1 x", "refuses the whole file"),
        ("0 0 L * * x", "refuses the whole file"),
        ("0 0 15W * * x", "refuses the whole file"),
        ("0 0 * * 5L x", "refuses the whole file"),
        ("H 0 * * * x", "refuses the whole file"),
        ("@DAILY x", "refuses the whole file"),
        ("*/10 * * * * * /app/poll", "a sixth field"),
        ("0 */10 * * * 1-5 /app/poll", "a sixth field"),
        ("1 1 * * * caf\udce9 --full", "character 14 is the byte 0xE9, which is no UTF-8"),
        ("0 1 * * * %only stdin", "command is missing"),
        ("CRONCLAVE_FENCE=1", "cannot be a task's variable"),
        ("@reboot", "names no instant"),
        ("@every 10m x", "use the trigger `every: 10m`"),
        ("0 0 L-2 * * x", "refuses the whole file"),
        ("-0 1 * * * x", "refuses the whole file"),
        ("0 0 * * sunday x", "did you mean sun?"),
        ("MAILTO=", "a name without a value"),
        ('A="b" # c', "a value after its quotes"),
        ("A='b", "a value after its quotes"),
        ("1A=x", "cannot be a task's variable"),
        ("A-B = x", "cannot be a task's variable"),
    ],
)
def test_odd_lines(line: str, said: str) -> None:
    result = imported(line)
    assert result.jobs == ()
    (problem,) = result.problems
    assert problem.line == 1
    assert said in problem.reason


def test_the_zone_and_delay_of_the_lines_below_are_cronies_alone() -> None:
    text = "CRON_TZ=Asia/Tokyo\nRANDOM_DELAY=5\n0 1 * * * x\n"
    debian, cronie = imported(text), imported(text, dialect="cronie")

    assert debian.jobs[0]["triggers"] == [{"cron": "0 1 * * *", "tz": "UTC"}]
    assert debian.jobs[0]["env"] == {"CRON_TZ": "Asia/Tokyo", "RANDOM_DELAY": "5", **PATH}
    assert ["--dialect cronie" in note.reason for note in debian.notes] == [True, True]
    assert cronie.jobs[0]["triggers"] == [{"cron": "0 1 * * *", "tz": "Asia/Tokyo", "jitter": "5m"}]
    assert cronie.jobs[0]["env"] == PATH
    (problem,) = imported("CRON_TZ=Mars/Base\n", dialect="cronie").problems
    assert "unknown time zone" in problem.reason


def test_what_debian_cron_reads_in_its_own_way_is_taken_that_way() -> None:
    result = imported("0 0 * * 1#5 x\n0 1 * jul thu y\n1 1 1 * * wc -c%\n")

    assert [job["triggers"][0]["cron"] for job in result.jobs] == ["0 0 * * 1", "0 1 * jul thu", "1 1 1 * *"]
    assert result.notes[0].reason == "day of week: cron dropped the #5 of 1#5 and read 1"
    assert (result.jobs[2]["run"], "stdin" in result.jobs[2]) == ("wc -c", False)


@pytest.mark.parametrize(
    ("line", "cron"),
    [
        ("0 0 * * 1#5,2 x", "0 0 * * 1"),
        ("4.30 2 * * * x", "4 2 * * *"),
        ("*-15 2 * * * x", "* 2 * * *"),
        ("*/100 2 * * * x", "*/100 2 * * *"),
        ("*/5/2 2 * * * x", "*/5 2 * * *"),
        ("1-5-9 2 * * * x", "1-5 2 * * *"),
    ],
)
def test_what_belongs_to_nothing_is_dropped_as_debian_cron_drops_it(line: str, cron: str) -> None:
    (job,) = imported(line + "\n").jobs
    assert job["triggers"] == [{"cron": cron, "tz": "UTC"}]


GOOD = "0 1 * * * x\n"


@pytest.mark.parametrize(
    "minute", ["*/", "*/x", "*/5x", "*/0", "5/x", "5/2", "1-5/", "5-", "-", "1,", "5x", "10-60", "60-10"]
)
def test_numbers_that_debian_cron_refuses_are_refused(minute: str) -> None:
    result = imported(f"{minute} 2 * * * x\n{GOOD}")

    assert [problem.line for problem in result.problems] == [1]
    assert any("refuses the whole file (line 1)" in note.reason for note in result.notes)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GOOD.rstrip(), "it does not end in a line feed"),
        ("\ufeff" + GOOD, "line 1, it begins with a byte order mark"),
        ("\r\n" + GOOD, "line 1, the line is empty but for a carriage return"),
        (GOOD + "A=\n", "line 2"),
        (GOOD + "61 * * * * y\n", "line 2"),
        (GOOD + "0/5 * * * * y\n", "line 2"),
        (GOOD + "@Reboot y\n", "line 2"),
        (GOOD + "@every 10m y\n", "line 2"),
        (GOOD + ">> log 2>&1\n", "line 2"),
    ],
)
def test_one_line_that_debian_cron_cannot_read_costs_it_the_whole_file(text: str, why: str) -> None:
    def said(dialect: str) -> list[str]:
        notes = imported(text, dialect=dialect).notes
        return [note.reason for note in notes if "refuses the whole file" in note.reason]

    assert said("debian") == [f"Debian's cron refuses the whole file ({why}): not one line of it ran there"]
    assert said("cronie") == []
    assert [job["run"] for job in imported(text).jobs] == ["x"]


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("* x", "begins with *"),
        ("*/5 x", "begins with *"),
        ("*.sh", "begins with *"),
        ("a" * 999, "longer than 998 bytes"),
        ("é" * 500, "longer than 998 bytes"),
        ("a" * 998, ""),
        ("é" * 499, ""),
        ("5*.sh", ""),
    ],
)
def test_commands_that_cost_debian_cron_the_whole_file_are_not_taken(rest: str, said: str) -> None:
    result = imported(f"{GOOD}0 1 * * * {rest}\n")

    assert [said in problem.reason for problem in result.problems] == [True] * bool(said)
    assert any("refuses the whole file (line 2)" in note.reason for note in result.notes) is bool(said)
    assert len(imported(f"0 1 * * * {'a' * 999}\n", dialect="cronie").jobs) == 1


@pytest.mark.parametrize("text", [GOOD, GOOD + "0 0 30 2 * y\n", GOOD + "0 22-4 * * * y\n", "A=b #\n" + GOOD])
def test_what_debian_cron_installs_is_not_called_refused(text: str) -> None:
    assert not any("refuses" in note.reason for note in imported(text).notes)


@pytest.mark.parametrize(
    ("line", "value", "noted"),
    [("A=b # c", "b # c", True), ("A='b # c'", "b # c", False), ("A=b#c", "b#c", False), ("A=b", "b", False)],
)
def test_a_comment_behind_a_value_is_part_of_it(line: str, value: str, noted: bool) -> None:
    result = imported(f"{line}\n{GOOD}")

    assert result.jobs[0]["env"] == {"A": value, **PATH}
    assert ["no comments behind a value" in note.reason for note in result.notes] == [True] * noted


def test_the_carriage_returns_of_another_system_are_left_out_and_told() -> None:
    result = imported("A=b\r\n0 1 * * * x --all\r\n")

    assert (result.jobs[0]["run"], result.jobs[0]["env"]) == ("x --all", {"A": "b", **PATH})
    assert ["CR LF" in note.reason for note in result.notes] == [True]


@pytest.mark.parametrize(
    ("schedule", "noted"),
    [("10,40 2 * * *", True), ("*/20 2 * * *", False), ("10 2 * * *", False), ("10,40 8 * * *", False)],
)
def test_that_one_run_is_made_up_where_cron_makes_several_is_noted(schedule: str, noted: bool) -> None:
    reasons = [note.reason for note in imported(f"{schedule} x\n", tz="Europe/Berlin").notes]
    assert any("makes up each" in reason for reason in reasons) is noted


@pytest.mark.parametrize(
    ("dialect", "line", "trigger"),
    [
        ("debian", "5 1 * * * x", {"cron": "5 1 * * *", "tz": "Europe/Berlin"}),
        ("cronie", "5/20 1 * * * x", {"cron": "5/20 1 * * *", "tz": "Europe/Berlin"}),
        ("busybox", "5 1 * * * x", {"cron": "5 1 * * *", "tz": "Europe/Berlin", "dst": "literal"}),
        ("systemd-cron", "5 1 */2 * 1 x", {"cron": "5 1 */2 * 1", "tz": "Europe/Berlin", "dst": "skip"}),
        ("supercronic", "5 1 1 * 5 x", {"cron": "5 1 1 * 5", "tz": "Europe/Berlin", "dst": "skip"}),
        (
            "supercronic",
            "5 1 */2 * 5 x",
            {"cron": "5 1 */2 * 5", "tz": "Europe/Berlin", "dst": "skip", "days": "either"},
        ),
        (
            "systemd-cron",
            "5 1 13 * 5 x",
            {"cron": "5 1 13 * 5", "tz": "Europe/Berlin", "dst": "skip", "days": "both"},
        ),
    ],
)
def test_each_dialect_fires_as_its_cron_did(dialect: str, line: str, trigger: dict[str, str]) -> None:
    (job,) = imported(line, dialect=dialect, tz="Europe/Berlin").jobs
    assert job["triggers"] == [trigger]


def test_a_range_that_systemd_cron_reads_wrongly_is_not_taken() -> None:
    (problem,) = imported("5 1 * * 5-7 x", dialect="systemd-cron").problems
    assert "reads ranges to 7 wrongly" in problem.reason


@pytest.mark.parametrize(
    ("text", "filename", "taken", "said"),
    [
        ("*/5 * * * * git pull origin master\n", "crontab", False, ""),
        ("0 1 * * * backup --full\n", "crontab", False, ""),
        ("0 1 * * * mail /etc/motd\n", "crontab", False, "--user-column"),
        ("0 1 * * * deploy /srv/run\n", "crontab", False, "--user-column"),
        ("0 1 * * * deploy /srv/run\n", "/etc/cron.d/deploy", True, ""),
        ("0 1 * * * root /srv/run\n0 2 * * * deploy /srv/run\n", "crontab", True, "--no-user-column"),
        ("0 1 * * * root /srv/run\n0 2 * * * /srv/run\n", "crontab", False, ""),
    ],
)
def test_a_user_is_guessed_only_where_every_line_supports_it(
    text: str, filename: str, taken: bool, said: str
) -> None:
    result = imported(text, filename=filename)
    assert result.user_column is taken
    of_the_file = [note.reason for note in result.notes if not note.line]
    assert [said in reason for reason in of_the_file] == [True] * bool(said)


def test_one_foreign_byte_costs_its_line_alone() -> None:
    text = b"1 1 * * * ok\n2 2 * * * caf\xe9\n# caf\xe9\n3 3 * * * fine\n".decode("utf-8", "surrogateescape")

    result = imported(text)

    assert [job["run"] for job in result.jobs] == ["ok", "fine"]
    assert [problem.line for problem in result.problems] == [2]


@pytest.mark.parametrize(
    ("command", "noted"),
    [("nohup /opt/x &", True), ("/opt/x >/y 2>&1 & ", True), ("/opt/x && /opt/y", False), ("x 2>&1", False)],
)
def test_what_a_line_leaves_in_the_background_is_noted(command: str, noted: bool) -> None:
    reasons = [note.reason for note in imported(f"1 1 * * * {command}\n").notes]
    assert any("setsid COMMAND" in reason for reason in reasons) is noted


def test_mailto_becomes_mails_of_what_the_lines_below_write() -> None:
    text = (
        '0 1 * * * /opt/before\nMAILTO="ops@example.org, dba@example.org"\n0 2 * * * /opt/both\n'
        "MAILTO=root,boss@example.org\n0 3 * * * /opt/boss\nMAILTO=root\n0 4 * * * /opt/root\n"
        'MAILTO=""\n0 5 * * * /opt/nobody\nMAILFROM=cron@example.org\n'
    )
    result = imported(text)

    notices = {job["run"]: job.get("notify") for job in result.jobs}
    assert notices == {
        "/opt/before": None,
        "/opt/both": [{"on": ["output"], "email": ["ops@example.org", "dba@example.org"]}],
        "/opt/boss": [{"on": ["output"], "email": ["boss@example.org"]}],
        "/opt/root": None,
        "/opt/nobody": None,
    }
    notes = {note.line: note.reason for note in result.notes}
    assert notes[4] == (
        "MAILTO becomes mails to boss@example.org of what a run wrote; the nodes need [mail]"
        "; MAILTO: root left out: a mail needs an address with an @"
    )
    assert notes[8] == "MAILTO is empty: nobody is mailed, and output is kept with each run"
    assert "MAILFROM is left out" in notes[10]
