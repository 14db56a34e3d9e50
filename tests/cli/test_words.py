"""What commands say when something is not as the user thought: what is wrong, and which command helps."""

from __future__ import annotations

import re
from pathlib import Path

from cli.output import cell_text
from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import ConnectAgent, Wake
from tests.api.single_node import SingleNode, peer
from tests.cli.conftest import Command
from tests.scheduler.story import KINDS


async def test_an_unknown_job_is_told_once_and_with_the_command_that_helps(cronclave: Command) -> None:
    for words in (("job", "get", "nope"), ("job", "pause", "nope"), ("job", "run", "nope")):
        result = await cronclave(*words)

        assert result.code == 3
        assert result.err.splitlines()[0].count("nope") == 1
        assert "cronclave job list" in result.err


async def test_a_wrong_token_names_the_option(cronclave: Command) -> None:
    result = await cronclave("job", "list", "--token", "wrong")

    assert "CRONCLAVE_TOKEN" in result.err
    assert "Bearer" not in result.err


async def test_a_bad_field_and_its_hint_are_told_once(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nparams: {day: {type: string}}\nnoop: true\n")

    result = await cronclave("job", "run", "a", "-p", "dya=1")

    assert result.err.count("'dya'") == 1
    assert result.err.count("day?") == 1


async def test_a_run_that_no_agent_can_take_says_so_at_once(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nrun: 'true'\non: {pool: gpu}\n")

    started = await cronclave("job", "run", "a")
    shown = await cronclave("run", "show", "1")

    assert started.code == 0
    assert "pool gpu" in started.err
    assert "waits for" in shown.out
    assert "pool gpu" in shown.out
    assert "unplaceable: no agent is connected for pool gpu" in (await cronclave("job", "get", "a")).out


async def test_a_run_that_an_agent_can_take_says_nothing_of_it(cronclave: Command, node: SingleNode) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1", "node-2", KINDS))
    await cronclave("job", "apply", "-", stdin="job: a\nrun: 'true'\n")

    assert "waits" not in (await cronclave("job", "run", "a")).err


async def test_a_job_without_triggers_has_no_coming_tick(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\n")

    assert "cronclave job run a" in (await cronclave("job", "next", "a")).out


async def test_an_agent_is_shown_by_its_name(cronclave: Command, node: SingleNode) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "gpu", b"{}", 8, "0.1", "node-2", KINDS))

    result = await cronclave("agents", "show", "agent-1")

    assert "0 of 8 busy" in result.out
    assert "gpu" in result.out
    assert "exec,files,http,noop,script,shell" in result.out
    assert "exec,files,http,noop,script,shell" in (await cronclave("agents", "list")).out
    await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\n")
    node.apply(ConnectAgent("agent-9", "j", "s", "b", "zone-a", "default", b"{}", 8, "1", "node-2", ("x",)))
    why = "no agent with pool default offers work of kind noop"
    assert f"unplaceable: {why}" in (await cronclave("job", "get", "a")).out
    assert (await cronclave("agents", "show", "agent-2")).code == 3


async def test_the_answering_node_and_zone_data_are_in_the_status(cronclave: Command) -> None:
    lines = (await cronclave("cluster", "status")).out.splitlines()

    first = next(line for line in lines if line.startswith("node-1"))
    other = next(line for line in lines if line.startswith("node-2"))
    assert first.endswith("http://127.0.0.1:1")
    assert "2025b" in other


async def test_an_empty_file_and_broken_json_are_called_that(cronclave: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "broken.json").write_text('{"job": "a", "run": ')

    assert "is empty" in (await cronclave("job", "apply", "empty.yaml")).err
    assert "not valid JSON" in (await cronclave("job", "apply", "broken.json")).err


async def test_crontab_remarks_come_in_the_order_of_the_lines(cronclave: Command) -> None:
    text = "MAILTO=a@example.org\n@reboot one\nMAILTO=b@example.org\n@daily two\n"

    result = await cronclave("import", "crontab", "-", "--tz", "UTC", stdin=text)

    assert [line.split(":")[1] for line in result.err.splitlines() if ":" in line] == ["1", "2", "3"]
    assert result.err.splitlines()[-1] == "1 job, 1 line not taken"


async def test_a_learner_is_shown_without_a_vote(cronclave: Command, node: SingleNode) -> None:
    node.peers = (peer("node-2", "zone-b", voter=False), peer("node-3", "zone-c"))

    lines = (await cronclave("cluster", "status")).out.splitlines()

    assert [line.split()[0] for line in lines if "no vote yet" in line] == ["node-2"]


async def test_a_removal_says_what_may_be_lost_now(cronclave: Command, node: SingleNode) -> None:
    node.peers = (peer("node-2", "zone-b"), peer("node-3", "zone-c"))

    result = await cronclave("cluster", "remove", "node-3", "--yes")

    assert "2 voting nodes remain; none of them may be lost" in result.out


async def test_an_address_without_a_port_is_refused_before_anything_is_asked(
    cronclave: Command, node: SingleNode
) -> None:
    words = (
        "cluster",
        "join",
        "node-4",
        "--zone",
        "zone-b",
        "--http",
        "127.0.0.1:24031",
        "--raft",
        "10.0.0.1",
    )

    result = await cronclave(*words)

    assert result.code == 2
    assert "10.0.0.1" in result.err
    assert node.calls == []


async def test_a_join_whose_reply_was_lost_is_given_again(
    cronclave: Command, node: SingleNode, tmp_path: Path
) -> None:
    """Without it the name were used up: it is a member, and has no configuration."""
    words = ("cluster", "join", "node-4", "--zone", "zone-c", "--http", "127.0.0.1:24031", "--raft")
    admitted = peer("node-4", "zone-c", address="127.0.0.1:24032", url="http://127.0.0.1:24031", voter=False)
    node.peers = (*node.peers, admitted)

    other = await cronclave(*words, "127.0.0.1:24033")
    assert (other.code, "member already" in other.err) == (5, True)
    again = await cronclave(*words, "127.0.0.1:24032")

    assert again.code == 0, again.err
    assert "node-4 is admitted" in again.out
    assert node.calls == []
    written = (tmp_path / "node-4" / "node.toml").read_text()
    assert "[members.node-2]" in written
    assert "[members.node-4]" not in written


async def test_a_join_token_says_how_it_is_used(cronclave: Command) -> None:
    made = await cronclave("cluster", "token", "create", "--role", "node", "--name", "node-4")

    assert made.out.startswith("crj1.")
    assert len(made.out.splitlines()) == 1, "scripts take it from here"
    assert "good once, until" in made.err
    assert "cronclave cluster join node-4 --token" in made.err


async def test_arguments_that_are_no_text_or_no_time_are_refused_with_words(cronclave: Command) -> None:
    no_text = "\udcff"  # as Python reads the byte 0xff
    cases: list[tuple[tuple[str, ...], str]] = [
        (("job", "get", no_text), "no job"),
        (("run", "list", "--job", no_text), "UTF-8"),
        (("run", "list", "--since", "9999-12-31T23:59:59-23:59"), "9999"),
        (("run", "list", "--since", "-999999d"), "9999"),
        (("job", "list", "--url", "http://["), "no URL"),
        (("job", "list", "--url", "http://h:99999999"), "no URL"),
        (("job", "list", "--url", "http://h:²"), "no URL"),
        (("job", "list", "--token", "→"), "the token"),
        (("job", "list", "--token", "a\nb"), "the token"),
    ]
    for words, told in cases:
        result = await cronclave(*words)

        assert result.code != 0
        assert told in result.err, (words, result.err)
        assert "Traceback" not in result.err


def test_truths_of_a_job_are_shown_as_they_are_written_and_given() -> None:
    assert cell_text({"force": True, "n": 1, "in": {"fast": False}}) == "force=true,n=1,in=fast=false"
    assert cell_text(True) == "yes"


async def test_bytes_that_are_no_utf_8_are_told_with_their_place(cronclave: Command, tmp_path: Path) -> None:
    text = "job: a\nlabels: {x: é}\nrun: echo é\n"
    (tmp_path / "latin.yaml").write_bytes(text.replace("é", "e", 1).encode("latin-1"))
    (tmp_path / "wide.yaml").write_bytes(text.encode("utf-16"))

    result = await cronclave("job", "apply", str(tmp_path))

    assert result.code == 1
    assert "latin.yaml:3:11: the byte 0xE9 is no UTF-8" in result.err
    assert "wide.yaml:1:1: the file is UTF-16" in result.err


async def test_what_comes_by_pipe_is_utf_8_whatever_the_locale_is(cronclave: Command) -> None:
    text = "job: a\nrun: echo é\n"
    locale = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    assert "1 created" in (await cronclave("job", "apply", "-", stdin=text, **locale)).out
    assert "1 unchanged" in (await cronclave("job", "apply", "-", stdin=text)).out
    assert "1 unchanged" in (await cronclave("job", "apply", "-", stdin=text.replace("\n", "\r\n"))).out


async def test_a_job_that_waits_for_an_event_is_not_said_to_run_when_asked_alone(cronclave: Command) -> None:
    jobs = "job: asked\nnoop: true\n---\njob: boot\nnoop: true\ntriggers: {startup: {pool: default}}\n"
    await cronclave("job", "apply", "-", stdin=jobs)

    asked = (await cronclave("job", "next", "asked")).out
    assert asked.endswith("it is asked to (cronclave job run asked)\n")
    assert "or what its triggers wait for happens" in (await cronclave("job", "next", "boot")).out


async def test_a_run_that_another_namespace_began_names_the_run_alone(
    cronclave: Command, node: SingleNode
) -> None:
    for child, words in (("near", "run {}, task t"), ("other/far", "run {}")):
        namespace, _, name = child.rpartition("/")
        job = f"job: {name}\nnamespace: {namespace or 'default'}\nnoop: true\n---\n"
        job += f"job: above\ntasks: {{t: {{job: {{name: {child}}}}}}}\n"
        assert (await cronclave("apply", "-", stdin=job)).code == 0
        run = node.store.value("SELECT coalesce(max(id), 0) + 1 FROM runs")
        assert (await cronclave("job", "run", "above")).code == 0
        (due,) = task_rows.past_wake(node.store, node.now_ms(), 10)
        node.apply(Wake(node.machine.state.epoch, *due))
        shown = (await cronclave("run", "show", str(run + 1))).out
        assert re.search(rf"^parent +{words.format(run)}$", shown, re.MULTILINE), shown
