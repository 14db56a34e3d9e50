"""Namespaces and roles in them, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from scheduler.model.published import schema_of
from tests.cli.conftest import Command

FINANCE = "namespace: finance\nowner: ann\npools: [etl]\nquotas: {jobs: 1}\n"
JOB = "job: j\nnamespace: finance\nrun: 'true'\non: {pool: spark}\n"


async def test_a_namespace_is_declared_shown_and_taken_back(cronclave: Command) -> None:
    assert (await cronclave("job", "apply", "-", stdin=JOB)).code == 0
    trial = await cronclave("namespace", "apply", "-", "--dry-run", stdin=FINANCE)
    assert trial.out == (
        "would be created finance\n  jobs that use other pools or users, until they are put anew: j\n"
    )
    assert (await cronclave("namespace", "apply", "-", stdin=FINANCE)).out.startswith("created finance\n")
    trial = await cronclave("namespace", "apply", "-", "--dry-run", stdin=FINANCE)
    assert trial.out.startswith("unchanged finance\n")
    assert (await cronclave("namespace", "apply", "-", stdin=FINANCE)).out.startswith("unchanged finance\n")

    found = json.loads((await cronclave("namespace", "get", "finance", "-o", "json")).out)
    assert (found["owner"], found["jobs"], found["quotas"]) == ("ann", 1, {"jobs": 1})
    assert "ann" in (await cronclave("namespace", "list")).out
    history = json.loads((await cronclave("namespace", "history", "finance", "-o", "json")).out)
    assert [item["revision"] for item in history] == [1]

    kept = await cronclave("namespace", "delete", "finance")
    assert (kept.code, "namespace finance has 1 job" in kept.err) == (5, True)
    refused = await cronclave("job", "apply", "-", stdin=JOB.replace("job: j", "job: k"))
    assert (refused.code, "its quota is 1" in refused.err) == (5, True)
    await cronclave("job", "delete", "j", "--namespace", "finance", "--yes")
    assert (await cronclave("namespace", "delete", "finance")).code == 0


async def test_what_holds_for_a_job_is_shown_with_who_says_so(cronclave: Command) -> None:
    text = "namespace: finance\ndefaults: {timeout: 5m, retry: {max: 3}, env: {TEAM: money}}\n"
    assert (await cronclave("job", "apply", "-", stdin=JOB)).code == 0
    trial = await cronclave("namespace", "apply", "-", "--dry-run", stdin=text)
    assert "jobs that follow other defaults: j" in trial.out
    assert (await cronclave("namespace", "apply", "-", stdin=text)).code == 0
    other = JOB.replace("job: j", "job: k\ntimeout: null\nretry: {max: 0}")
    assert (await cronclave("job", "apply", "-", stdin=other)).code == 0
    where = ("job", "get", "k", "--namespace", "finance")
    told = json.loads((await cronclave(*where, "--effective", "-o", "json")).out)
    said = {each["value"]: (each["is"], each["by"]) for each in told}
    assert said["/tasks/main/timeout"] == (None, "job")
    assert said["/tasks/main/retry/max"] == (0, "job")
    assert said["/tasks/main/env/TEAM"] == ("money", "namespace")
    assert said["/tasks/main/on/pool"] == ("spark", "job")
    assert said["/tasks/main/grace"] == ("5s", "built-in")
    assert "/tasks/main/env/TEAM" in (await cronclave(*where, "--effective")).out
    text = (await cronclave(*where, "-o", "yaml")).out
    assert "unchanged" in (await cronclave("job", "apply", "-", stdin=text)).out


async def test_what_does_not_say_its_name_is_refused_before_anything_is_sent(cronclave: Command) -> None:
    refused = await cronclave("namespace", "apply", "-", stdin=FINANCE + "---\nowner: bob\n")
    assert (refused.code, "has no `namespace: NAME`" in refused.err) == (2, True)
    assert json.loads((await cronclave("namespace", "list", "-o", "json")).out) == []


async def test_a_token_of_some_namespaces_is_made_and_listed(cronclave: Command) -> None:
    for more in (("--role", "viewer", "-n", "finance", "-n", "web", "ann"), ("--in", "web=admin", "bob")):
        assert (await cronclave("token", "create", *more)).code == 0
    for wrong in (("ann",), ("--role", "viewer", "--in", "web=admin", "x"), ("--in", "web=king", "x")):
        assert (await cronclave("token", "create", *wrong)).code == 2
    listed = json.loads((await cronclave("token", "list", "-o", "json")).out)
    assert [item["namespaces"] for item in listed] == [None, ["finance", "web"], ["web"]]
    assert "finance, web" in (await cronclave("token", "list")).out


def test_the_published_schema_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs/reference/namespace.schema.json"
    assert json.loads(page.read_text()) == schema_of("namespace")
