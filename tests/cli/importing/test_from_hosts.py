"""Timers, an anacrontab, folders of run-parts: what becomes of them, and what is told by line."""

from __future__ import annotations

import pytest

from tests.cli.importing.walk import one, read, read_all, refused

TIMER = """\
[Unit]
Description=Backup
[Timer]
OnCalendar=daily
OnCalendar=
OnCalendar=Fri 02:30
OnCalendar=25:00
Persistent=true
RandomizedDelaySec=1h 30min
[Install]
WantedBy=timers.target
"""
SERVICE = """\
[Service]
Type=oneshot
User=backup
Environment="A=b c" \\
  D=e
ExecStartPre=-/bin/mkdir -p /x
ExecStart=/usr/bin/backup --to ${A} 'b c' $D 100%%
TimeoutStartSec=90
ProtectSystem=strict
"""


def test_a_timer_brings_the_commands_of_its_service() -> None:
    found = read_all("systemd", {"u/backup.timer": TIMER, "u/backup.service": SERVICE}, tz="Europe/Berlin")
    (job,) = found.jobs
    assert job["triggers"] == [{"cron": "30 2 * * 5", "tz": "Europe/Berlin", "dst": "skip", "jitter": "90m"}]
    assert job["policies"] == {"overlap": "skip", "catchup": {"mode": "latest", "window": "3650d"}}
    first, second = job["tasks"].values()
    assert (first["exec"], first["allow_failure"]) == (["/bin/mkdir", "-p", "/x"], True)
    assert second["run"] == "exec /usr/bin/backup --to \"${A}\" 'b c' $D 100%"
    assert second["env"] == {"A": "b c", "D": "e"}
    assert (second["run_as"], second["timeout"], second["needs"]) == ("backup", "90s", ["step-1"])
    (bad,) = found.problems
    assert (bad.file, bad.line) == ("u/backup.timer", 7)
    assert ("u/backup.service", 9) in [(note.file, note.line) for note in found.notes]


def test_times_since_a_boot_or_the_last_end_are_triggers_too() -> None:
    timer = "[Timer]\nOnBootSec=15min\nOnUnitInactiveSec=1h\n"
    found = read_all("systemd", {"a.timer": timer, "a.service": "[Service]\nExecStart=/bin/x\n"}, pool="web")
    assert one(found)["triggers"] == [
        {"startup": {"pool": "web", "delay": "15m"}},
        {"every": {"delay": "1h"}},
    ]


@pytest.mark.parametrize(
    ("timer", "service", "said"),
    [
        ("OnCalendar=daily", "ExecStart=/bin/x %i", "known to that host's systemd alone"),
        ("OnCalendar=daily", "Type=oneshot", "has no ExecStart"),
        ("OnCalendar=sometimes", "ExecStart=/bin/x", "no day of the week"),
        ("Persistent=true", "ExecStart=/bin/x", "no time at which it would run"),
        ("Unit=other.service", "ExecStart=/bin/x", "other.service, which it starts, is not among the files"),
    ],
)
def test_a_timer_that_cannot_be_taken_says_why(timer: str, service: str, said: str) -> None:
    texts = {"a.timer": f"[Timer]\n{timer}\n", "a.service": f"[Service]\n{service}\n"}
    assert said in refused(read_all("systemd", texts))


def test_an_anacrontab_and_a_folder_of_run_parts() -> None:
    found = read(
        "anacron", "SHELL=/bin/bash\nRANDOM_DELAY=45\nMAILTO=root\n@weekly 5 w nice x\n0 5 z x\nwhat\n"
    )
    (job,) = found.jobs
    assert (job["exec"], job["triggers"][0]["jitter"]) == (["/bin/bash", "-c", "nice x"], "45m")
    assert job["policies"]["catchup"] == {"mode": "latest", "window": "3650d"}
    assert [p.line for p in found.problems] == [5, 6]
    folder = read_all("runparts", {f"/etc/cron.daily/{name}": "" for name in ("b", "a", "x.sh")})
    assert {name: task.get("rule") for name, task in one(folder)["tasks"].items()} == {
        "a": None,
        "b": "all_done",
    }
    assert any(note.file.endswith("x.sh") for note in folder.notes)
    assert "none of cron.hourly" in refused(read_all("runparts", {"/opt/scripts/a": ""}))
