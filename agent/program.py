"""Which file a command starts, and why the kernel will not start it, in words that say what to change.

`execve` has a handful of numbers for many causes. A script whose lines end in CR LF gives "No such file or
directory" although it is there: the kernel looks for an interpreter whose name ends in a carriage return.
Here the file is looked at, only after something went wrong or where setpriv would hide it.

The rules of `#!` are those of Linux (fs/binfmt_script.c, Documentation: execve(2), "Interpreter scripts"):
the first LINE_BYTES_MAX bytes, a name up to the first blank, at most NESTED_MAX scripts behind each other.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping

LINE_BYTES_MAX = 255
NESTED_MAX = 4
_NOT_STARTED = (126, 127)  #: of a shell, env and setpriv: found and not started; not found
_WRONG_USAGE = 2  #: an interpreter that was given an option with a carriage return
_ELF = b"\x7fELF"
_MARKS = {
    b"\xef\xbb\xbf": "a byte order mark (BOM)",
    b"\xff\xfe": "the mark of UTF-16",
    b"\xfe\xff": "the mark of UTF-16",
}
CRLF_HINT = "the file has Windows line ends (CRLF): save it with LF, for example by dos2unix"


class Unstartable(Exception):
    """No such program can be started; the text says why, for people."""


def find(name: str, path: str, cwd: str) -> str:
    """Where execvp would find it. Raises Unstartable."""
    candidates = [name] if "/" in name else [f"{folder or '.'}/{name}" for folder in path.split(":")]
    there = ""
    for candidate in candidates:
        full = _full(candidate, cwd)
        if os.access(full, os.X_OK) and not os.path.isdir(full):
            return candidate
        if not there and os.path.lexists(full):
            there = candidate
    if there:
        raise Unstartable(f"{there}: {_no_access(_full(there, cwd))}")
    if name.endswith("\r"):
        raise Unstartable(f"{name!r}: its name ends in a carriage return: {CRLF_HINT}")
    if "/" in name:
        folder = os.path.dirname(_full(name, cwd))
        missing = "" if os.path.isdir(folder) else f", and no folder {folder}"
        raise Unstartable(f"{name}: there is no such file on this host{missing}")
    raise Unstartable(f"{name}: not found in PATH={path}")


def why_not(file: str, cwd: str) -> str:
    """What keeps the kernel from starting this file, which `find` found; empty: nothing that can be seen."""
    shown, full = file, _full(file, cwd)
    for _ in range(NESTED_MAX):
        head = _head(full)
        if head is None or head.startswith(_ELF):
            return ""
        if not head.startswith(b"#!"):
            return _no_script(shown, head)
        line, newline, _ = head[2:].partition(b"\n")
        named = _first(line)
        interpreter = os.fsdecode(named)
        if not interpreter.strip("\r"):
            return f"{shown}: its first line, #!, names no interpreter"
        if not newline and len(head) > LINE_BYTES_MAX and line.endswith(named):
            return f"{shown}: its first line is longer than the {LINE_BYTES_MAX} bytes that Linux reads"
        beyond = _full(interpreter, cwd)
        if not (os.access(beyond, os.X_OK) and os.path.isfile(beyond)):
            if interpreter.endswith("\r"):
                return f"{shown}: its interpreter, {interpreter!r}, ends in a carriage return: {CRLF_HINT}"
            return f"{shown}: the interpreter in its first line, {interpreter}: {_no_access(beyond)}"
        shown, full = interpreter, beyond
    return f"{file}: more than {NESTED_MAX} scripts are each other's interpreter"


def doubt(argv: list[str], environment: Mapping[str, str], cwd: str, status: int) -> str:
    """What is odd about the program of a command that ended with this status, where its own words may not
    say it; empty: nothing.

    `env`, named in a script's first line, says that there is no 'bash' and the carriage return is not seen; a
    shell says "not found" of a script that is there.
    """
    is_shell = len(argv) == 3 and argv[1] == "-c"
    if status not in (_NOT_STARTED if is_shell else (*_NOT_STARTED, _WRONG_USAGE)):
        return ""
    name = _first_word(argv[2]) if is_shell else argv[0]
    if is_shell and "/" not in name:
        return ""
    try:
        file = find(name, environment.get("PATH", ""), cwd)
    except Unstartable as error:
        return str(error)
    if told := why_not(file, cwd):
        return told
    line, newline, _ = (_head(_full(file, cwd)) or b"").partition(b"\n")
    if line.startswith(b"#!") and newline and line.endswith(b"\r"):
        return f"{file}: its first line ends in a carriage return, and its interpreter sees it: {CRLF_HINT}"
    return ""


def _first_word(script: str) -> str:
    """The program of a shell command that is a plain one; empty: it is none."""
    try:
        words = shlex.split(script.strip().partition("\n")[0], comments=True)
    except ValueError:
        return ""
    return words[0] if words and words[0].isprintable() and not set(words[0]) & set("$`(){}<>|&;=*?~") else ""


def _first(line: bytes) -> bytes:
    """The interpreter: up to the first blank or tab, as Linux reads it; a carriage return is part of it."""
    line = line.strip(b" \t")
    for at, byte in enumerate(line):
        if byte in b" \t\0":
            return line[:at]
    return line


def _no_script(shown: str, head: bytes) -> str:
    for mark, what in _MARKS.items():
        if head.startswith(mark):
            return f"{shown}: it begins with {what}, so #! is not seen: save it as UTF-8 without a mark"
    if not head:
        return f"{shown}: the file is empty"
    if b"\0" in head:
        return ""  # of a machine or a kind that the kernel may know
    return (
        f"{shown}: its first line is not #! with an interpreter: add one (#!/bin/sh), or name the"
        " interpreter as the program and the file as its argument"
    )


def _no_access(full: str) -> str:
    """Why a file cannot be started that its name leads to. Never empty."""
    try:
        found = os.stat(full)
    except FileNotFoundError:
        return "its link leads nowhere" if os.path.islink(full) else "there is no such file on this host"
    except OSError as error:
        return error.strerror or str(error)
    if stat.S_ISDIR(found.st_mode):
        return "it is a folder, not a program"
    if not stat.S_ISREG(found.st_mode):
        return "it is no file that can be started"
    if not found.st_mode & 0o111:
        return f"it is not executable: chmod +x {shlex.quote(os.path.normpath(full))}"
    if not os.access(full, os.X_OK):
        try:
            noexec = os.statvfs(full).f_flag & os.ST_NOEXEC
        except OSError:
            noexec = 0
        if noexec:
            return "its file system is mounted noexec: nothing on it can be started"
        return f"the agent's user may not execute it (mode {stat.S_IMODE(found.st_mode):o})"
    return "it cannot be started"


def _full(name: str, cwd: str) -> str:
    return name if name.startswith("/") else f"{cwd}/{name}"


def _head(full: str) -> bytes | None:
    """The first bytes; None where it cannot be read, as a program need not be."""
    try:
        with open(full, "rb", buffering=0) as file:
            return file.read(LINE_BYTES_MAX + 1)
    except OSError:
        return None
