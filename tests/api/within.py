"""Asking an API within the process: no socket, no server."""

from __future__ import annotations

import httpx2

from api.app import Api
from tests.api.single_node import ADMIN_TOKEN


def client_of(api: Api, token: str = ADMIN_TOKEN, *, address: str = "127.0.0.1") -> httpx2.AsyncClient:
    """Whoever holds this token, at this address. It ends with `async with`."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=api, client=(address, 1)),
        base_url="http://node-1",
        headers={"Authorization": f"Bearer {token}"},
    )
