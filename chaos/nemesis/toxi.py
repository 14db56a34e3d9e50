"""Control of a Toxiproxy server through toxiproxy-python, with its traps closed. The only user of that
library.
The library (0.1.1) and the server (2.12) as they are, and what is done about it:

1. Host and port are attributes of a class: one server a process. Here they are set before each call, under
   a lock.
2. It obeys http_proxy, has no time limits, and loses the server's words on an error (`KeyError: 'name'`
   for a port that is taken). Its transport is replaced by a session that does neither and raises ToxiError.
3. Misspelt attributes are ignored by the server. Here what it took is read back and compared.
4. `enabled` is stale after a reset. Here it is always asked for.
5. Taking a toxic off a link that lives can block the server's API for good, or end the server. So no toxic
   is ever removed: `renew` destroys the proxy, which closes its connections, and makes it again with the
   toxics that stay.
6. A proxy that is disabled or destroyed gives its port back; another program may get it. Trying again for
   a while helps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import toxiproxy.api
from toxiproxy import Proxy, Toxiproxy

from chaos.nemesis import NemesisError

CALL_S = 10.0
ENABLE_S = 5.0


class ToxiError(NemesisError):
    """The server refused, or did not answer; with its own words."""


@dataclass(frozen=True, slots=True)
class Toxic:
    name: str
    kind: str  #: latency, bandwidth, slow_close, timeout, reset_peer, slicer, limit_data
    stream: str  #: upstream or downstream
    attributes: Mapping[str, int] = field(default_factory=dict)
    toxicity: float = 1.0


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def request(self, *arguments: Any, **options: Any) -> Any:
        options.setdefault("timeout", CALL_S)
        try:
            response = super().request(*arguments, **options)
        except requests.RequestException as error:
            raise ToxiError(f"toxiproxy does not answer: {error}") from error
        if response.status_code >= 500:
            raise ToxiError(f"toxiproxy: {response.text.strip()}")
        return response


toxiproxy.api.requests = _Session()
_LIBRARY = threading.RLock()


class ToxiControl:
    """One server."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._server = Toxiproxy()
        self._proxies: dict[str, Proxy] = {}

    def _call(self, what: str, function: Any, *arguments: Any, **options: Any) -> Any:
        with _LIBRARY:
            self._server.update_api_consumer(self.host, self.port)
            try:
                return function(*arguments, **options)
            except ToxiError:
                raise
            except Exception as error:  # the library's own types are no family
                raise ToxiError(f"toxiproxy: {what}: {type(error).__name__}: {error}") from error

    def running(self) -> bool:
        return bool(self._call("running", self._server.running))

    def version(self) -> str:
        """As the server says it; "git" for one that was built from its module."""
        return bytes(self._call("version", self._server.version) or b"").decode().strip()

    def create(self, name: str, upstream: str, listen: str) -> str:
        """A proxy, enabled; gives the address where it listens."""
        made = self._call(f"create {name}", self._server.create, upstream, name, listen=listen)
        self._proxies[name] = made
        return str(made.listen)

    def destroy(self, name: str) -> None:
        self._call(f"destroy {name}", self._proxies.pop(name).destroy)

    def enabled(self, name: str) -> bool:
        proxy = self._call(f"look at {name}", self._server.get_proxy, name)
        return proxy is not None and bool(proxy.enabled)

    def disable(self, name: str) -> None:
        """Close its connections and its listener."""
        self._call(f"disable {name}", self._proxies[name].disable)

    def enable(self, name: str) -> None:
        until_s = time.monotonic() + ENABLE_S
        while True:
            try:
                self._call(f"enable {name}", self._proxies[name].enable)
            except ToxiError:
                if time.monotonic() > until_s:
                    raise
                time.sleep(0.05)
            else:
                return

    def toxics(self, name: str) -> dict[str, Toxic]:
        """What the server says that this proxy has."""
        found = self._call(f"toxics of {name}", self._proxies[name].toxics)
        return {
            t.name: Toxic(t.name, t.type, t.stream, dict(t.attributes), t.toxicity) for t in found.values()
        }

    def add(self, name: str, toxic: Toxic) -> None:
        """Raises ToxiError when the server took something else."""
        self._call(
            f"add {toxic.name} to {name}",
            self._proxies[name].add_toxic,
            type=toxic.kind,
            name=toxic.name,
            stream=toxic.stream,
            toxicity=toxic.toxicity,
            attributes=dict(toxic.attributes),
        )
        taken = self.toxics(name).get(toxic.name)
        if taken is None or any(
            taken.attributes.get(key) != value for key, value in toxic.attributes.items()
        ):
            raise ToxiError(f"toxiproxy took {taken}, not {toxic}: does that kind have these attributes?")

    def renew(self, name: str, toxics: Iterable[Toxic], *, enabled: bool = True) -> None:
        """The same proxy with these toxics alone; its connections are closed (rule 5)."""
        old = self._proxies[name]
        self.destroy(name)
        made = self._call(
            f"make {name} again", self._server.create, old.upstream, name, listen=old.listen, enabled=False
        )
        self._proxies[name] = made
        for toxic in toxics:
            self.add(name, toxic)
        if enabled:
            self.enable(name)
