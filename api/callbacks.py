"""The token with which an attempt, or whoever it hands its work to, says how it ends (`async`).

Rules of this file:

1. It is derived, never kept: an HMAC (RFC 2104, SHA-256) of the keys that nodes have for secrets, over the
   cluster's lineage, the attempt and the number of the restore under which it was given. The log, the state
   and every copy of it hold nothing of it, and each node that has a key makes and knows the same.
2. It is its attempt's alone: another try is another attempt. Ids of attempts are never given again, so after
   a restore one of an earlier number is of an attempt that the state knows, or of nobody's.
3. Like a secret it comes with the Grant, and is masked in output.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from api.ports import Vault
from scheduler.store.connection import Store
from scheduler.store.tables import restores

PREFIX = "cb_"
VARIABLE = "CRONCLAVE_CALLBACK_TOKEN"
_FORM = re.compile(r"cb_([0-9]{1,19})_([0-9]{1,9})_([A-Za-z0-9_-]{43})")
_NUMBER_MAX = (1 << 62) - 1
_PATH = re.compile(r"/v1/runs/[^/]+/tasks/[^/]+/(complete|progress)")


class Callback(NamedTuple):
    """Whose word a request is."""

    attempt: int
    restores: int  #: the number of the restore under which it was given


def is_callback(method: str, path: str, token: str | None) -> bool:
    """Whether a request brings such a token to where it means something."""
    is_there = token is not None and token.startswith(PREFIX)
    return is_there and method == "POST" and _PATH.fullmatch(path) is not None


def token_of(vault: Vault, store: Store, callback: Callback) -> str:
    """Raises VaultError."""
    return next(_tokens(vault, store, callback))


def _tokens(vault: Vault, store: Store, callback: Callback) -> Iterator[str]:
    """By each of the keys, the current one first."""
    for mac in vault.macs(("callback", restores.lineage(store), *map(str, callback))):
        said = base64.urlsafe_b64encode(mac).decode().rstrip("=")
        yield f"{PREFIX}{callback.attempt}_{callback.restores}_{said}"


def read(vault: Vault, store: Store, token: str) -> Callback | None:
    """None: it is none of this cluster's. Raises VaultError."""
    form = _FORM.fullmatch(token)
    if form is None or int(form[1]) > _NUMBER_MAX:
        return None
    callback = Callback(int(form[1]), int(form[2]))
    # As texts: of base64 several may mean the same bytes.
    known = [hmac.compare_digest(token, each) for each in _tokens(vault, store, callback)]
    return callback if any(known) else None


def addresses(base: str, run: int, task: str) -> dict[str, str]:
    """The variables that say where its words go."""
    of_task = f"{base}/v1/runs/{run}/tasks/{quote(task, safe='')}"
    return {
        "CRONCLAVE_CALLBACK_URL": f"{of_task}/complete",
        "CRONCLAVE_PROGRESS_URL": f"{of_task}/progress",
    }
