"""`cronclave audit`: a table for people, lines for whoever keeps them; so does `cronclave ledger export`."""

from __future__ import annotations

import json

from tests.cli.conftest import Command


async def test_who_changed_what_is_listed_and_exported(cronclave: Command) -> None:
    for description in ("a", "b"):
        text = f"job: j\nnoop: true\ndescription: {description}\n"
        assert (await cronclave("job", "apply", "-", stdin=text)).code == 0

    listed = await cronclave("audit", "list", "--action", "put", "--name", "j", "-n", "default")
    assert listed.code == 0, listed.err
    assert "127.0.0.1" in listed.out
    found = json.loads((await cronclave("audit", "list", "--kind", "job", "-o", "json")).out)
    assert [(x["actor"], x["before"], x["after"]) for x in found] == [("admin", 1, 2), ("admin", None, 1)]

    numbers = [x["number"] for x in found]
    exported = await cronclave("audit", "export", "--kind", "job")
    assert [json.loads(line)["number"] for line in exported.out.splitlines()] == numbers[::-1]
    later = await cronclave("audit", "export", "--after", str(numbers[1]))
    assert [json.loads(line)["number"] for line in later.out.splitlines()] == [numbers[0]]
    assert (await cronclave("audit", "list", "--since", "soon")).code == 2


async def test_the_ledger_is_exported_from_a_number_on(cronclave: Command) -> None:
    empty = await cronclave("ledger", "export")
    assert (empty.code, empty.out) == (0, ""), empty.err
    assert (await cronclave("ledger", "export", "--after", "-1")).code == 2
