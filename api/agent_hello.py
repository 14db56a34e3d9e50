"""Which Hello is refused at the door, and why.

Rule: whoever holds an agent's token may send anything, and what goes into the log is applied by every node.
So fields have types and bounds here, before a command is made of them.
"""

from __future__ import annotations

from typing import Any

from api.access import Principal
from api.agent_bounds import HELD_MAX, LETTERS_MAX, is_count, is_held, is_text
from scheduler.formats import supported
from scheduler.protocol import VERSION, Hello

LABELS_MAX = 100
_TEXTS = (
    "name", "installation", "session", "boot_id", "zone", "pool", "software", "cluster", "cloud_id", "lineage"
)  # fmt: skip
_NUMBERS = ("slots", "index", "restores", "told")


def why_refused(hello: Hello, cluster: str, restores: int, lineage: str) -> tuple[str, str] | None:
    """(reason of the Leave, detail), or None: it may register with this cluster, or come over to it from the
    one that this was restored from."""
    if hello.cluster and hello.cluster != cluster:
        if (hello.lineage or hello.cluster) != lineage:
            return "wrong_cluster", f"the agent belongs to cluster {hello.cluster}, this is {cluster}"
        if hello.restores >= restores:
            newer = f"the agent follows restore {hello.restores} (cluster {hello.cluster})"
            if hello.restores > restores:
                return "wrong_cluster", f"{newer} of this cluster: this one, at {restores}, is the older"
            return "wrong_cluster", (
                f"{newer}, this is another of the same number (cluster {cluster}): where this one is right,"
                f" restore again with --number {hello.restores + 1}"
            )
    if hello.cluster == cluster and hello.restores > restores:
        return "wrong_cluster", f"the agent knows restore {hello.restores}, this cluster is at {restores}"
    if not hello.name or not hello.session or not hello.installation or hello.slots < 0:
        return "refused", "Hello needs a name, an installation, a session and a number of slots"
    return None


def why_not_its_token(hello: Hello, principal: Principal) -> tuple[str, str] | None:
    """As `why_refused`: a token may be bound to one agent's name and to a pool."""
    if principal.holder not in ("", hello.name):
        return "refused", f"token {principal.name} is that of agent {principal.holder}, not of {hello.name}"
    if principal.pool not in ("", hello.pool):
        return "refused", f"token {principal.name} is for the pool {principal.pool}, not {hello.pool}"
    return None


def unsound_hello(hello: Hello) -> str | None:
    """Why nothing of this Hello may be used, not even to name its sender in a log."""
    if hello.version != VERSION:
        told = str(hello.version)[:40]
        return f"protocol version {told}, this node ({supported()}) speaks {VERSION}"
    for name in _TEXTS:
        if not is_text(getattr(hello, name)):
            return f"{name} is not text of at most {LETTERS_MAX} letters"
    for name in _NUMBERS:
        if not is_count(getattr(hello, name)):
            return f"{name} is not a number, or out of bounds"
    labels: Any = hello.labels  # as it came over the wire
    if not isinstance(labels, dict) or len(labels) > LABELS_MAX:
        return f"labels are not a mapping of at most {LABELS_MAX}"
    if not all(is_text(text) for pair in labels.items() for text in pair):
        return f"labels are not texts of at most {LETTERS_MAX} letters"
    if not is_held(hello.held):
        return f"held is not a list of at most {HELD_MAX} attempts, each with running, exited or gone"
    return None
