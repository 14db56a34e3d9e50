"""Is the sixth word a user, as in /etc/crontab, or the command, as in a user's own crontab?

Rules: the file's place decides; else every job line must support it, and one of them beyond doubt: by a user
whose name is no command's. In doubt it is a user's crontab, since a command that loses its first word does
something else in silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")

#: Users of common systems whose names are no commands: `git`, `mail`, `man`, `backup` would be.
NO_COMMANDS = re.compile(
    r"root|daemon|bin|sys|lp|news|uucp|proxy|www-data|irc|nobody|apache|nginx|postgres|ubuntu|centos|ec2-user"
    r"|debian|admin|jenkins|tomcat"
)
#: How commands begin.
_PROGRAM = re.compile(
    r"[/~.$\[{(]|(?:test|cd|if|command|sh|bash|python3?|perl|php|ruby|nice|flock|run-parts)\b"
)
_SYSTEM_PLACE = re.compile(r"(?:.*/)?etc/(?:crontab|cron\.d/[^/]+)")


def is_system_place(filename: str) -> bool:
    """Whether files of this place always have the column."""
    return bool(_SYSTEM_PLACE.fullmatch(filename))


def show_users(rests: Sequence[str]) -> bool:
    """Whether a user stands before every command. `rests`: what follows the schedule, of each job line."""
    words = [rest.split(None, 2) for rest in rests]
    return all(_may_be_user(line) for line in words) and any(NO_COMMANDS.fullmatch(line[0]) for line in words)


def leaves_it_open(rests: Sequence[str]) -> bool:
    """Whether a reader might take the first word of every line for a user, though it was not taken so."""
    words = [rest.split(None, 2) for rest in rests]
    return bool(words) and all(_may_be_user(line) and _PROGRAM.match(line[1]) for line in words)


def _may_be_user(words: Sequence[str]) -> bool:
    return len(words) >= 2 and bool(USER.fullmatch(words[0])) and words[1][0] not in "-<>|&;%"
