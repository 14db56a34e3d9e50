"""The words that the shell of the other side gets.

1. What the login shell is asked to run holds nothing of the job: it is the same for all, so that no process
   list shows a variable, and no login shell (csh, fish, cmd) reads it in its own way.
2. It first says its process number, behind a word that nobody can guess (`SAYS`), then reads one line, the
   *order*, and becomes the command. So a command was begun if, and only if, the order was sent: without a
   whole line nothing is run.
3. The command leads a process group, as here. Where the server gave it none (OpenSSH always does), setsid
   does, which is the same process.
4. Windows has no groups and no SIGTERM: its tree of processes is killed at once.

Rejected: `export` lines as a script on the shell's standard input, which the command would then share with
it; the protocol's own environment, of which servers take LANG and LC_* alone; its signals, which OpenSSH
drops for root.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Mapping

SH, POWERSHELL = "sh", "powershell"
UNBEGUN = 255  #: exit code, as `ssh` has it: nothing was run
_SAYS = re.compile(rb"(?:^|\n)cronclave ([0-9a-f]{16,}) ([1-9][0-9]{0,9})\r?\n")

#: One line, no quote within, nothing that csh or fish would read in another way.
_SH = (
    "if read -r s 2>/dev/null </proc/$$/stat; then s=${s##*\\) }; set -- $s; g=$3; "
    "else g=$(ps -o pgid= -p $$ 2>/dev/null | tr -d \\ ); fi; S=; "
    "if [ \"$g\" = $$ ]; then :; elif command -v setsid >/dev/null 2>&1; then S=setsid; fi; "
    'n=$(printf "\\nx"); n=${n%x}; '
    'printf "cronclave %s %s\\n" "$0" $$ >&2; IFS= read -r l || exit 255; eval "$l"'
)
_SH_KILL = "kill -TERM -{pid} 2>/dev/null || kill -TERM {pid} 2>/dev/null"
_SH_END = (
    "kill -KILL -{pid} 2>/dev/null; kill -KILL {pid} 2>/dev/null; i=0; "
    "while kill -0 -{pid} 2>/dev/null || kill -0 {pid} 2>/dev/null; do "
    "[ $i -ge 40 ] && exit 1; i=$((i+1)); sleep 0.1 2>/dev/null || sleep 1; done; exit 0"
)
_POWERSHELL = """\
$ErrorActionPreference = 'Stop'
[Console]::Error.WriteLine("cronclave {says} $PID")
$line = [Console]::In.ReadLine()
if ($null -eq $line) {{ exit 255 }}
$order = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($line)) | ConvertFrom-Json
foreach ($each in $order.environment.PSObject.Properties) {{
  [Environment]::SetEnvironmentVariable($each.Name, [string]$each.Value)
}}
try {{
  if ($order.cwd) {{ Set-Location -LiteralPath $order.cwd }}
}} catch {{
  [Console]::Error.WriteLine("$_"); exit 255
}}
$ErrorActionPreference = 'Continue'
$global:LASTEXITCODE = 0
try {{
  & ([ScriptBlock]::Create($order.run)); $good = $?
}} catch {{
  [Console]::Error.WriteLine("$_"); $good = $false
}}
if (-not $good -and $LASTEXITCODE -eq 0) {{ exit 1 }}
exit $LASTEXITCODE
"""
_WINDOWS_END = (
    "$null = taskkill /T /F /PID {pid} 2>&1; foreach ($i in 1..40) {{ "
    "if (-not (Get-Process -Id {pid} -ErrorAction SilentlyContinue)) {{ exit 0 }}; "
    "Start-Sleep -Milliseconds 100 }}; exit 1"
)


def opening(shell: str, says: str) -> str:
    """What the login shell is to run. `says`: hexadecimal digits that nobody knows yet."""
    if shell == POWERSHELL:
        return _encoded(_POWERSHELL.format(says=says))
    return f"exec /bin/sh -c '{_SH}' {says}"


def order(shell: str, run: str, environment: Mapping[str, str], cwd: str, *, has_stdin: bool) -> bytes:
    """The line that begins the command."""
    if shell == POWERSHELL:
        whole = {"environment": dict(environment), "cwd": cwd, "run": run}
        return base64.b64encode(json.dumps(whole).encode()) + b"\n"
    words = [f"export {name}={_quoted(value)}; " for name, value in environment.items()]
    if cwd:
        words.append(f"cd -- {_quoted(cwd)} || exit {UNBEGUN}; ")
    from_nothing = "" if has_stdin else " </dev/null"
    words.append(f"exec $S /bin/sh -c {_quoted(run)}{from_nothing}\n")
    return "".join(words).encode("utf-8", "surrogateescape")


def said(shell: str, says: str, data: bytes) -> tuple[int, bytes] | None:
    """(its process number, what else stands there) of what came on standard error; None: not yet all."""
    found = _SAYS.search(data)
    if found is None or found[1].decode() != says:
        return None
    start = found.start() + (data[found.start() : found.start() + 1] == b"\n")
    return int(found[2]), data[:start] + data[found.end() :]


def asking_to_end(shell: str, pid: int) -> str:
    """Empty: nobody can ask there."""
    return "" if shell == POWERSHELL else _in_sh(_SH_KILL, pid)


def ending(shell: str, pid: int) -> str:
    """Kills all of it; exit code 0 once nothing of it is left."""
    return _encoded(_WINDOWS_END.format(pid=pid)) if shell == POWERSHELL else _in_sh(_SH_END, pid)


def _in_sh(words: str, pid: int) -> str:
    return f"exec /bin/sh -c '{words.format(pid=pid)}'"


def _encoded(words: str) -> str:
    told = base64.b64encode(words.encode("utf-16-le")).decode()
    return f"powershell -NoProfile -NonInteractive -EncodedCommand {told}"


def _quoted(text: str) -> str:
    """For sh, within one line."""
    return '"$n"'.join(shlex.quote(part) for part in text.split("\n"))
