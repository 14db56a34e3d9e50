"""`cronclave doctor`: what is found, that each finding has its fix, and that nothing needs a cluster."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.cluster import free_base_port
from cli.authority import certify
from cli.doctor import configured, disk, machine, reached
from cli.doctor.findings import FAULT, OK, UNKNOWN, WARNING, Finding
from tests.api.single_node import SingleNode, peer
from tests.cli.conftest import Command
from tests.node.test_config import GOOD

PATIENT = {"CRONCLAVE_RETRY": "50s"}  #: a machine with much else to do answers, too
NOWHERE = "http://127.0.0.1:24998"
NOW = datetime(2026, 11, 29, tzinfo=UTC)


async def examined(command: Command, *words: str, **environment: str) -> dict[str, list[dict[str, Any]]]:
    """Findings by check; whatever is not well has a fix, and the exit code says whether there is a fault."""
    result = await command("doctor", "--json", *words, **{**PATIENT, **environment})
    assert "Traceback" not in result.err
    document = json.loads(result.out)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in document["findings"]:
        assert each["said"]
        assert each["fix"] or each["verdict"] == OK, each
        found.setdefault(each["check"], []).append(each)
    faults = [each for each in document["findings"] if each["verdict"] == FAULT]
    assert (result.code, document["ok"]) == ((1, False) if faults else (0, True))
    return found


async def test_without_a_cluster_the_machine_is_looked_at(offline: Command) -> None:
    found = await examined(offline)

    assert {"interpreter", "clock", "tzdata", "open files", "disk room", "disk sync"} <= set(found)
    assert found["cluster"][0]["verdict"] == UNKNOWN
    assert "cronclave context add" in found["cluster"][0]["fix"]


async def test_a_cluster_out_of_reach_is_a_fault_and_the_rest_is_told(offline: Command) -> None:
    found = await examined(offline, "--url", NOWHERE)

    assert found["cluster"][0]["verdict"] == FAULT
    assert NOWHERE in found["cluster"][0]["said"]
    assert "interpreter" in found


async def test_a_refused_token_is_told(cronclave: Command) -> None:
    found = await examined(cronclave, CRONCLAVE_TOKEN="another")

    assert found["cluster"][0]["verdict"] == FAULT
    assert "may not look" in found["cluster"][0]["said"]


async def test_a_cluster_is_looked_at(cronclave: Command, node: SingleNode) -> None:
    node.peers = (peer("node-2", "zone-a", clock_offset_ms=-5_000), peer("node-3", "zone-c"))
    node.quorum = False

    found = await examined(cronclave)

    assert found["quorum"][0]["verdict"] == FAULT
    assert [each["said"] for each in found["node"][:2]] == [
        "node-2 does not answer here", "node-3 does not answer here",
    ]  # fmt: skip
    assert "zone-a" in found["zones"][0]["said"]
    assert found["node clocks"][0]["said"].startswith("the clocks of node-1 and node-2 differ by 5000 ms")
    assert found["agents"][0]["verdict"] == FAULT


async def test_it_is_printed_for_people_with_what_to_do(offline: Command) -> None:
    result = await offline("doctor", "--url", NOWHERE)

    assert result.code == 1
    assert "→" in result.out
    assert "fault" in result.out.splitlines()[-1]


async def test_a_node_and_an_agent_are_looked_at_by_their_files(offline: Command, tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(GOOD)
    (tmp_path / "agent.toml").write_text(
        f'zone = "z"\nnodes = ["{NOWHERE}"]\ndata = "{tmp_path}/agent"\ntoken_file = "{tmp_path}/token"\n'
    )
    (tmp_path / "token").write_text("t")
    (tmp_path / "token").chmod(0o644)

    found = await examined(offline, "--node", "node.toml", "--agent", "agent.toml")

    assert [each["verdict"] for each in found["settings"]] == [OK, OK]
    assert len(found["port"]) == 2
    assert f"{tmp_path}/data is not there yet" in found["data"][0]["said"]
    assert f"chmod 600 {tmp_path}/token" in found["secret"][0]["fix"]
    assert found["node in reach"][0]["verdict"] == FAULT


@pytest.mark.parametrize("program", ["node", "agent"])
async def test_a_broken_file_is_a_finding(offline: Command, tmp_path: Path, program: str) -> None:
    (tmp_path / "f.toml").write_text("x = 1")

    found = await examined(offline, f"--{program}", "f.toml")

    assert found["settings"][0]["verdict"] == FAULT
    assert "unknown setting" in found["settings"][0]["said"]


async def test_what_makes_no_sense_is_refused(offline: Command) -> None:
    assert (await offline("doctor", "--data", "nope")).code == 2
    assert (await offline("doctor", "--node", "nope.toml")).code == 2
    assert (await offline("doctor", "--url", NOWHERE, "--context", "a")).code == 2
    found = await examined(offline, "--context", "nope")
    assert "there is no context 'nope'" in found["cluster"][0]["said"]


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (machine.interpreter({"CONFIG_ARGS": "'--enable-optimizations'", "PGO_PROF_USE_FLAG": "-f"}), OK),
        (machine.interpreter({"CONFIG_ARGS": "'--with-ensurepip'", "PGO_PROF_USE_FLAG": ""}), OK),
        (machine.interpreter({"CONFIG_ARGS": None, "PGO_PROF_USE_FLAG": "-fprofile-use"}), WARNING),
        (machine.clock(0), OK),
        (machine.clock(machine.CLOCK_UNSYNCHRONISED), WARNING),
        (machine.clock(-1), UNKNOWN),
        (machine.time_zones(2000), OK),
        (machine.time_zones(3000), WARNING),
        (machine.open_files(100), WARNING),
        (machine.open_files(1 << 20), OK),
        (disk.left(1 << 40, "x"), OK),
        (disk.left(disk.ROOM_BYTES - 1, "x"), WARNING),
        (disk.left(disk.NONE_BYTES - 1, "x"), FAULT),
        (disk.judge(Path(), [1.0, 2.0, 500.0]), OK),
        (disk.judge(Path(), [1.0, 50.0, 500.0]), WARNING),
        (disk.judge(Path(), [1.0, 300.0, 500.0]), FAULT),
        (disk.room(Path("/nope")), UNKNOWN),
        (disk.syncs(Path("/nope")), UNKNOWN),
        (configured.lasting("x", (NOW + timedelta(days=60)).isoformat(), NOW), OK),
        (configured.lasting("x", (NOW + timedelta(days=20)).isoformat(), NOW), WARNING),
        (configured.lasting("x", (NOW + timedelta(days=2)).isoformat(), NOW), FAULT),
        (configured.lasting("x", (NOW - timedelta(days=2)).isoformat(), NOW), FAULT),
        (configured.private(Path("/nope")), FAULT),
        (configured.port("http.listen", "192.0.2.1:24996", runs=False), FAULT),
        (configured.port("http.listen", "a..b:24996", runs=False), FAULT),
    ],
    ids=lambda value: f"{value.check}" if isinstance(value, Finding) else value,
)  # fmt: skip
def test_each_judgement(finding: Finding, verdict: str) -> None:
    assert finding.verdict == verdict
    assert finding.fix or verdict == OK


def test_a_port_is_free_taken_or_the_node_s_own(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        assert configured.port("x", address, runs=False).verdict == FAULT
        assert configured.port("x", address, runs=True).verdict == OK

    free = free_base_port(24_000, 24_900, 1)
    (tmp_path / "range").write_text(f"{free} 60999\n")
    among = configured.port("x", f"127.0.0.1:{free}", runs=False, chosen=tmp_path / "range")
    below = configured.port("x", f"127.0.0.1:{free}", runs=False, chosen=tmp_path / "nope")
    assert (among.verdict, below.verdict) == (WARNING, OK)
    assert "ip_local_reserved_ports" in among.fix


def test_certificates_are_read_where_they_are(tmp_path: Path) -> None:
    made = certify("create", label="test", days=10)
    (tmp_path / "ca.pem").write_text(made["ca"])
    (tmp_path / "no.pem").write_text("nothing")

    good, broken, missing = configured.certificates(
        [tmp_path / "ca.pem", tmp_path / "no.pem", tmp_path / "nope.pem"], datetime.now(UTC)
    )

    assert (good.verdict, broken.verdict, missing.verdict) == (WARNING, FAULT, FAULT)
    assert str(tmp_path / "no.pem") in broken.said


def view(**changes: Any) -> dict[str, Any]:
    peers = [
        {"node": f"node-{n}", "zone": f"zone-{n}", "voter": True, "clock_offset_ms": n} for n in (2, 3)
    ]
    found = {
        "node": "node-1", "zone": "zone-1", "leader": "node-1", "quorum": True, "ready": True, "peers": peers,
        "format": 1, "format_max": 1, "version": "1.0", "tzdata": "2026a", "tzdata_installed": "2026a",
        "pause": None, "overload": None, "certificates": {}, "longest_turn_ms": 3.0, "free_bytes": 1 << 40,
    }  # fmt: skip
    return {**found, **changes}


def verdicts(*findings: Finding) -> dict[str, str]:
    return {each.check: each.verdict for each in findings}


def test_a_sound_cluster_has_nothing_to_tell() -> None:
    seen = {f"node-{n}": view(node=f"node-{n}") for n in (1, 2, 3)}

    found = [
        *reached.quorum(view(), seen), *reached.zones(view(), seen), *reached.clocks(view(), seen),
        *reached.alike(view(), seen), *reached.nodes(seen), *reached.standing(view()),
    ]  # fmt: skip

    assert set(verdicts(*found).values()) == {OK}


def test_what_differs_between_nodes_is_told() -> None:
    seen: dict[str, dict[str, Any] | None] = {
        "node-1": view(format_max=2),
        "node-2": view(version="1.1", format_max=2),
        "node-3": view(tzdata_installed="2026b", format_max=2),
    }

    assert verdicts(*reached.alike(view(), seen)) == {
        "versions": WARNING, "node tzdata": WARNING, "zone data": WARNING, "format": WARNING,
    }  # fmt: skip


def test_what_stands_and_what_a_node_suffers_is_told() -> None:
    seen: dict[str, dict[str, Any] | None] = {
        "node-1": view(longest_turn_ms=9_000.0, free_bytes=1, certificates={"raft": "2020-01-01T00:00:00Z"}),
        "node-2": None,
    }
    held = {"phase": "holding", "held_until": "2026-01-01T00:00:00Z"}
    stands = view(pause={"reason": "why"}, overload={"since": "now"}, restore=held)

    assert verdicts(*reached.nodes(seen)) == {"disk room": FAULT, "certificate": FAULT, "node load": WARNING}
    assert verdicts(*reached.standing(stands)) == {"pause": WARNING, "load": WARNING, "restore": WARNING}
    assert verdicts(*reached.zones(view(peers=[]), {})) == {"zones": WARNING}
    assert verdicts(*reached.clocks(view(peers=[]), {})) == {"node clocks": UNKNOWN}
    assert verdicts(*reached.quorum(view(leader=None), {"node-1": view()}))["quorum"] == FAULT


def test_no_zone_may_be_lost_while_another_is() -> None:
    up = {f"node-{n}": view(node=f"node-{n}") for n in (1, 2, 3)}
    (now,) = reached.zones(view(), {**up, "node-3": None})
    assert (now.verdict, now.said) == (WARNING, "2 of 3 voting nodes answer: no zone may be lost now")


def test_without_a_quorum_a_node_that_is_gone_is_not_removed_but_the_cluster_recovered() -> None:
    seen = {"node-1": view(), "node-2": None, "node-3": None}
    for quorum, command in ((True, "cluster remove node-2"), (False, "cluster recover")):
        (fix, *_) = [one.fix for one in reached.quorum(view(quorum=quorum), seen) if one.check == "node"]
        assert command in fix


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0, OK), (-4, OK), (-30, WARNING), (30, WARNING)], ids=str
)
def test_the_own_clock_is_doubted_only_beyond_doubt(seconds: int, verdict: str) -> None:
    told = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")

    found = reached.own_clock(view(), told, NOW, NOW + timedelta(milliseconds=5))

    assert found.verdict == verdict
    assert reached.own_clock(view(), None, NOW, NOW).verdict == UNKNOWN


def test_a_folder_of_somebody_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    for place in (tmp_path / "data", tmp_path / "to be made" / "data"):
        found = configured.folder(place, lambda path, mode: False)
        assert FAULT in [each.verdict for each in found if each.check == "data"]
        assert OK in verdicts(*configured.folder(place)).values()
