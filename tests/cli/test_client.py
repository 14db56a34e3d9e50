"""Which node is asked, and what is tried again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from scheduler.store.tables import stages
from tests.api.planning import planning
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.cli.conftest import DEADLINE_S, Command

REFUSES = "http://127.0.0.1:24998"


async def test_the_next_node_is_asked_when_one_refuses(cronclave: Command) -> None:
    result = await cronclave("job", "list", "--url", f"{REFUSES},{cronclave.environment['CRONCLAVE_URL']}")

    assert result.code == 0


async def test_dev_json_in_the_folder_is_found(cronclave: Command, tmp_path: Path) -> None:
    url = cronclave.environment["CRONCLAVE_URL"]
    (tmp_path / ".cronclave").mkdir()
    facts = {"token": ADMIN_TOKEN, "nodes": [{"url": REFUSES}, {"url": url}], "agents": []}
    (tmp_path / ".cronclave" / "dev.json").write_text(json.dumps(facts))

    result = await Command(tmp_path)("job", "list")

    assert result.code == 0, result.err


async def test_a_write_whose_reply_is_lost_is_done_once(cronclave: Command, node: SingleNode) -> None:
    """A proxy in between passes the first request on and drops its reply."""
    await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\n")
    host, port = cronclave.environment["CRONCLAVE_URL"].removeprefix("http://").split(":")
    keys: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
        keys.append(fields["Idempotency-Key"])
        up_writer.write(head + await reader.readexactly(int(fields.get("Content-Length", 0))))
        reply = await up_reader.read(1 << 16)
        if len(keys) > 1:
            writer.write(reply)
        writer.close()
        up_writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(DEADLINE_S):
            result = await cronclave("job", "run", "a", "--url", url, "-o", "json", CRONCLAVE_RETRY="20s")

    assert result.code == 0, result.err
    assert len(keys) == 2
    assert len(set(keys)) == 1
    runs = json.loads((await cronclave("job", "history", "a", "-o", "json")).out)
    assert [run["id"] for run in runs] == [json.loads(result.out)["id"]]


async def test_problems_are_printed_with_pointer_and_hint(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nparams: {day: {type: string}}\nnoop: true\n")

    result = await cronclave("job", "run", "a", "-p", "dya=1")

    assert result.code == 1
    assert result.err.startswith("error: ")
    assert "/params/dya: " in result.err


async def test_colours_and_control_characters_stay_out_of_pipes(cronclave: Command) -> None:
    stdin = json.dumps({"job": "a", "description": "\x1b[31mred\x07", "noop": True})
    await cronclave("job", "apply", "-", stdin=stdin)

    result = await cronclave("job", "get", "a")

    assert "red" in result.out
    assert "\x1b" not in result.out
    assert "\x07" not in result.out


async def test_a_token_crosses_no_network_in_plain_text(offline: Command) -> None:
    told = {"CRONCLAVE_URL": "http://192.0.2.1:8321", "CRONCLAVE_TOKEN": "t", "CRONCLAVE_RETRY": "1ms"}
    refused = await offline("job", "list", **told)
    assert (refused.code, "has no TLS" in refused.err) == (2, True)
    asked = await offline(
        "job", "list", **{**told, "CRONCLAVE_URL": REFUSES.replace("127.0.0.1", "localhost")}
    )
    assert asked.code == 6, "loopback is no network"


async def test_a_ca_file_that_cannot_be_used_is_named(offline: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for file in ("missing.pem", "empty.pem"):
        told = {"CRONCLAVE_URL": "https://127.0.0.1:24998", "CRONCLAVE_TOKEN": "t", "CRONCLAVE_CA": file}
        done = await offline("job", "list", **told)
        assert (done.code, f"CRONCLAVE_CA={file}" in done.err) == (2, True), done.err


async def test_a_write_that_two_connections_did_not_survive_is_not_sent_a_third_time(
    offline: Command,
) -> None:
    """It may be what ends the nodes."""
    asked: list[str] = []

    async def falls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.close()

    servers = [await asyncio.start_server(falls, "127.0.0.1", 0) for _ in range(3)]
    urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
    told = {"CRONCLAVE_URL": ",".join(urls), "CRONCLAVE_TOKEN": "t", "CRONCLAVE_RETRY": "20s"}
    async with asyncio.timeout(DEADLINE_S):
        result = await offline("job", "apply", "-", stdin="job: a\nnoop: true\n", **told)
    for server in servers:
        server.close()

    assert len(asked) == 2
    assert result.code == 6
    assert "is not sent again" in result.err
    assert "unknown" in result.err
    assert urls[0] in result.err
    assert urls[1] in result.err
    assert urls[2] not in result.err


def large_jobs(names: str) -> str:
    """300 KB each."""
    tasks = {f"t{number}": {"run": "x" * 60_000} for number in range(5)}
    return "\n---\n".join(json.dumps({"job": name, "tasks": tasks}) for name in names)


async def test_jobs_that_are_too_large_for_one_request_go_live_together(
    cronclave: Command, node: SingleNode
) -> None:
    async with planning(node):
        for options, said in ((["--dry-run"], "4 would be created"), ([], "4 created")):
            result = await cronclave("job", "apply", "-", *options, stdin=large_jobs("abcd"))

            assert result.code == 0, result.err
            assert said in result.out
    with node.read() as store:
        tried, stage = (stages.get(store, each.id) for each in stages.all_of(store))
    for found, state in ((tried, "judged"), (stage, "done")):
        assert found is not None
        assert (found.state, found.items, found.slices > 1) == (state, 4, True)


async def test_what_is_in_the_way_of_one_is_in_the_way_of_all(cronclave: Command, node: SingleNode) -> None:
    past = "job: past\nnoop: true\ntriggers: [{at: 2001-01-01T00:00:00Z}]\n"
    async with planning(node):
        result = await cronclave("job", "apply", "-", stdin=f"{large_jobs('abcd')}\n---\n{past}")

    assert result.code == 1
    assert "nothing was applied" in result.err
    assert "default/past: 1 new triggers fire only in the past, or never" in result.err
    with node.read() as store:
        assert store.value("SELECT count(*) FROM jobs") == 0


@pytest.mark.parametrize("words", [("job", "get"), ("job", "run"), ("hook", "deliveries"), ("vars", "get")])
async def test_a_name_that_was_copied_with_its_namespace_is_told_how_to_say_it(
    cronclave: Command, words: tuple[str, ...]
) -> None:
    result = await cronclave(*words, "finance/close")

    assert (result.code, "'finance/close': a name has no '/'" in result.err) == (2, True)
    assert "say close --namespace finance" in result.err
    assert "/v1/" not in result.err
