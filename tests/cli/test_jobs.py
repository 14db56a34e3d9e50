"""Job files to the cluster and back."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from ruamel.yaml import YAML

from cli.differing import COUNT, SHOWN_MAX, moved
from tests.api.planning import planning
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command

TWO_JOBS = """\
job: extract
triggers: {cron: "0 2 * * *", tz: Europe/Berlin}
run: ./extract.sh
---
job: report
namespace: finance
params: {day: {type: string}, copies: {type: integer, default: 1}}
tasks:
  a: {run: echo a}
  b: {needs: [a], run: echo b}
"""


async def test_a_folder_is_applied_and_the_difference_shown(cronclave: Command, tmp_path: Path) -> None:
    (tmp_path / "jobs" / "deep").mkdir(parents=True)
    (tmp_path / "jobs" / "deep" / "two.yaml").write_text(TWO_JOBS)
    (tmp_path / "jobs" / "one.json").write_text('{"job": "third", "noop": true}')
    (tmp_path / "jobs" / "README.md").write_text("no job")

    dry = await cronclave("job", "apply", "jobs", "--dry-run")
    first = await cronclave("job", "apply", "jobs")
    again = await cronclave("job", "apply", "jobs", "-o", "json")

    assert "3 would be created" in dry.out
    assert "+ default/extract  created, revision 1" in first.out
    assert "+ finance/report  created, revision 1" in first.out
    assert [job["name"] for job in json.loads(again.out)["unchanged"]] == ["extract", "report", "third"]


async def test_a_dry_run_shows_which_fields_and_which_ticks_are_others(cronclave: Command) -> None:
    job = "job: report\ndescription: {}\ntriggers: {{cron: '0 2 * * *'}}\nnoop: true\n"
    new = await cronclave("job", "apply", "-", "--dry-run", stdin=job.format("old"))
    assert len(re.findall(r"^\+ tick \S+T02:00:00Z of default/report$", new.out, re.MULTILINE)) == 3
    await cronclave("job", "apply", "-", stdin=job.format("old"))

    words = await cronclave("job", "apply", "-", "--dry-run", stdin=job.format("new"))
    assert "-description: old\n+description: new\n" in words.out
    assert "tick" not in words.out
    assert "~ default/report  changed\n0 would be created, 1 would be changed" in words.out

    times = job.format("old").replace("0 2 * * *", "0 2,14 * * *")
    more = await cronclave("apply", "-", "--dry-run", stdin=times)
    assert re.findall(r"^[+-] tick \S+T(\d\d)", more.out, re.MULTILINE) == ["14"] * 3
    none = await cronclave("apply", "-", "--dry-run", stdin=job.format("old") + "enabled: false\n")
    assert re.findall(r"^([+-]) tick \S+T(\d\d)", none.out, re.MULTILINE) == [("-", "02")] * 3
    bound = times.replace("cron:", "calendar: {exclude: [bank]}, cron:")
    bound += "---\ncalendar: bank\nweekend: [fri]\n"
    unknown = await cronclave("apply", "-", "--dry-run", stdin=bound)
    assert "ticks of default/report: known once what it refers to is there" in unknown.out
    same = await cronclave("job", "apply", "-", "--dry-run", stdin=job.format("old"))
    assert same.out.startswith("0 would be created")
    many = "---\n".join(job.format("old").replace("report", f"new-{n}") for n in range(SHOWN_MAX + 2))
    some = await cronclave("apply", "-", "--dry-run", stdin=many)
    assert len(re.findall(r"^\+ tick", some.out, re.MULTILINE)) == 3 * SHOWN_MAX
    assert "2 more that are new, whose ticks are not shown" in some.err


def test_ticks_are_compared_as_far_as_both_are_known() -> None:
    old, new = [f"{day:02}" for day in range(1, COUNT + 1)], [f"{day:02}" for day in range(2, COUNT + 12, 2)]
    assert moved(old, new) == (["01", "03", "05", "07", "09"], [])
    assert moved((), ["05"]) == ([], ["05"])
    assert moved(["05"], []) == (["05"], [])


async def test_of_a_folder_that_cannot_be_read_nothing_is_applied(cronclave: Command, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "one.json").write_text('{"job": "third", "noop": true}')
    deep = os.open(tmp_path / "jobs", os.O_RDONLY)
    for _ in range(20):  # deeper than a path can say
        os.mkdir("d" * 250, dir_fd=deep)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)

    refused = await cronclave("job", "apply", "jobs")

    assert refused.code == 1
    assert "cannot be read: File name too long" in refused.err
    assert (await cronclave("job", "show", "third")).code != 0


async def test_standard_input_is_a_file_too(cronclave: Command) -> None:
    result = await cronclave("job", "apply", "-", stdin="job: piped\nnoop: true\n")

    assert "+ default/piped" in result.out


async def test_all_or_none(cronclave: Command, node: SingleNode, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("job: good\nnoop: true\n")
    (tmp_path / "bad.yaml").write_text("job: bad\n")
    before = node.index

    result = await cronclave("job", "apply", "good.yaml", "bad.yaml")

    assert result.code == 1
    assert "bad.yaml:1:1" in result.err
    assert node.index == before


async def test_a_name_twice_is_told_with_both_places(cronclave: Command) -> None:
    result = await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\n---\njob: a\nnoop: true\n")

    assert result.code == 1
    assert "(stdin):4:1: job default/a is defined already at (stdin):1:1" in result.err


async def test_more_jobs_than_one_request_takes(
    cronclave: Command, node: SingleNode, tmp_path: Path
) -> None:
    text = "---\n".join(f"job: job-{i}\nnoop: true\n" for i in range(1001))
    (tmp_path / "many.yaml").write_text(text)

    of_git = ("--source", "git")
    async with planning(node):
        result = await cronclave("apply", "many.yaml", *of_git)
        listed = await cronclave("job", "list", "--limit", "2000", "-o", "json")
        assert "--limit" in (await cronclave("job", "list", "--limit", "7")).err
        (tmp_path / "few.yaml").write_text("job: job-7\nnoop: true\n---\njob: other\nnoop: true\n")
        prune = ("few.yaml", *of_git, "--prune")
        many = await cronclave("apply", *prune)
        dry = await cronclave("diff", *prune, "--prune-max", "1000")
        done = await cronclave("apply", *prune, "--prune-max", "1000")

    assert "1001 created" in result.out
    assert len(json.loads(listed.out)) == 1001
    assert "1000 of the 1001 that source 'git' owns would be deleted, 500 at most" in many.err
    assert "- default/job-0  deleted\n" in dry.out
    assert "- … and 900 more\n" in dry.out
    assert "1 would be created, 0 would be changed, 1 unchanged, 1000 would be deleted" in dry.out
    assert "1 created, 0 changed, 1 unchanged, 1000 deleted" in done.out
    assert sorted(await names(cronclave)) == ["job-7", "other"]


async def test_what_get_prints_can_be_applied_again(cronclave: Command, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO_JOBS)
    await cronclave("job", "apply", "two.yaml")

    got = await cronclave("job", "get", "report", "-n", "finance", "--definition")
    (tmp_path / "got.yaml").write_text(got.out)
    again = await cronclave("job", "apply", "got.yaml")

    assert "0 created, 0 changed, 1 unchanged" in again.out


async def test_parameters_take_the_types_that_the_job_declares(cronclave: Command, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO_JOBS)
    await cronclave("job", "apply", "two.yaml")
    words = ("job", "run", "report", "-n", "finance", "-o", "json")

    run = json.loads((await cronclave(*words, "-p", "day=7", "-p", "copies=2")).out)

    assert run["params"] == {"day": "7", "copies": 2}
    wrong = await cronclave(*words, "-p", "copies=two")
    assert (wrong.code, "no integer" in wrong.err) == (2, True)
    unknown = await cronclave(*words, "-p", "dya=7")
    assert unknown.code == 1
    assert "dya" in unknown.err


async def test_pause_resume_delete(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\ntriggers: {every: 1h}\nnoop: true\n")

    assert (await cronclave("job", "pause", "a")).code == 0
    assert "paused" in (await cronclave("job", "get", "a")).out
    assert "skipped" in (await cronclave("job", "next", "a")).err
    assert (await cronclave("job", "resume", "a")).code == 0
    assert len(json.loads((await cronclave("job", "next", "a", "--count", "3", "-o", "json")).out)) == 3
    run = json.loads((await cronclave("job", "run", "a", "-o", "json")).out)["id"]
    assert (await cronclave("job", "delete", "a")).code == 0
    assert (await cronclave("job", "get", "a")).code == 3
    runs = json.loads((await cronclave("job", "history", "a", "-o", "json")).out)
    assert [told["id"] for told in runs] == [run]


async def test_json_yaml_and_table_say_the_same(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\n")

    as_json = json.loads((await cronclave("job", "list", "-o", "json")).out)
    as_yaml = YAML(typ="safe", pure=True).load((await cronclave("job", "list", "-o", "yaml")).out)
    lines = (await cronclave("job", "list")).out.splitlines()

    assert as_json == as_yaml
    assert lines[0].split()[:3] == ["NAMESPACE", "JOB", "STATE"]
    assert lines[1].split()[:2] == ["default", "a"]


async def test_a_crontab_goes_in(cronclave: Command) -> None:
    text = "*/5 * * * * /usr/bin/backup --all\n@reboot /usr/bin/once\n"

    printed = await cronclave("import", "crontab", "-", stdin=text)
    dry = await cronclave("import", "crontab", "-", "--dry-run", stdin=text)
    strict = await cronclave("import", "crontab", "-", "--apply", "--strict", stdin=text)
    done = await cronclave("import", "crontab", "-", "--apply", stdin=text)

    assert "cron: '*/5 * * * *'" in printed.out
    assert "crontab:2: not taken: " in printed.err
    assert "1 would be created" in dry.out
    assert (strict.code, strict.out) == (1, "")
    assert "1 created" in done.out
    assert done.code == 0
    round_trip = await cronclave("job", "apply", "-", stdin=printed.out)
    assert "1 unchanged" in round_trip.out


async def test_a_folder_of_crontabs_goes_in_as_one(offline: Command) -> None:
    folder = offline.folder / "cron.d"
    folder.mkdir()
    for name in ("one", "two", "left.bak"):
        (folder / name).write_text("MAILTO=\"\"\n0 1 * * * root /opt/x\n@reboot root /opt/y\n")
    result = await offline("import", "crontab", "cron.d", "--tz", "UTC", "--source", "db1", "-o", "json")

    jobs = json.loads(result.out)
    assert [job["run"] for job in jobs] == ["/opt/x", "/opt/x"]
    assert len({job["job"] for job in jobs}) == 2
    assert {job["labels"]["user"] for job in jobs} == {"root"}
    assert "cron.d/one:3: not taken: @reboot" in result.err
    assert "cron.d/left.bak: note: cron reads no file" in result.err
    assert "2 jobs, 2 lines not taken" in result.err


async def test_verify_counts(cronclave: Command) -> None:
    result = await cronclave("verify", "--from", "-1h", "-o", "json")

    assert result.code == 0
    assert json.loads(result.out)["problem_count"] == 0


async def test_the_cluster_and_its_agents(cronclave: Command, node: SingleNode) -> None:
    status = await cronclave("cluster", "status")

    assert status.code == 0
    assert "node-1" in status.out
    assert "no answer" in status.out
    assert json.loads((await cronclave("agents", "list", "-o", "json")).out) == []
    assert "node-2 leads" in (await cronclave("cluster", "transfer", "--to", "node-2")).out
    assert ("transfer", "node-2") in node.calls


async def test_join_admits_and_writes_a_configuration(
    cronclave: Command, node: SingleNode, tmp_path: Path
) -> None:
    from node.config import load_config

    words = (
        "cluster",
        "join",
        "node-4",
        "--zone",
        "zone-b",
        "--http",
        "127.0.0.1:24031",
        "--raft",
        "127.0.0.1:24032",
    )

    result = await cronclave(*words)

    assert result.code == 0, result.err
    assert ("add_member", ("node-4", "127.0.0.1:24032", "zone-b", "http://127.0.0.1:24031", "")) in node.calls
    config = load_config(tmp_path / "node-4" / "node.toml", {})
    assert (config.name, config.join, list(config.members)) == ("node-4", True, ["node-1", "node-2"])
    assert (await cronclave(*words)).code == 5


async def test_events_are_followed(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\n")

    result = await cronclave("events", "--after", "0.0", "--types", "job_put", "--count", "1", "-o", "json")

    event = json.loads(result.out)
    assert (event["event"], event["name"]) == ("job_put", "a")


CRONTAB = ["import", "crontab", "-", "--tz", "UTC", "--source", "alice@db1"]


async def test_a_crontab_imported_again_doubles_nothing_and_names_what_left_it(
    cronclave: Command, node: SingleNode
) -> None:
    other = [*CRONTAB[:-1], "bob@db2", "--apply"]
    await cronclave(*other, stdin="0 5 * * * /opt/theirs\n")
    await cronclave(*CRONTAB, "--apply", stdin="0 1 * * * /opt/x\n0 2 * * * /opt/x\n0 3 * * * /opt/y\n")

    same = await cronclave(
        *CRONTAB, "--apply", stdin="0 3 * * * /opt/y\n0 2 * * * /opt/x\n0 1 * * * /opt/x\n"
    )
    left = await cronclave(*CRONTAB, "--apply", stdin="0 2 * * * /opt/x\n")
    dry = await cronclave(*CRONTAB, "--dry-run", "--prune", stdin="0 2 * * * /opt/x\n")
    pruned = await cronclave(*CRONTAB, "--apply", "--prune", stdin="0 2 * * * /opt/x\n")

    assert "0 created, 0 changed, 2 unchanged" in same.out
    assert "1 job left the crontab, and it still runs: --prune deletes" in left.err
    assert "would be deleted" in dry.out
    assert "deleted" in pruned.out
    listed = json.loads((await cronclave("job", "list", "-o", "json")).out)
    assert sorted(job["name"].rpartition("-")[0] for job in listed) == ["theirs", "x"]


async def names(cronclave: Command) -> list[str]:
    listed = json.loads((await cronclave("job", "list", "-o", "json")).out)
    return sorted(job["name"] for job in listed)


async def test_crontabs_of_two_hosts_with_the_same_line_leave_each_other_alone(
    cronclave: Command, node: SingleNode
) -> None:
    other = [*CRONTAB[:-1], "bob@db2", "--apply"]
    await cronclave(*CRONTAB, "--apply", stdin="0 1 * * * /opt/x\n")

    done = await cronclave(*other, stdin="0 2 * * * /opt/x\n")
    again = await cronclave(*CRONTAB, "--apply", stdin="0 1 * * * /opt/x\n")

    assert "1 created, 0 changed" in done.out
    assert "note:" not in done.err
    assert "1 unchanged" in again.out
    assert len(await names(cronclave)) == 2


async def test_another_environment_for_a_command_leaves_no_second_job_beside_it(
    cronclave: Command, node: SingleNode
) -> None:
    await cronclave(*CRONTAB, "--apply", stdin="0 1 * * * /opt/x\n")
    two = "0 1 * * * /opt/x\nA=1\n0 2 * * * /opt/x\n"

    dry = await cronclave(*CRONTAB, "--dry-run", stdin=two)
    before = await names(cronclave)
    done = await cronclave(*CRONTAB, "--apply", stdin=two)

    assert "would be deleted: its command is in the jobs above" in dry.out
    assert len(before) == 1
    assert f"- default/{before[0]}  deleted" in done.out
    assert len(await names(cronclave)) == 2


async def test_a_crontab_without_a_name_takes_no_other_ones_jobs(
    cronclave: Command, node: SingleNode
) -> None:
    unnamed = ["import", "crontab", "-", "--tz", "UTC"]
    await cronclave(*unnamed, "--apply", stdin="0 1 * * * /opt/x\n0 1 * * * /opt/y\n")
    before = await names(cronclave)

    same = await cronclave(*unnamed, "--apply", stdin="0 1 * * * /opt/y\n0 1 * * * /opt/x\n")
    refused = [
        await cronclave(*unnamed, how, stdin=text)
        for text in ("0 2 * * * /opt/x\n0 1 * * * /opt/y\n", "0 1 * * * /opt/z\n")
        for how in ("--apply", "--dry-run")
    ]

    assert "2 unchanged" in same.out
    assert [result.code for result in refused] == [2] * 4
    assert all("nothing was sent" in r.err and "--source crontab" in r.err for r in refused)
    assert await names(cronclave) == before
    named = await cronclave(*unnamed, "--source", "crontab", "--apply", stdin="0 1 * * * /opt/z\n")
    assert "2 jobs left the crontab" in named.err


async def test_the_same_crontab_under_another_name_is_told(cronclave: Command, node: SingleNode) -> None:
    await cronclave(*CRONTAB, "--apply", stdin="0 1 * * * /opt/x\n")

    done = await cronclave(*CRONTAB[:-1], "alice", "--apply", stdin="0 1 * * * /opt/x\n")
    elsewhere = await cronclave(*CRONTAB[:-1], "c", "--pool", "db3", "--apply", stdin="0 1 * * * /opt/x\n")

    assert "note: crontab alice@db1 has 1 job that do the same at the same times" in done.err
    assert "note:" not in elsewhere.err


async def test_pruning_wants_the_name_of_the_crontab(cronclave: Command) -> None:
    result = await cronclave("import", "crontab", "-", "--apply", "--prune", stdin="0 5 * * * /opt/x\n")

    assert result.code == 2
    assert "--prune needs --source NAME" in result.err


async def test_the_zone_of_this_host_is_taken_and_said(offline: Command) -> None:
    text = "0 5 * * * /opt/x\n"

    taken = await offline("import", "crontab", "-", stdin=text, TZ="Europe/Berlin")
    given = await offline("import", "crontab", "-", "--tz", "Asia/Tokyo", stdin=text, TZ="Europe/Berlin")

    assert "tz: Europe/Berlin" in taken.out
    assert "times were taken to be in Europe/Berlin, the zone of this host: --tz says otherwise" in taken.err
    assert "tz: Asia/Tokyo" in given.out
    assert "times were taken" not in given.err


async def test_a_foreign_byte_costs_one_line(offline: Command, tmp_path: Path) -> None:
    (tmp_path / "crontab").write_bytes(b"1 1 * * * ok\n2 2 * * * caf\xe9\n")

    result = await offline("import", "crontab", "crontab", "--tz", "UTC")

    assert "run: ok" in result.out
    assert "crontab:2: not taken: character 14 is the byte 0xE9, which is no UTF-8" in result.err


def test_every_dialect_can_be_named() -> None:
    from cli import imports
    from cli.importing.formats import crontab

    assert set(imports.DIALECTS) == set(crontab.DIALECTS)
