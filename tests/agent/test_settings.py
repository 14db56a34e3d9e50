"""Configuration, clocks and what is kept of output."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from agent import identity
from agent.clock import SAMPLES, HostClock, NodeClock, boot_ms, wall_ms
from agent.config import AgentConfig, ConfigError, load
from agent.output import open_for_output, output_path, read_output, sweep


def test_flags_beat_the_environment_and_that_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(
        'name = "file"\nzone = "z1"\npool = "file"\nslots = 3\ndata = "d"\n'
        'nodes = ["https://a:1/", "https://b:2"]\n[labels]\nrole = "web"\n'
    )
    environment = {
        "CRONCLAVE_AGENT_CONFIG": str(file),
        "CRONCLAVE_AGENT_POOL": "environment",
        "CRONCLAVE_AGENT_SLOTS": "4",
        "CRONCLAVE_AGENT_LABELS": "os=linux,gpu=none",
    }
    config = load(["--slots", "5"], environment)
    assert (config.name, config.pool, config.slots) == ("file", "environment", 5)
    assert config.nodes == ("https://a:1", "https://b:2")
    assert config.labels == {"os": "linux", "gpu": "none"}
    assert config.data.is_absolute()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("slots = 0", "slots"),
        ('fixed_nodes = "maybe"', "fixed_nodes"),
        ('slots = "many"', "slots"),
        ("slot = 3", "slot"),
        ('nodes = ["a:1"]', "nodes"),
        ('zone = ""', "zone"),
        ('nodes = ["https://a:1", "http://10.0.0.1:8321"]', "nodes"),
        ("insecure = 1", "insecure"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, line: str, named: str) -> None:
    values = {"zone": '"z"', "nodes": '"https://a:1"', "data": '"d"'}
    values.pop(line.split(" ")[0], None)
    file = tmp_path / "agent.toml"
    file.write_text("".join(f"{key} = {value}\n" for key, value in values.items()) + line)
    with pytest.raises(ConfigError, match=rf"^{named}:"):
        load(["--config", str(file)], {})


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ("http://127.0.0.1:8321,http://localhost:1,http://[::1]:2,https://a:1", []),
        ("http://10.0.0.1:8321", ["--insecure", "true"]),
    ],
)
def test_plain_http_is_for_loopback_or_for_who_says_so(nodes: str, told: list[str]) -> None:
    assert load(["--zone", "z", "--nodes", nodes, "--data", "d", *told], {}).nodes == tuple(nodes.split(","))
    if told:
        with pytest.raises(ConfigError, match=r"^nodes: .* has no TLS"):
            load(["--zone", "z", "--nodes", nodes, "--data", "d"], {})


def test_a_renewed_token_file_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    arguments = ["--zone", "z", "--nodes", "https://a:1", "--data", "d", "--token-file", str(token)]
    config = load(arguments, {})
    assert config.bearer() == "one"
    token.write_text("two\n")
    assert config.bearer() == "two"


def test_the_estimate_of_the_nodes_clock_is_never_ahead_of_it() -> None:
    clock = NodeClock()
    assert abs(clock.now_ms() - wall_ms()) < 1_000
    true_offset = 5_000_000.0
    for delay_ms in (40.0, 3.0, 250.0, 9.0):
        received = boot_ms()
        clock.pong(int(received - delay_ms + true_offset), received)
    now = boot_ms()
    estimate = clock.now_ms()
    assert estimate <= boot_ms() + true_offset
    assert estimate >= now + true_offset - 3.0 - 1.0
    clock.reset()
    for _ in range(SAMPLES):
        received = boot_ms()
        clock.pong(int(received), received)
    assert clock.now_ms() <= boot_ms()


def test_the_oldest_output_goes_first_and_running_output_stays(tmp_path: Path) -> None:
    for attempt in (1, 2, 3, 10_001):
        handle = open_for_output(tmp_path, attempt)
        os.write(handle, b"x" * 100)
        os.close(handle)
        os.utime(output_path(tmp_path, attempt), (attempt, attempt))
    assert sweep(tmp_path, keep_bytes=200, keep_ms=10**15, running={1}) == 100
    assert read_output(tmp_path, 1, 0, 10) == (b"x" * 10, 100)
    assert read_output(tmp_path, 2, 0, 10) is None
    assert read_output(tmp_path, 10_001, 95, 10) == (b"x" * 5, 100)
    assert sweep(tmp_path, keep_bytes=10**9, keep_ms=1_000, running=()) == 300
    assert read_output(tmp_path, 3, 0, 10) is None


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/agent.md").read_text()
    assert [f.name for f in fields(AgentConfig) if f"| `{f.name}` |" not in text] == []


def test_sessions_of_an_installation_sort_in_the_order_of_their_starts(tmp_path: Path) -> None:
    sessions = [identity.next_session(tmp_path, identity.load(tmp_path)[0])[1]]
    # Also when the host's clock was set back a year.
    back = HostClock(wall_ms=lambda: wall_ms() - 365 * 86_400_000)
    sessions += [identity.next_session(tmp_path, identity.load(tmp_path)[0], back)[1] for _ in range(3)]
    assert sessions == sorted(sessions)
    assert len(set(sessions)) == 4
    # And when the data directory is an old copy: the clock is right again.
    later = HostClock(wall_ms=lambda: wall_ms() + 1_000)
    old = identity.Identity("installation")
    assert identity.next_session(tmp_path, old, later)[1] > sessions[-1]


def test_a_token_is_no_flag_since_everybody_can_read_command_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        load(["--token", "secret"], {})
    assert "--token" in capsys.readouterr().err
