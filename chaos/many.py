"""A job whose tasks are divided, and a block under a lock: payloads tell which member they are.

    each    MEMBERS, AT_A_TIME of them, WANTED have to succeed; each takes one of SEATS  ── met
    apart   APARTS, of which one agent has PER_AGENT at a time, more than there are agents
    hosts   one for each agent; who is away for AWAY is left out
    guarded enter ── leave: holds GUARD from its first task to its end

Runs go on beside each other, so both are fought for. A member's name stands behind its task's: "each/3".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chaos.client import Api

JOB = "divided"
EACH, MET, APART, HOSTS, GUARDED, ENTER, LEAVE = "each", "met", "apart", "hosts", "guarded", "enter", "leave"
MEMBERS, AT_A_TIME, WANTED = 4, 2, 3
APARTS, PER_AGENT = 5, 1
SEATS, GUARD, SEATS_MAX = "seats", "guard", 3
RESOURCES: Mapping[str, Mapping[str, Any]] = {SEATS: {"count": SEATS_MAX}, GUARD: {}}
AWAY = "2s"
AT_ONCE = 2  #: runs that are started at the same time
DIVIDED = (EACH, APART, HOSTS)
WORK_S = 0.3

Payload = Callable[..., str]
"""`payload`, with all that is the same for the jobs of a load."""


def body_of(body: Mapping[str, Any], payload: Payload) -> dict[str, Any]:
    """By what all jobs of the load have."""
    work = payload(sleep_s=WORK_S)
    # A visitor may be away for good in the end.
    hosts = {"all": "registered", "ttl": AWAY, "offline": "skip"}
    tasks: dict[str, dict[str, Any]] = {
        EACH: {
            "run": work, "locks": [SEATS], "join": WANTED,
            "fanout": {"n": MEMBERS, "max_parallel": AT_A_TIME},
        },
        MET: {"run": payload(), "needs": [EACH], "rule": "all_done"},
        APART: {"run": work, "fanout": {"n": APARTS, "max_per_agent": PER_AGENT}},
        HOSTS: {"run": payload(), "fanout": hosts, "on": {"not": {"host": "visitor*"}}},
        ENTER: {"run": work},
        LEAVE: {"run": work, "needs": [ENTER], "rule": "all_done"},
    }  # fmt: skip
    return {**body, "tasks": tasks, "groups": {GUARDED: {"tasks": [ENTER, LEAVE], "locks": [GUARD]}}}


def ask(api: Api) -> None:
    """More runs of it, at once."""
    for _ in range(AT_ONCE):
        api.call(
            "divide", "POST", f"/v1/jobs/{JOB}/runs", told={"job": JOB}, body={},
            read=lambda document, _: {"run": document["id"]},
        )  # fmt: skip


def with_members(run: dict[str, Any], members: Mapping[str, Any], attempts: list[dict[str, Any]]) -> None:
    """Each member becomes a task of the run, by what the lists of a divided task's members, and of the run's
    attempts, say. A member that is listed twice is named as that. What was revoked is no try."""
    tasks = run["tasks"]
    tried = [each for each in attempts if each["state"] != "revoked"]
    for name, told in members.items():
        tasks[name]["attempts"] = []
        for member in told:
            key = f"{name}/{member['member']}"
            tries = [a for a in tried if (a["task"], a["member"]) == (name, member["member"])]
            if key in tasks:
                run.setdefault("twice", []).append(key)
            tasks[key] = {**member, "round": 0, "attempts": sorted(tries, key=lambda a: int(a["id"]))}
