"""Names of imported jobs: a readable word of the command, and a hash of what the job does."""

from __future__ import annotations

import hashlib
import re

_WORD = re.compile(r"[^\s;&|()<>\"']+")
_SUFFIX = re.compile(r"\.(sh|py|pl|rb|php|js)$")
_APART = re.compile(r"(?<=-[0-9a-f]{6})(?:-[0-9a-f]{4})?(?:-[0-9]{1,3})?$")
_WRAPPERS = re.compile(
    r"sudo|nice|ionice|env|time|timeout|flock|chronic|setsid|nohup|exec|cd|test|\[|bash|sh|zsh|dash|python3?"
    r"|perl|ruby|php|node|if|then"
)


def name_of(source: str, command: str, stdin: str | None, user: str) -> str:
    """The name of the job that does this for this crontab: it stays when the schedule or the environment
    changes, and is another one for another crontab, so that two hosts with the same line have two jobs."""
    does = "\0".join([source, user, command] if stdin is None else [source, user, command, stdin])
    return f"{_readable(command)}-{short_hash(does, 6)}"


def family(name: str) -> str:
    """The name without what tells jobs of one command apart (environments, more lines than a job takes)."""
    return _APART.sub("", name)


def short_hash(text: str, letters: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:letters]


def _readable(command: str) -> str:
    fallback = ""
    for word in _WORD.findall(command):
        if "=" in word or word[0] in "-$`{}" or word[:2] == "\\" or word.isdecimal():
            continue
        last = word.rstrip("/").rpartition("/")[2].lower()
        stem = _SUFFIX.sub("", last)
        slug = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:40].strip("-")
        if not slug:
            continue
        fallback = fallback or slug
        is_directory = command.lstrip().startswith("cd ") and command.lstrip()[3:].lstrip().startswith(word)
        if not _WRAPPERS.fullmatch(stem) and not is_directory:
            return slug
    return fallback or "job"
