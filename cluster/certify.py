"""`python -m cluster.certify`: the authority's work for the command line, which starts it as a program.

One JSON object in, one out; certificates and keys are PEM texts, and never in arguments, which others on the
machine can read. A request that cannot be done: {"error": why}, exit code 1.

    {"do": "create", "label", "days"}                           -> {"ca", "key"}
    {"do": "issue", "ca", "key", "cluster", "days", "nodes": {NAME: [HOST, …]}}
                                                                -> {"nodes": {NAME: {"certificate", "key"}}}
    {"do": "request", "name"}                                   -> {"request", "key"}
    {"do": "describe", "files": {NAME: PEM}}                    -> {"files": {NAME: [{…}, …]}}
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import sys
from typing import Any

from cluster import authority
from cluster.authority import Authority


def answer(question: dict[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """Raises ValueError, KeyError."""
    what = question["do"]
    if what == "create":
        made = Authority.create(question["label"], now, question["days"])
        return {"ca": made.pem.decode(), "key": made.key_pem.decode()}
    if what == "issue":
        ca = Authority.load(question["ca"].encode(), question["key"].encode())
        nodes = {}
        for name, hosts in question["nodes"].items():
            certificate, key = ca.issue(question["cluster"], name, hosts, now, question["days"])
            nodes[name] = {"certificate": certificate.decode(), "key": key.decode()}
        return {"nodes": nodes}
    if what == "request":
        request, key = authority.request(question["name"])
        return {"request": request.decode(), "key": key.decode()}
    if what == "describe":
        files = {
            name: [_plain(found) for found in authority.describe(pem.encode())]
            for name, pem in question["files"].items()
        }
        return {"files": files}
    raise ValueError(f"unknown request {what!r}")


def _plain(found: authority.Described) -> dict[str, Any]:
    return {
        key: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime.datetime) else value
        for key, value in dataclasses.asdict(found).items()
    }


def main() -> int:
    try:
        reply = answer(json.load(sys.stdin), datetime.datetime.now(datetime.UTC))
    except (ValueError, KeyError) as error:
        json.dump({"error": str(error)}, sys.stdout)
        return 1
    json.dump(reply, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
