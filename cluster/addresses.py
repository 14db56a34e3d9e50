"""Addresses as they are written: host:port."""

from __future__ import annotations


def split_address(address: str) -> tuple[str, int]:
    """Raises ValueError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not (port.isascii() and port.isdigit()) or not 0 <= int(port) <= 65535:
        raise ValueError(f"address {address!r}: host:port is needed")
    return host, int(port)
