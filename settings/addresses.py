"""Whether an address leads anywhere but to this host."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """What cannot be read as an address, such as any name but localhost, may be another host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
