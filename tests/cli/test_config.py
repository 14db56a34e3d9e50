"""`cronclave config show --origin`: of the command, of a node, of an agent."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from agent.config import AgentConfig
from node.config import _SETTINGS
from tests.cli.conftest import Command
from tests.node.test_config import GOOD

URL = "http://127.0.0.1:24998"
SECRET = "7f" * 32


async def told(command: Command, *words: str, **environment: str) -> dict[str, tuple[Any, str]]:
    """By setting, its value and origin."""
    result = await command("config", "show", "--origin", "-o", "json", *words, **environment)
    assert result.code == 0, result.err
    return {each["setting"]: (each["value"], each["origin"]) for each in json.loads(result.out)}


async def test_a_node_s_settings_have_lines_variables_and_defaults(offline: Command, tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(GOOD + f'[auth]\nbootstrap_token_sha256 = "{SECRET}"\n[dial]\nn2 = "127.0.0.1:9"\n')

    found = await told(offline, "--node", str(file), CRONCLAVE_NODE_ZONE="b")

    assert found["cluster"] == ("c1", f"{file}:2")
    assert found["node.zone"] == ("b", "CRONCLAVE_NODE_ZONE")
    assert found["http.listen"] == ("127.0.0.1:8321", f"{file}:8")
    assert found["http.url"] == ("http://127.0.0.1:8321", "default")
    assert found["members.n1.zone"] == ("a", f"{file}:13")
    assert found["dial.n2"] == ("127.0.0.1:9", f"{file}:18")
    assert found["auth.bootstrap_token_sha256"] == ("(hidden)", f"{file}:16")
    assert SECRET not in repr(found)
    plain = {f"{table}.{key}".lstrip(".") for table, keys in _SETTINGS.items() for key in keys}
    tables = {table for table in (*_SETTINGS, "dial") if table}
    of_members = {"members.raft", "members.zone", "members.url"}
    assert plain - tables - of_members <= set(found), "a setting is missing"


async def test_an_agent_s_settings_have_lines_variables_and_defaults(
    offline: Command, tmp_path: Path
) -> None:
    file = tmp_path / "agent.toml"
    told_by_file = f'zone = "z"\nnodes = ["https://a:1"]\ndata = "d"\ntoken = "{SECRET}"\n[labels]\na = "b"\n'
    file.write_text(told_by_file)

    found = await told(offline, "--agent", str(file), CRONCLAVE_AGENT_POOL="gpu")

    assert found["zone"] == ("z", f"{file}:1")
    assert found["nodes"] == (["https://a:1"], f"{file}:2")
    assert found["labels"] == ({"a": "b"}, f"{file}:5")
    assert found["pool"] == ("gpu", "CRONCLAVE_AGENT_POOL")
    assert found["slots"] == (16, "default")
    assert found["token"] == ("(hidden)", f"{file}:4")
    assert SECRET not in repr(found)
    assert set(found) == {option.name for option in fields(AgentConfig)}


async def test_the_command_s_own_settings_are_told(offline: Command, tmp_path: Path) -> None:
    nobody = await told(offline)
    await offline("context", "add", "prod", "--url", URL, "--token", SECRET)
    by_context = await told(offline)
    by_words = await told(offline, "--url", URL, CRONCLAVE_TOKEN=SECRET, CRONCLAVE_RETRY="3s")

    contexts = tmp_path / "config" / "cronclave" / "contexts.toml"
    assert nobody["url"] == (None, "nothing names a cluster here")
    assert nobody["retry"] == ("10s", "default")
    assert by_context["url"] == (URL, f"{contexts}:4")
    assert by_context["token"] == ("(hidden)", f"{contexts}:5")
    assert by_context["ca"] == (None, "default")
    assert by_words["url"] == (URL, "--url")
    assert by_words["token"] == ("(hidden)", "CRONCLAVE_TOKEN")
    assert by_words["retry"] == ("3s", "CRONCLAVE_RETRY")
    assert SECRET not in repr((by_context, by_words))


async def test_without_origin_values_alone_are_shown(offline: Command) -> None:
    result = await offline("config", "show", "--url", URL)

    assert result.out.splitlines()[0].split() == ["SETTING", "VALUE"]
    assert URL in result.out


@pytest.mark.parametrize(
    ("words", "text", "code", "said"),
    [
        (("--node", "FILE"), "x = 1", 1, "unknown setting x"),
        (("--node", "FILE"), "x = ", 1, "not TOML"),
        (("--node", "FILE"), "\xff", 1, "not TOML"),
        (("--agent", "FILE"), "slot = 1", 1, "slot: unknown setting"),
        (("--agent", "FILE"), "x = ", 1, "f.toml: "),
        (("--agent", "FILE"), "\xff", 1, "f.toml: "),
        (("--node", "nope.toml"), "", 2, "nope.toml"),
        (("--node", "FILE", "--agent", "FILE"), "", 2, "exclude each other"),
        (("--context", "nope"), "", 3, "there is no context 'nope'"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_told(
    words: tuple[str, ...], text: str, code: int, said: str, offline: Command, tmp_path: Path
) -> None:
    (tmp_path / "f.toml").write_bytes(text.encode("latin-1"))

    result = await offline("config", "show", *(word.replace("FILE", "f.toml") for word in words))

    assert result.code == code, result.err
    assert said in result.err
    assert "Traceback" not in result.err
