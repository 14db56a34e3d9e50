"""The packet switch: real namespaces, real packets; and what a policy does to them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos.faults import CLIENT, Cut, Fault, Lossy, Narrow, Slow, kind
from chaos.nemesis import NemesisError
from chaos.nemesis.namespaces import why_not
from chaos.nemesis.policy import QUEUE_S, Lane, Policy
from chaos.nemesis.switched import SwitchedLinks
from chaos.ports import Ports
from chaos.programs import start_process, wait_for
from tests.chaos.conftest import PORTS

HERE = (("one", "two"), ("client", "two"))
DEADLINE_S = 60.0

#: Writes what it hears into a file, and says it back.
ECHO = """
import socket, sys, threading
server = socket.create_server((sys.argv[1], 9000))
def talk(peer):
    while data := peer.recv(65536):
        with open(sys.argv[2], "ab") as file:
            file.write(data)
        peer.sendall(data)
while True:
    threading.Thread(target=talk, args=(server.accept()[0],), daemon=True).start()
"""


@pytest.fixture
def links() -> Iterator[SwitchedLinks]:
    reason = why_not()
    if reason is not None:
        pytest.skip(str(reason))
    made = SwitchedLinks(Ports(*PORTS), seed=7)
    interfaces = socket.if_nameindex()
    made.begin(["one", "two", CLIENT])
    assert socket.if_nameindex() == interfaces, "the machine's own network is not touched"
    yield made
    made.end()


@pytest.mark.parametrize(
    "fault",
    [
        Cut(HERE),
        Slow(HERE, 150, jitter_ms=20),
        Lossy(HERE, loss=0.3),
        Lossy(HERE, duplicate=0.3),
        Narrow(HERE, 100),
    ],
    ids=lambda fault: f"{kind(fault)}-{fault}"[:20],
)
def test_a_fault_is_seen_by_canaries_in_its_direction_alone(links: SwitchedLinks, fault: Fault) -> None:
    back = type(fault)(**{**_values(fault), "pairs": tuple((b, a) for a, b in HERE)})
    assert links.driver.available() is None
    assert links.driver.verify(fault).real is False

    links.driver.inject(fault)

    seen = links.driver.verify(fault)
    assert seen.real is True, seen.evidence
    assert links.driver.verify(back).real is False, "the other direction is not touched"
    links.driver.heal(fault)
    assert links.driver.verify(fault).real is False


def _values(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in fault.__slots__}


def test_the_client_reaches_a_host_over_links_that_break(links: SwitchedLinks, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    address = links.listen_host("two")
    echo = start_process([sys.executable, "-c", ECHO, address, str(heard)], enter=links.enter("two"))
    try:
        wait_for(lambda: _talk(links, b"hello") == b"hello", DEADLINE_S, "the echo answers")
        links.driver.inject(Cut((("two", CLIENT),)))
        host, _, port = links.address(CLIENT, "two", f"{address}:9000").partition(":")
        # The connection cannot be made: its answer is lost. One that stands loses the answer alone.
        assert _talk(links, b"lost") is None
        links.driver.heal()
        with socket.create_connection((host, int(port)), DEADLINE_S) as peer:
            peer.sendall(b"first")
            assert peer.recv(100) == b"first"
            links.driver.inject(Cut((("two", CLIENT),)))
            peer.sendall(b"one way")
            wait_for(lambda: b"one way" in heard.read_bytes(), DEADLINE_S, "it was heard")
            peer.settimeout(0.3)
            with pytest.raises(TimeoutError):
                peer.recv(100)
            links.driver.heal()
            peer.settimeout(DEADLINE_S)
            assert peer.recv(100) == b"one way", "TCP brings it after the cut"
    finally:
        echo.kill()
        echo.wait()


def _talk(links: SwitchedLinks, data: bytes) -> bytes | None:
    """What the echo says within a while; None: nothing."""
    host, _, port = links.address(CLIENT, "two", f"{links.listen_host('two')}:9000").partition(":")
    try:
        with socket.create_connection((host, int(port)), 0.5) as peer:
            peer.sendall(data)
            return peer.recv(100) or None
    except OSError:
        return None


def test_faults_add_up_and_heal_one_by_one(links: SwitchedLinks) -> None:
    cut, slow = Cut((("one", "two"),)), Slow((("one", "two"), ("two", "one")), 100)
    links.driver.inject(slow)
    links.driver.inject(cut)
    assert links.driver.verify(cut).real is True
    seen = links.driver.verify(slow)
    assert (seen.real, seen.evidence[:6]) == (True, "1 of 2"), "one direction is silent: it has no vote"
    assert links.driver.verify(Slow((("one", "two"),), 100)).real is None
    links.driver.heal(cut)
    assert links.driver.verify(slow).real is True
    links.driver.heal(slow)
    assert links.driver.verify(slow).real is False
    with pytest.raises(NemesisError, match="no host three"):
        links.driver.inject(Cut((("one", "three"),)))


def test_without_root_a_user_namespace_does(tmp_path: Path) -> None:
    """As root without the rights of root: what an ordinary user is to the kernel here."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None or why_not() is not None:
        pytest.skip("needs root, setpriv and namespaces: an ordinary user sees this in every other test")
    script = f"""
from chaos.ports import Ports
from chaos.faults import Cut
from chaos.nemesis.switched import SwitchedLinks
links = SwitchedLinks(Ports{PORTS}, seed=1)
links.begin(["one", "two", "client"])
cut = Cut((("one", "two"),))
links.driver.inject(cut)
assert links._user is not None
print(links.driver.verify(cut).real, links.driver.verify(Cut((("two", "one"),))).real)
links.end()
"""
    told = subprocess.run(
        ["setpriv", "--bounding-set", "-sys_admin,-net_admin", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.stdout == "True False\n", told.stderr


# -- policies


def arrivals(
    policy: Policy, packets: int, *, seed: int = 1, size_bytes: int = 1000
) -> list[tuple[float, ...]]:
    lane = Lane(seed, "a", "b")
    lane.policy = policy
    return [lane.deliveries(size_bytes, 0.0) for _ in range(packets)]


def test_chance_is_the_seeds() -> None:
    lossy = Policy(loss=0.3, duplicate=0.2)

    assert arrivals(lossy, 200, seed=5) == arrivals(lossy, 200, seed=5)
    assert arrivals(lossy, 200, seed=5) != arrivals(lossy, 200, seed=6)
    counts = [len(copies) for copies in arrivals(lossy, 2000)]
    assert 0.25 < counts.count(0) / 2000 < 0.35
    assert 0.10 < counts.count(2) / 2000 < 0.18  # a fifth of those that are not lost


def test_jitter_reorders_around_the_delay() -> None:
    times = [copies[0] for copies in arrivals(Policy(delay_ms=100, jitter_ms=20), 200)]

    assert 0.08 <= min(times) < 0.09 < 0.11 < max(times) <= 0.12
    assert times != sorted(times)


def test_a_narrow_link_queues_up_to_its_limit_then_drops() -> None:
    told = arrivals(Policy(kilobytes_per_s=100), 300)  # 10 ms each

    times = [copies[0] for copies in told if copies]
    assert times == sorted(times)
    assert times[0] == pytest.approx(0.01)
    assert times[-1] == pytest.approx(QUEUE_S, abs=0.02)
    assert len(times) < 210
    assert told[-1] == ()
