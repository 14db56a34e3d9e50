"""`cronclave secret`: a value by standard input, and never out again."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings
from node.secret_keys import KeyRing
from node.vault import NodeVault
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.cli.conftest import Command


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture
async def cronclave(tmp_path: Path, keys: Path) -> AsyncIterator[Command]:
    """Told of a cluster of one node, which has a key."""
    (tmp_path / "node").mkdir()
    node = SingleNode(tmp_path / "node")
    settings = ApiSettings(insecure=False, vault=NodeVault(KeyRing(keys)))
    app = create_app(node, settings, Gateway(node, settings))
    async with served(app) as url:
        yield Command(tmp_path, {"CRONCLAVE_URL": url, "CRONCLAVE_TOKEN": ADMIN_TOKEN})
    node.close()


async def test_put_grant_list_delete(cronclave: Command) -> None:
    put = await cronclave("secret", "put", "PASSWORD", "--job", "nightly-*", stdin="correct horse\n")
    assert (put.code, put.out) == (0, "default/PASSWORD is at version 1; for jobs nightly-*\n"), put.err
    granted = await cronclave("secret", "grant", "PASSWORD", "--all-jobs", "--revoke", "nightly-*")
    assert granted.out == "default/PASSWORD: for jobs *\n"
    listed = await cronclave("secret", "list", "-o", "json")
    assert listed.code == 0, listed.err
    assert [(row["name"], row["grants"]) for row in json.loads(listed.out)] == [("PASSWORD", ["*"])]
    assert "correct" not in put.out + put.err + listed.out
    assert (await cronclave("secret", "delete", "PASSWRD")).code == 3
    assert (await cronclave("secret", "delete", "PASSWORD")).out == "default/PASSWORD is deleted\n"
    assert json.loads((await cronclave("secret", "list", "-o", "json")).out) == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (("put", "PASSWORD", "correct horse"), "", 2, "unexpected extra argument"),
        (("put", "PASSWORD"), "abc\n", 1, "fewer than 4 letters"),
        (("put", "PASSWORD", "--job", "[a]"), "correct horse", 1, "no pattern of jobs"),
        (("grant", "PASSWORD"), "", 2, "Give --job, --all-jobs or --revoke."),
    ],
)
async def test_what_is_wrong_is_told(
    cronclave: Command, arguments: tuple[str, ...], stdin: str, code: int, said: str
) -> None:
    result = await cronclave("secret", *arguments, stdin=stdin)
    assert (result.code, said in result.err) == (code, True), result.err


async def test_a_rotation_says_which_key_may_go(cronclave: Command, keys: Path) -> None:
    await cronclave("secret", "put", "PASSWORD", stdin="correct horse")
    old = json.loads((await cronclave("cluster", "status", "-o", "json")).out)["secrets"]["current"]
    keys.write_text(base64.b64encode(os.urandom(32)).decode() + "\n" + keys.read_text())
    refused = await cronclave("secret", "put", "PASSWORD", stdin="correct horse")
    assert (refused.code, "rotate-key" in refused.err) == (5, True), refused.err
    rotated = await cronclave("secret", "rotate-key")
    assert "1 secrets are encrypted anew" in rotated.out
    assert f"nothing is encrypted with {old} any more" in rotated.out
    assert (await cronclave("secret", "put", "PASSWORD", stdin="correct horse")).code == 0


async def test_doctor_looks_at_the_keys(cronclave: Command, keys: Path) -> None:
    await cronclave("secret", "put", "PASSWORD", stdin="correct horse")
    well = json.loads((await cronclave("doctor", "--json")).out)["findings"]
    assert [each["verdict"] for each in well if each["check"] == "secret keys"] == ["ok"]
    keys.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    ill = json.loads((await cronclave("doctor", "--json")).out)["findings"]
    (found,) = [each for each in ill if each["check"] == "secret keys"]
    assert found["verdict"] == "fault"
    assert "node-1 lacks" in found["said"]
