from __future__ import annotations

import json

from tests.cli.conftest import Command


async def test_a_token_is_made_and_listed(cronclave: Command) -> None:
    made = await cronclave("token", "create", "--role", "viewer", "ann")
    assert made.code == 0, made.err
    secret = made.out.strip()
    assert len(secret) >= 43  # 256 bits
    assert (await cronclave("job", "list", CRONCLAVE_TOKEN=secret)).code == 0
    assert (await cronclave("token", "list", CRONCLAVE_TOKEN=secret)).code == 4
    listed = json.loads((await cronclave("token", "list", "-o", "json")).out)
    assert [(item["name"], item["role"]) for item in listed] == [("admin", "admin"), ("ann", "viewer")]
    assert (await cronclave("token", "create", "--role", "viewer", "ann")).code == 5
    assert (await cronclave("token", "create", "--role", "king", "bob")).code == 2
