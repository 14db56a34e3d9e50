"""Whether a machine that joins is reached at the address that it says: it shows a word of its request there.

Before its node runs, and before it has a certificate, nobody can answer there but who joins: `cronclave
cluster join` listens for that moment. The word is new each time, so nobody else's port is taken for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re

from api.problems import FieldError, Problem

REACH_S = 3.0
WORD = re.compile(r"[A-Za-z0-9_-]{16,64}")
GREETING = "cronclave-join "


def check_word(word: object) -> str:
    """Raises Problem."""
    if not isinstance(word, str) or not WORD.fullmatch(word):
        detail = "16 to 64 letters, digits, _ or -"
        raise Problem("validation", f"/word: {detail}", errors=[FieldError("/word", detail)])
    return word


async def need_word(address: str, word: str) -> None:
    """Raises Problem with what was tried and what answered."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(REACH_S):
            heard = await _listen(host.strip("[]"), int(port), len(GREETING) + len(word))
    except TimeoutError:
        raise unreached(f"nobody answers at {address} within {REACH_S:.0f} s") from None
    except OSError as error:
        raise unreached(f"nobody answers at {address}: {error.strerror or error}") from None
    if heard != f"{GREETING}{word}".encode():
        raise unreached(f"somebody else answers at {address}")


async def _listen(host: str, port: int, most: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        return await reader.readexactly(most)
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def unreached(detail: str) -> Problem:
    return Problem(
        "conflict",
        f"the node is not admitted: {detail}",
        hint="A name is used once: give the address under which the members reach it, and look at firewalls."
        " To admit a node that does not run yet, say so: ?unasked=true, cronclave cluster add --unasked.",
    )
