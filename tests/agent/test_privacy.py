"""What of an agent others on its host can read: nothing that opens anything."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.spool import wire as spool_wire
from scheduler.protocol import installation_of, to_sign
from tests.agent.fake_node import FakeNode, shell
from tests.agent.host import REPOSITORY, Host

NOBODY = 65_534
HIDDEN = """
import ctypes, os, sys
from agent import privacy
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid({nobody}, {nobody}, {nobody})
    os.setresuid({nobody}, {nobody}, {nobody})
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # a change of user hides a process by itself: undone
{keep}
print("ready", flush=True)
sys.stdin.read()
"""
LOOKS = """
import os, sys
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid({nobody}, {nobody}, {nobody})
    os.setresuid({nobody}, {nobody}, {nobody})
try:
    print(b"TOP_SECRET" in open("/proc/" + sys.argv[1] + "/environ", "rb").read())
except PermissionError:
    print("denied")
"""


def open_to_others(folder: Path) -> list[str]:
    """Everything below a folder, itself included, that somebody else may read, write or enter."""
    return [
        f"{path.relative_to(folder)} {stat.S_IMODE(path.lstat().st_mode):o}"
        for path in [folder, *folder.rglob("*")]
        if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink()
    ]


async def test_every_file_is_the_agents_own_under_a_umask_that_hides_nothing(
    host: Host, node: FakeNode
) -> None:
    host.data.mkdir()
    host.data.chmod(0o777)
    host.prefix = ["sh", "-c", 'umask 000; exec "$@"', "sh"]
    host.start()
    await node.connected()
    await node.send(shell(1, f"umask; touch {host.folder}/made; echo out"))
    end = await node.finished(1)

    names = {path.name for path in host.data.rglob("*")}
    assert {"spooler.socket", "agent.journal", "spool.journal", "identity.json", "1.log"} <= names
    assert open_to_others(host.data) == []
    assert end.tail.split() == [b"0000", b"out"], "a job has the umask that its agent was started with"
    assert stat.S_IMODE((host.folder / "made").stat().st_mode) == 0o666


async def test_the_spooler_has_none_of_its_agents_settings(
    host: Host, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRONCLAVE_AGENT_TOKEN", "secret")
    monkeypatch.setenv("CRONCLAVE_TOKEN", "the administrator's")
    host.start()
    await node.connected()
    evidence = host.folder / "seen"  # more than the tail of an output may hold
    await node.send(shell(1, f'exec > {evidence}; env; tr "\\0" "\\n" < /proc/$PPID/environ; exit 0'))

    await node.finished(1)
    seen = evidence.read_bytes()
    assert b"CRONCLAVE_ATTEMPT=1" in seen
    assert b"TOKEN" not in seen, seen


@pytest.mark.parametrize(("keep", "seen"), [("", "True"), ("privacy.keep_private()", "denied")])
def test_the_environment_is_hidden_from_processes_of_the_same_user(keep: str, seen: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HIDDEN.format(nobody=NOBODY, keep=keep)],
        cwd=REPOSITORY, env={**os.environ, "CRONCLAVE_AGENT_TOKEN": "TOP_SECRET"}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as hidden:  # fmt: skip
        assert hidden.stdout is not None
        assert hidden.stdout.readline() == "ready\n"
        look = [sys.executable, "-c", LOOKS.format(nobody=NOBODY), str(hidden.pid)]
        assert subprocess.run(look, capture_output=True, text=True, check=True).stdout.strip() == seen
        hidden.communicate("")


def test_a_process_of_another_user_is_not_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert spool_wire.is_ours(ours)
        monkeypatch.setattr(os, "geteuid", lambda: 4_242)
        assert not spool_wire.is_ours(ours)


async def test_the_key_of_an_installation_is_proven_and_never_told(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    await node.send(shell(1, "env"))
    seen = (await node.finished(1)).tail
    host.kill()
    host.start()
    await node.connected(2)

    secret = (host.data / "agent.key").read_bytes()
    first, second = node.hellos
    assert first.installation == second.installation == installation_of(first.key)
    for hello in (first, second):
        public = Ed25519PrivateKey.from_private_bytes(secret).public_key()
        assert public.public_bytes_raw() == hello.key
        public.verify(hello.proof, to_sign(hello, node.nonce))
    assert first.installation.encode() in seen, "by the id alone a job can do nothing"
    assert secret not in seen
    assert secret.hex().encode() not in seen


async def test_an_agent_without_its_key_says_what_to_do(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    host.kill()
    (host.data / "agent.key").unlink()

    host.start()

    assert host.agent is not None
    assert await asyncio.to_thread(host.agent.wait, 60) == 1
    assert "agent.key is gone" in host.log()
    assert "cronclave agents release" in host.log()
