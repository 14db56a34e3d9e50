"""Asks `cronclave dev`, which started this node, what can be broken on purpose, and to break it.

Nothing here breaks anything: the process that owns nodes and agents does, over a socket in its own folder
that this user alone may open. One line of JSON each way.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from api.ports import DemonstrationError

ANSWER_S = 10.0
LINE_BYTES_MAX = 64 << 10


class DevDemonstration:
    """`api.ports.Demonstration` over the socket of `cronclave dev`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def ask(self, wish: Mapping[str, object] | None) -> Sequence[Mapping[str, Any]]:
        try:
            async with asyncio.timeout(ANSWER_S):
                line = await self._exchange(json.dumps(wish).encode() + b"\n")
            answer = json.loads(line)
            if "refused" not in answer:
                faults: list[dict[str, Any]] = answer["faults"]
                return faults
        except (OSError, TimeoutError, ValueError, LookupError) as error:
            raise DemonstrationError(f"cronclave dev does not answer: {error!r}") from error
        raise DemonstrationError(str(answer["refused"]))

    async def _exchange(self, line: bytes) -> bytes:
        # Through /proc/self/fd: a folder may be deeper than the 107 bytes of a socket's address.
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            reader, writer = await asyncio.open_unix_connection(
                f"/proc/self/fd/{folder}/{self._path.name}", limit=LINE_BYTES_MAX
            )
        finally:
            os.close(folder)
        try:
            writer.write(line)
            return await reader.readline()
        finally:
            writer.close()
