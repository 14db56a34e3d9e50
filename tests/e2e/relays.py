"""One-way TCP relays between the nodes of a cluster, so that a test can cut each direction on its own."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from bench.cluster import Cluster, Node

CHUNK = 1 << 16


class Relay:
    """Carries what one node dials to another. While it is cut, new connections are refused and what is open
    is silent: neither end is told, as when a wire is pulled."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._passing = threading.Event()
        self._passing.set()
        self._closed = False
        threading.Thread(target=self._accept, name=f"relay to {target}", daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        self._passing.clear()

    def heal(self) -> None:
        """Connections that lay silent break; new ones work."""
        for end in list(self._open):
            _end(end)
        self._passing.set()

    def close(self) -> None:
        self._closed = True
        _end(self._listener)
        self.heal()

    def _accept(self) -> None:
        while not self._closed:
            try:
                inbound, _ = self._listener.accept()
            except OSError:
                return
            if not self._passing.is_set():
                inbound.close()
                continue
            try:
                outbound = socket.create_connection(self._target, 2.0)
            except OSError:
                inbound.close()
                continue
            outbound.settimeout(None)
            self._open |= {inbound, outbound}
            for source, sink in ((inbound, outbound), (outbound, inbound)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                self._passing.wait()
                sink.sendall(data)
        for end in (source, sink):
            _end(end)
            self._open.discard(end)


class Relays:
    """All links of a cluster whose nodes have not started yet."""

    def __init__(self, cluster: Cluster) -> None:
        self._links: dict[tuple[str, str], Relay] = {}
        for node in cluster.nodes:
            lines = ["", "[dial]"]
            for peer in cluster.nodes:
                if peer is not node:
                    relay = self._links[node.name, peer.name] = Relay(peer.raft)
                    lines.append(f'{peer.name} = "{relay.address}"')
            with node.config.open("a") as config:
                config.write("\n".join(lines) + "\n")

    def isolate(self, node: Node) -> None:
        """Cut every link from and to this node."""
        for (source, target), relay in self._links.items():
            if node.name in (source, target):
                relay.cut()

    def heal(self) -> None:
        for relay in self._links.values():
            relay.heal()

    def close(self) -> None:
        for relay in self._links.values():
            relay.close()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
