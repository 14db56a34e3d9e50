"""Make the tables beside these crontabs by running Debian's own cron.

    apt-get install cron gcc && unshare --mount python tests/cli/crontabs/record.py     (as root)

Each NN-user.crontab is installed by `crontab -u worker FILE`, each NN-system.crontab put into /etc/cron.d, in
a mount namespace of its own, so that nothing of the host changes. Then `cron -f` runs over each of WINDOWS
with the clock of clock.c, which goes from minute to minute as fast as cron works, and notes what cron would
have started (execle) instead of starting it. Written is, by what cron started, at which
instants, and what it said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BOOK = Path("/run/book")
KINDS = ("auth", "account", "session")  #: of PAM's modules: cron's own choice costs most of the time
USERS = {"root": 0, "worker": 1001, "www-data": 33, "operator": 37}
#: Both nights in which Berlin's clocks change, the turn of a month and of a year, and hours of some weekdays.
WINDOWS = {
    "spring": ("2026-03-28T22:00Z", "2026-03-29T05:00Z"),
    "autumn": ("2026-10-24T21:00Z", "2026-10-25T05:30Z"),
    "monday": ("2026-11-29T22:30Z", "2026-11-29T23:30Z"),
    "month": ("2026-11-30T17:00Z", "2026-12-01T11:30Z"),
    "thursday": ("2026-12-03T17:30Z", "2026-12-03T18:30Z"),
    "saturday": ("2026-12-05T13:30Z", "2026-12-05T14:30Z"),
    "year": ("2026-12-31T22:00Z", "2027-01-01T02:00Z"),
    "friday": ("2027-02-11T22:30Z", "2027-02-11T23:30Z"),
    "february": ("2027-02-14T12:30Z", "2027-02-14T13:30Z"),
}


def seconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp())


def shown(instants: Iterable[int]) -> list[str]:
    """Instants (seconds), those of equal distance as `first/minutes x count`."""
    rest, out = sorted(instants), []
    while rest:
        step = rest[1] - rest[0] if len(rest) > 1 else 0
        count = 1
        while step and count < len(rest) and rest[count] - rest[count - 1] == step:
            count += 1
        if count < 3:
            count = 1
        first = datetime.fromtimestamp(rest[0], UTC).strftime("%Y-%m-%dT%H:%MZ")
        out.append(f"{first}/{step // 60} x{count}" if count > 1 else first)
        rest = rest[count:]
    return out


def prepare() -> None:
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for folder in ("/run", "/etc/cron.d", "/var/spool/cron/crontabs", "/home", "/srv"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
    subprocess.run(["chmod", "1777", "/run"], check=True)
    for folder in ("/home/worker", "/srv/shop/current"):
        Path(folder).mkdir(parents=True)
    lines = [f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh" for name, uid in USERS.items()]
    for path, text in {
        "/etc/passwd": "\n".join(lines).replace("/home/root", "/root") + "\n",
        "/etc/group": "".join(f"{name}:x:{uid}:\n" for name, uid in USERS.items()) + "crontab:x:102:\n",
        "/etc/shadow": "".join(f"{name}:*:1::::::\n" for name in USERS),
        "/etc/environment": "",
        "/etc/default/locale": "",
        "/etc/crontab": "",
        "/etc/pam.d/cron": "".join(f"{kind} required pam_permit.so\n" for kind in KINDS),
    }.items():
        if Path(path).exists():
            whole = Path("/run") / path.replace("/", "-")
            whole.write_text(text)
            subprocess.run(["mount", "--bind", whole, path], check=True)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-o", "/run/clock.so", HERE / "clock.c"], check=True
    )
    for name in USERS:
        Path("/home", name).mkdir(exist_ok=True)


def install(file: Path) -> str:
    """Returns what crontab said."""
    for old in (*Path("/etc/cron.d").iterdir(), *Path("/var/spool/cron/crontabs").iterdir()):
        old.unlink()
    if file.stem.endswith("-system"):
        there = Path("/etc/cron.d", file.stem)
        there.write_bytes(file.read_bytes())
        there.chmod(0o644)
        return ""
    done = subprocess.run(
        ["crontab", "-u", "worker", file], capture_output=True, text=True, errors="replace"
    )
    return (done.stderr + done.stdout).replace(str(file), "FILE").strip()


def run(window: tuple[str, str]) -> list[list[str]]:
    """The lines of the notebook."""
    BOOK.write_text("")
    BOOK.chmod(0o666)
    for left in ("/run/crond.pid", "/run/crond.reboot"):
        Path(left).unlink(missing_ok=True)
    subprocess.run(
        ["cron", "-f"],
        env={
            **os.environ, "TZ": "Europe/Berlin", "LD_PRELOAD": "/run/clock.so",
            "CLOCK_BEGIN": str(seconds(window[0]) - 60), "CLOCK_END": str(seconds(window[1])),
        },
        check=True,
    )  # fmt: skip
    return [line.split(" ") for line in BOOK.read_text().splitlines()]


def table(file: Path) -> dict[str, Any]:
    said = [text for text in [install(file)] if text]
    started: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name, window in WINDOWS.items():
        for kind, at, *fields in run(window):
            if kind == "said":
                text = bytes.fromhex(fields[0]).decode(errors="replace")
                if "ERROR" in text or "Error" in text or "WARN" in text:
                    said += [text] if text not in said else []
                continue
            uid, shell, command, stdin, folder, *environment = fields
            texts = [bytes.fromhex(field).decode(errors="replace") for field in environment if field]
            what = {
                "user": next(user for user, number in USERS.items() if number == int(uid)),
                "shell": bytes.fromhex(shell).decode(errors="replace"),
                "command": bytes.fromhex(command).decode(errors="replace"),
                "stdin": bytes.fromhex(stdin[1:]).decode(errors="replace"),
                "folder": bytes.fromhex(folder).decode(errors="replace"),
                "environment": dict(sorted(text.split("=", 1) for text in texts)),
            }
            begin = int(at) < seconds(window[0])
            started[json.dumps(what)]["at its start" if begin else name].append(int(at))
    return {
        "said": said,
        "started": [
            json.loads(what)
            | {"instants": {name: shown(at) for name, at in windows.items() if name in WINDOWS}}
            | ({"at its start": True} if "at its start" in windows else {})
            for what, windows in started.items()
        ],
    }  # fmt: skip


def main() -> None:
    prepare()
    chosen = [HERE / name for name in sys.argv[1:]] or sorted(HERE.glob("*.crontab"))
    for file in chosen:
        text = json.dumps(table(file), indent=1, ensure_ascii=False)
        file.with_suffix(".json").write_text(text + "\n")
        print(file.stem)


if __name__ == "__main__":
    main()
