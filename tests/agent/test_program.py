"""A program that cannot be started: what is said is what to change. The files are real, so is the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent import program
from tests.agent.fake_node import FakeNode, assign
from tests.agent.host import REPOSITORY, Host

WRONG = {
    "crlf": (b"#!/bin/sh\r\necho hi\r\n", "'/bin/sh\\r', ends in a carriage return"),
    "env-crlf": (b"#!/usr/bin/env sh\r\necho hi\r\n", "its first line ends in a carriage return"),
    "option-crlf": (b"#!/bin/sh -e\r\necho hi\r\n", "its first line ends in a carriage return"),
    "gone": (b"#!/opt/no-such/python\nprint()\n", "/opt/no-such/python: there is no such file"),
    "folder": (b"#!/tmp\n", "the interpreter in its first line, /tmp: it is a folder"),
    "unnamed": (b"#!  \n", "names no interpreter"),
    "bom": (b"\xef\xbb\xbf#!/bin/sh\necho hi\n", "byte order mark"),
    "bare": (b"echo hi\n", "its first line is not #!"),
    "empty": (b"", "the file is empty"),
    "long": (b"#!/" + b"x" * 300 + b"\n", "longer than the 255 bytes"),
}
WRONG["utf16"] = ("\ufeff#!/bin/sh\n".encode("utf-16-le"), "the mark of UTF-16")


def _file(folder: Path, name: str, content: bytes, mode: int = 0o755) -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("kill_on_lease_end", [False, True], ids=["plain", "behind-setpriv"])
async def test_a_script_that_cannot_start_says_why(
    host: Host, node: FakeNode, tmp_path: Path, kill_on_lease_end: bool
) -> None:
    host.start()
    await node.connected()
    numbers = dict(enumerate(WRONG, 1))

    for number, name in numbers.items():
        work = {"kind": "exec", "argv": [str(_file(tmp_path, name, WRONG[name][0]))]}
        await node.send(assign(number, work, kill_on_lease_end=kill_on_lease_end))

    for number, name in numbers.items():
        end = await node.finished(number)
        assert WRONG[name][1] in end.detail, (name, end)
        assert end.exit_code != 0


async def test_a_shell_line_that_names_such_a_file_says_why_too(
    host: Host, node: FakeNode, tmp_path: Path
) -> None:
    host.start()
    await node.connected()
    crlf = _file(tmp_path, "a.sh", WRONG["crlf"][0])
    locked = _file(tmp_path, "b.sh", b"#!/bin/sh\n", 0o644)
    good = _file(tmp_path, "c.sh", b"#!/bin/sh\nexit 127\n")

    await node.send(
        assign(1, {"kind": "shell", "run": f"{crlf} --now"}),
        assign(2, {"kind": "shell", "run": "./b.sh", "cwd": str(tmp_path)}),
        assign(3, {"kind": "shell", "run": str(good)}),
        assign(4, {"kind": "shell", "run": "no-such-word"}),
    )

    assert "ends in a carriage return" in (await node.finished(1)).detail
    assert f"./b.sh: it is not executable: chmod +x {locked}" in (await node.finished(2)).detail
    assert (await node.finished(3)).detail == ""
    assert (await node.finished(4)).detail == ""


def _said(name: str, cwd: Path) -> str:
    with pytest.raises(program.Unstartable) as caught:
        program.find(name, "/usr/bin:/bin", str(cwd))
    return str(caught.value)


def test_what_is_no_program_is_told_apart(tmp_path: Path) -> None:
    locked = _file(tmp_path, "locked", b"#!/bin/sh\n", 0o644)
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")

    assert "it is a folder" in _said(str(tmp_path), tmp_path)
    assert f"chmod +x {locked}" in _said("./locked", tmp_path)
    assert "its link leads nowhere" in _said("./broken", tmp_path)
    assert "there is no such file on this host" in _said("./none", tmp_path)
    assert f"and no folder {tmp_path}/deep" in _said("deep/none", tmp_path)
    assert "its name ends in a carriage return" in _said("/bin/sh\r", tmp_path)
    assert "not found in PATH=/usr/bin:/bin" in _said("no-such-program", tmp_path)


def test_scripts_may_be_each_others_interpreter_as_linux_lets_them(tmp_path: Path) -> None:
    first = _file(tmp_path, "first", b"#!/bin/sh\n")
    second = _file(tmp_path, "second", f"#! {first}\targument\n".encode())
    broken = _file(tmp_path, "broken", b"#!/bin/sh\r\n")
    behind = _file(tmp_path, "behind", f"#!{broken}\n".encode())
    circle = _file(tmp_path, "circle", f"#!{tmp_path}/circle\n".encode())

    assert program.why_not(str(second), "/") == ""
    assert "ends in a carriage return" in program.why_not(str(behind), "/")
    assert "each other's interpreter" in program.why_not(str(circle), "/")
    for file in (second, behind, circle):
        try:
            started = subprocess.run([file], stdin=subprocess.DEVNULL, check=False).returncode == 0
        except OSError:
            started = False
        assert started is (program.why_not(str(file), "/") == "")


def test_a_file_on_a_noexec_mount_is_told(tmp_path: Path) -> None:
    script = (
        "mount -t tmpfs -o noexec none . && cd \"$PWD\" && printf '#!/bin/sh\\n' > it && chmod +x it && "
        f"PYTHONPATH={REPOSITORY} {sys.executable} -c "
        "'import os; from agent import program; program.find(os.getcwd() + \"/it\", \"\", \"/\")'"
    )

    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip

    assert "its file system is mounted noexec" in done.stderr
