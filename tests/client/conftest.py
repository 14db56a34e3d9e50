"""A node without consensus, served from a thread: programs that block ask it as they would a cluster."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings
from tests.api.served import served
from tests.api.single_node import SingleNode

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_node(tmp_path_factory.mktemp("node")) as found:
        yield found


@contextmanager
def a_node(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Its address."""
    found: Future[str] = Future()
    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(folder, found, over, tls)), daemon=True)
    thread.start()
    try:
        yield found.result(DEADLINE_S)
    finally:
        over.set()
        thread.join()


async def _serve(
    folder: Path, url: Future[str], over: threading.Event, tls: ssl.SSLContext | None
) -> None:
    node = SingleNode(folder)
    settings = ApiSettings(insecure=False, scratch=folder)
    async with served(create_app(node, settings, Gateway(node, settings)), tls=tls) as found:
        url.set_result(found)
        await asyncio.to_thread(over.wait)
    node.close()
