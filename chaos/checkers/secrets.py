"""Is a secret nowhere in clear? By every file that nodes and agents left, whatever broke meanwhile; that its
payload was given the right value says its exit code (`results`)."""

from __future__ import annotations

from chaos.case import Case
from chaos.checkers import Finding, Offence, finding

NAME = "secrets"
JOB = "secret"


def check(case: Case) -> Finding:
    if JOB not in case.declared:
        return Finding(NAME, "pass", "no job of this load is given a secret")
    found = case.final.get("secrets")
    if not found or not found["controls"]:
        return Finding(NAME, "invalid", "the files of nodes and agents were not looked at")
    offences = [Offence("leak", f"{name} has it in clear", job=JOB) for name in found["leaks"]]
    if not found["masks"]:
        offences.append(Offence("mask", "no output shows the mask", job=JOB))
    return finding(
        NAME, offences, f"{len(found['masks'])} files with masked output", {"masks": len(found["masks"])}
    )
