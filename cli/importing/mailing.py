"""Whom other systems mail: of a crontab MAILTO, to whom go what its lines write."""

from __future__ import annotations

import re
from typing import Any

from scheduler.model.notify.email import ADDRESSES_MAX, fault_of

OTHERS = ("MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING")


def read(value: str) -> tuple[list[dict[str, Any]], str]:
    """The notices of the lines below `MAILTO=value`, and what is to be said of it."""
    told = [address for part in value.split(",") if (address := part.strip())]
    taken = [address for address in dict.fromkeys(told) if not fault_of(address)][:ADDRESSES_MAX]
    left = [address for address in told if address not in taken]
    if not told:
        return [], "MAILTO is empty: nobody is mailed, and output is kept with each run"
    said = []
    if taken:
        said.append(
            f"MAILTO becomes mails to {', '.join(taken)} of what a run wrote; the nodes need [mail]"
        )
    if left:
        said.append(f"MAILTO: {', '.join(left)[:200]} left out: a mail needs an address with an @")
    notices = [{"on": ["output"], "email": taken}] if taken else []
    return notices, "; ".join(said)


def notice(addresses: str, *on: str) -> list[dict[str, Any]]:
    """The notice that tells these addresses, with commas or blanks between them, where there is one."""
    told = dict.fromkeys(address for address in re.split(r"[,;\s]+", addresses) if not fault_of(address))
    return [{"on": list(on), "email": list(told)[:ADDRESSES_MAX]}] if told else []
