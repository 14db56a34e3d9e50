"""email: a mail to each of these addresses.

Each address has a row of its own in the outbox: one that a server refuses keeps nothing from the others.
Which server takes them is a setting of the nodes (node/effects/email.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from scheduler.model.notify.kind import Kind
from scheduler.model.problems import Refused, shortened

ADDRESSES_MAX = 20
LOCAL_OCTETS_MAX, ADDRESS_LETTERS_MAX = 64, 254  #: RFC 5321, 4.5.3.1
_EXAMPLE = "such as ops@example.org"
_LOCAL = re.compile(r"[^\s\x00-\x1f\x7f\"(),:;<>@\[\\\]]+")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


def _value() -> Any:
    from pydantic import BeforeValidator, Field, WithJsonSchema

    schema = {
        "type": "array", "minItems": 1, "maxItems": ADDRESSES_MAX, "uniqueItems": True,
        "items": {"type": "string", "format": "email", "maxLength": ADDRESS_LETTERS_MAX},
    }  # fmt: skip
    return Annotated[tuple[str, ...], Field(), BeforeValidator(checked), WithJsonSchema(schema)]


def checked(value: Any) -> Any:
    """Raises Refused."""
    from scheduler.model.fields import as_tuple, type_name

    if isinstance(value, str):
        raise Refused("email must be a list of addresses, not text", "such as email: [ops@example.org]")
    if not isinstance(value, list | tuple):
        raise Refused(f"email must be a list of addresses, not {type_name(value)}", _EXAMPLE)
    if not 0 < len(value) <= ADDRESSES_MAX:
        raise Refused(f"{len(value)} addresses: 1 to {ADDRESSES_MAX}", "make a mailing list of them")
    for place, address in enumerate(value):
        if fault := fault_of(address):
            raise Refused(f"address {place}: {fault}", _EXAMPLE)
    if len({address.casefold() for address in value}) < len(value):
        raise Refused("it says the same address twice", "remove one")
    return as_tuple(value)


def fault_of(address: Any) -> str:
    """Why this is no mail address; empty: it is one."""
    if not isinstance(address, str):
        return f"an address is text, not {shortened(address)}"
    local, at, domain = address.rpartition("@")
    told = shortened(address)
    if not at or not local or len(address) > ADDRESS_LETTERS_MAX:
        return f"{told} is no mail address"
    well = _LOCAL.fullmatch(local) and not local.startswith(".") and not local.endswith(".")
    if not well or ".." in local or not local.isprintable() or len(local.encode()) > LOCAL_OCTETS_MAX:
        return f"{told}: what stands before @ is none of a mail address"
    try:
        labels = ascii_domain(domain).split(".")
    except UnicodeError:
        labels = [""]
    if not all(_LABEL.fullmatch(label) for label in labels) or len(domain) > 253:
        return f"{told}: {shortened(domain)} is no domain"
    return ""


def ascii_domain(domain: str) -> str:
    """As mail and DNS write it (IDNA). Raises UnicodeError."""
    return domain.encode("idna").decode("ascii")


def _targets(notice: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(notice["email"])


EMAIL = Kind(
    name="email",
    description="a mail to each of these addresses",
    example=["ops@example.org"],
    value=_value,
    targets=_targets,
    other_words=("mail", "mailto", "emails", "to", "smtp"),
)
