"""Jobs written for another scheduler are read back by its import as jobs that are due at the same instants
and run the same command; what cannot be said there is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cli.exports import FORMATS
from cli.exports.plain import Wanted
from cli.importing.formats.crontab import parse_crontab
from scheduler.model import parse_job
from tests.cli.conftest import Command
from tests.cli.importing.walk import fired, read


def job(cron: str = "30 12 * * 1-5", **more: Any) -> dict[str, Any]:
    trigger = {"cron": cron, "tz": "Europe/Berlin", **more.pop("trigger", {})}
    work = {} if {"run", "exec", "tasks"} & more.keys() else {"run": "date"}
    return {"job": "a", "triggers": [trigger], **work, **more}


def written(format_: str, *jobs: dict[str, Any], **wanted: str) -> tuple[str, dict[str, list[str]]]:
    shapes = [parse_job(each).public() for each in jobs]
    text, notes, refused = FORMATS[format_](shapes, Wanted(**wanted))
    assert refused == {}
    return text, notes


def refusal(format_: str, each: dict[str, Any], **wanted: str) -> str:
    text, _, refused = FORMATS[format_]([parse_job(each).public()], Wanted(**wanted))
    assert "default/a" not in text
    assert "CronJob" not in text
    return refused["a"]


CRONS = [
    "30 12 * * 1-5",
    "*/15 8-18 * * mon-fri",
    "5/20 */2 1,15 jan,jul *",
    "H(0-29) H * * *",
    "0 12 */2 * 1",
    "0 12 13 * 5",
    "@daily",
    "0 12 * * 7",
    "0 12 1-31 * *",
    "0 0 12 * * 0-6",
]


@pytest.mark.parametrize("cron", CRONS)
def test_a_line_of_the_crontab_is_due_as_the_job_is(cron: str) -> None:
    text, _ = written("crontab", job(cron))
    (back,) = parse_crontab(text, tz="Europe/Berlin").jobs
    assert fired(back) == fired(job(cron))


@pytest.mark.parametrize("cron", [cron for cron in CRONS if cron != "0 12 */2 * 1"])
def test_a_cronjob_is_due_as_the_job_is(cron: str) -> None:
    each = job(cron, trigger={"dst": "literal"})
    text, _ = written("kubernetes", each, image="example.org/jobs:1")
    (back,) = read("kubernetes", text).jobs
    assert fired(back) == fired(each)


def test_the_command_comes_back_as_it_was() -> None:
    each = job(run='date +%F; echo "100%"', env={"A": "b 'c'"}, cwd="/srv/my app", stdin="x\n50%\n")
    text, notes = written("crontab", each)
    (back,) = parse_crontab(text, tz="Europe/Berlin").jobs
    assert back["run"] == """export A='b '"'"'c'"'"''; cd '/srv/my app' && date +%F; echo "100%\""""
    assert back["stdin"] == each["stdin"]
    assert any("flock" in note for note in notes["a"])
    argv = written("crontab", job(exec=["echo", "a b"]))[0]
    assert argv.splitlines()[-1] == "30 12 * * 1-5 echo 'a b'"


def test_a_disabled_job_is_a_comment_and_a_suspended_cronjob() -> None:
    assert "\n#30 12 * * 1-5 date\n" in written("crontab", job(enabled=False))[0]
    assert "suspend: true" in written("kubernetes", job(enabled=False), image="i")[0]


def test_a_container_that_was_imported_goes_back() -> None:
    exec_ = [
        "docker",
        "run",
        "--rm",
        "--env",
        "A=b",
        "--workdir",
        "/x",
        "--entrypoint",
        "sh",
        "img",
        "-c",
        "y",
    ]
    text, notes = written("kubernetes", job(exec=exec_, retry={"max": 2}, timeout="10m"))
    (back,) = read("kubernetes", text).jobs
    assert (back["exec"], back["retry"]["max"], back["timeout"]) == (exec_, 2, "10m")
    assert any("all attempts together" in note for note in notes["a"])


@pytest.mark.parametrize(
    ("each", "said"),
    [
        (job("30 0 12 * * *"), "its seconds"),
        (job("0 12 L * *"), "L, W and #"),
        (job("0 12 * * *", trigger={"jitter": "5m"}), "jitter"),
        (job("0 12 * * *", trigger={"valid": {"from": "2027-01-01T00:00:00Z"}}), "a trigger's valid"),
        (job(triggers=[{"every": "5m"}]), "the trigger every"),
        (job(triggers=[]), "without triggers"),
        (job(tasks={"a": {"run": "x"}, "b": {"run": "y"}}), "its 2 tasks"),
        (job(run="x", secrets=["A"]), "its secrets"),
        (job(run="x $CRONCLAVE_PLAN_DATE"), "a variable CRONCLAVE_"),
        (job(requires=[{"job": "b"}]), "its requires"),
        ({"job": "a", "noop": True, "triggers": [{"cron": "0 12 * * *"}]}, "neither run nor exec"),
        (job(params={"x": {"type": "string", "required": True}}, triggers=[]), "each run must be given"),
    ],
)
@pytest.mark.parametrize("format_", FORMATS)
def test_what_cannot_be_said_is_refused(format_: str, each: dict[str, Any], said: str) -> None:
    assert said in refusal(format_, each, image="i")


@pytest.mark.parametrize(
    ("format_", "each", "said"),
    [
        ("crontab", job(run="a\nb"), "several lines"),
        ("crontab", job("0 12 13 * 5", trigger={"days": "both"}), "which cron joins otherwise"),
        ("crontab", job(run="x" * 1000), "998 bytes"),
        ("kubernetes", job("0 12 */2 * 1"), "both days must match"),
        ("kubernetes", job(policies={"overlap": "queue_one"}), "one that waits"),
        ("kubernetes", job(exec=["docker", "run", "--rm", "--gpus", "all", "i"]), "docker run --gpus"),
        ("kubernetes", job(stdin="x"), "its stdin"),
    ],
)
def test_what_one_of_them_cannot_say(format_: str, each: dict[str, Any], said: str) -> None:
    assert said in refusal(format_, each, image="i")


def test_a_crontab_has_one_zone_and_a_command_needs_an_image() -> None:
    assert "the zone Europe/Berlin beside UTC" in refusal("crontab", job(), tz="UTC")
    assert "--image" in refusal("kubernetes", job())


async def test_one_that_cannot_be_said_leaves_nothing_written(cronclave: Command) -> None:
    text = "job: a\nrun: x\ntriggers: {cron: 0 12 * * *}\n---\njob: b\nrun: x\ntriggers: {every: 5m}\n"
    await cronclave("job", "apply", "-", stdin=text)

    both = await cronclave("job", "export", "--as", "crontab")
    one = await cronclave("job", "export", "a", "--as", "crontab")
    neither = await cronclave("job", "export", "a", "-l", "x=y", "--as", "crontab")

    assert (both.code, both.out) == (1, "")
    assert "default/b: the trigger every" in both.err
    assert (one.code, one.out.splitlines()[-1]) == (0, "0 12 * * * x")
    assert "default/a: note: " in one.err
    assert neither.code == 2
