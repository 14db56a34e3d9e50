"""What the kinds have in common that happen in the state."""

from __future__ import annotations

UNREAD = (
    *("on", "retry", "timeout", "env", "secrets", "cwd", "stdin", "grace", "output_limit"),
    *("exit", "stderr", "skip_if_exists", "run_as", "umask", "nice", "limits", "outputs", "locks"),
    *("fanout", "join", "async"),
)
"""Fields of a task that mean nothing without an attempt."""
