"""Which Hello is refused at the door, and why.

Rules:

1. Whoever holds an agent's token may send anything, and what goes into the log is applied by every node. So
   fields have types and bounds here, before a command is made of them.
2. Who speaks for an installation holds its key: the id is the key's fingerprint, and the Hello is signed over
   the challenge of this very socket. An id that was read, or a Hello that was overheard, opens nothing.
3. A name that a token is bound to belongs to that token: one that any agent may use does not get it.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.access import Principal
from api.agents.bounds import COUNT_MAX, HELD_MAX, LETTERS_MAX, WORDS, is_count, is_held, is_text
from scheduler.formats import supported
from scheduler.machine.agents import SLOTS_MAX
from scheduler.protocol import VERSION, Hello, installation_of, is_session, to_sign

LABELS_MAX = 100
KINDS_MAX, KIND_LETTERS_MAX = 128, 64  #: with what is known of each
_TEXTS = (
    "name", "installation", "session", "boot_id", "zone", "pool", "software", "cluster", "cloud_id", "lineage"
)  # fmt: skip
_NUMBERS = {"slots": SLOTS_MAX, "index": COUNT_MAX, "restores": COUNT_MAX, "told": COUNT_MAX}
KEY_BYTES, SIGNATURE_BYTES = 32, 64


def why_refused(
    hello: Hello, nonce: bytes, *, cluster: str, restores: int, lineage: str
) -> tuple[str, str] | None:
    """(reason of the Leave, detail), or None: it may register with this cluster, or come over to it from the
    one that this was restored from."""
    if not _is_proven(hello, nonce):
        return "refused", (
            f"nothing proves that this is installation {hello.installation}: a Hello is signed with the key "
            "of its data directory"
        )
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
    return None


def why_not_its_token(hello: Hello, principal: Principal, belongs_to: str | None) -> tuple[str, str] | None:
    """As `why_refused`: a token may be bound to one agent's name and to a pool. `belongs_to`: the token that
    is bound to this name, if there is one."""
    if principal.holder not in ("", hello.name):
        return "refused", (
            f"token {principal.name} is that of agent {principal.holder}, not of {hello.name}; "
            f"make one: cronclave token create --role agent {hello.name}"
        )
    if principal.pool not in ("", hello.pool):
        return "refused", f"token {principal.name} is for the pool {principal.pool}, not {hello.pool}"
    if principal.role == "agent" and not principal.holder and belongs_to is not None:
        return "refused", (
            f"the name {hello.name} belongs to token {belongs_to}; {principal.name}, for agents of any name, "
            "does not get it"
        )
    return None


def _is_proven(hello: Hello, nonce: bytes) -> bool:
    if installation_of(hello.key) != hello.installation:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(hello.key).verify(hello.proof, to_sign(hello, nonce))
    except (InvalidSignature, ValueError):
        return False
    return True


def unsound_hello(hello: Hello) -> str | None:
    """Why nothing of this Hello may be used, not even to name its sender in a log."""
    if hello.version != VERSION:
        told = str(hello.version)[:40]
        return f"protocol version {told}, this node ({supported()}) speaks {VERSION}"
    for name in _TEXTS:
        if not _is_plain(getattr(hello, name)):
            return f"{name} is not a line of text of at most {LETTERS_MAX} letters"
    for name, most in _NUMBERS.items():
        value = getattr(hello, name)
        if not is_count(value) or value > most:
            return f"{name} is not a number from 0 to {most}"
    if not hello.name or not is_session(hello.session):
        return "Hello needs a name, and a session as scheduler.protocol.session_name makes it"
    labels: Any = hello.labels  # as it came over the wire
    if not isinstance(labels, dict) or len(labels) > LABELS_MAX:
        return f"labels are not a mapping of at most {LABELS_MAX}"
    if not all(_is_plain(text) for pair in labels.items() for text in pair):
        return f"labels are not lines of text of at most {LETTERS_MAX} letters"
    if not is_held(hello.held):
        return f"held is not a list of at most {HELD_MAX} attempts, each with {', '.join(sorted(WORDS))}"
    kinds: Any = hello.kinds
    if type(kinds) is not tuple or len(kinds) > KINDS_MAX:
        return f"kinds are not a list of at most {KINDS_MAX}"
    if not all(_is_plain(kind) and len(kind) <= KIND_LETTERS_MAX for kind in kinds):
        return f"kinds are not words of at most {KIND_LETTERS_MAX} letters"
    for kind, dot, feature in (word.partition(".") for word in kinds):
        if dot and (not feature or kind not in kinds):
            return f"kinds: {kind}{dot}{feature} is nothing that is known of a kind of work that it offers"
    for name, size in (("key", KEY_BYTES), ("proof", SIGNATURE_BYTES)):
        value = getattr(hello, name)
        if type(value) is not bytes or len(value) != size:
            return f"{name} is not {size} bytes"
    return None


def _is_plain(value: object) -> bool:
    """A text that may stand in a line of a log."""
    return is_text(value) and str(value).isprintable()
