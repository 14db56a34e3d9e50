"""`python -I -m agent.ssh`: the process of an `ssh` task.

Standard input says what to run and where, as JSON; the environment has the values. Output and errors are the
command's. Its end is the command's: the exit code, or 255 where nothing was begun, with the reason as its
last line. Where nobody could see how it ended it ends by SIGKILL, which `agent.spool` takes as that
(`Command.elsewhere`), and so it does when it is killed itself.

SIGTERM asks the command to end, with its grace; SIGQUIT ends it at once. Both are blocked when it starts
(`agent.spool.starting`), so that none comes before it can heed them.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from typing import Any

from agent.privacy import keep_private
from agent.ssh import there
from agent.ssh.session import Asked, Remote, Unbegun, Unseen, code_of

_VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,32})?")
_USER = re.compile(r"[^\s\x00-\x1f\x7f]{1,128}")


def asked_of(given: Mapping[str, Any], values: Mapping[str, str]) -> Asked:
    """Raises Unbegun."""

    def valued(name: str) -> str:
        if name and name not in values:
            raise Unbegun(f"{name} is not set")
        return values[name] if name else ""

    def filled(field: str, form: re.Pattern[str]) -> str:
        text = given.get(field) or ""
        text = _VARIABLE.sub(lambda found: found[0][1:] if found[1] else valued(found[2]), text)
        if text and not form.fullmatch(text):
            raise Unbegun(f"{text[:100]!r} is no {field}")
        return text

    environment = {name: values[name] for name in given["send"] if name in values}
    for name in environment:
        if not _NAME.fullmatch(name):
            raise Unbegun(f"the variable {name[:100]!r} cannot be given to a shell")
    return Asked(
        host=filled("host", _HOST), run=given["run"], shell=given["shell"], cwd=given.get("cwd") or "",
        stdin=given.get("stdin"), port=given["port"], user=filled("user", _USER),
        known_hosts=given.get("known_hosts") or "", key=valued(given.get("key") or ""),
        passphrase=valued(given.get("passphrase") or ""), password=valued(given.get("password") or ""),
        environment=environment, grace_s=given["grace_ms"] / 1000,
    )  # fmt: skip


async def _run(asked: Asked) -> tuple[int, str]:
    remote, loop = Remote(asked), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: remote.end(at_once=False))
    loop.add_signal_handler(signal.SIGQUIT, lambda: remote.end(at_once=True))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGQUIT))
    return await remote.run()


def main() -> int:
    keep_private()
    given = json.load(sys.stdin)
    where = given["host"]
    try:
        asked = asked_of(given, os.environ)
        where = f"{asked.user}@{asked.host}" if asked.user else asked.host
        status, by = asyncio.run(_run(asked))
    except Unbegun as error:
        print(f"ssh {where}: {error}", file=sys.stderr)
        return there.UNBEGUN
    except Unseen as error:
        print(f"ssh {where}: {error}: how it ended there is not known", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        raise
    code = code_of(status, by)
    if by:
        print(f"ssh {where}: ended by signal {by}", file=sys.stderr)
    elif code != status:
        print(f"ssh {where}: exit code {status}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
