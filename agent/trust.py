"""What a node's certificate is checked against. The file is read again when it changes: a cluster rotates
its CA without a restart of its agents.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from agent.config import ConfigError

log = logging.getLogger("agent.connection")


class Trust:
    """The context for connections from now on."""

    def __init__(self, ca: Path | None) -> None:
        self._ca = ca
        self._seen: tuple[int, int, int] | None = None
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Raises ConfigError only while no file was ever good."""
        seen = self._signature()
        if self._context is None or seen != self._seen:
            self._seen = seen
            try:
                self._context = ssl.create_default_context(cafile=None if self._ca is None else str(self._ca))
            except (OSError, ssl.SSLError) as error:
                reason = f"ca: {self._ca}: {error.strerror or error}"
                if self._context is None:
                    raise ConfigError(reason) from None
                log.error("%s; what it held before stays in use", reason)
        return self._context

    def _signature(self) -> tuple[int, int, int] | None:
        if self._ca is None:
            return None
        try:
            stat = self._ca.stat()
        except OSError:
            return (0, 0, 0)
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
