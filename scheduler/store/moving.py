"""The statement by which the state of a row changes, with what changes beside it."""

from __future__ import annotations

import functools


@functools.cache  # as many as the code has calls
def moved(table: str, columns: tuple[str, ...], fixed: str = "") -> str:
    """Parameters: the state, the columns in their order, the row's id. `fixed`: what is set to a constant."""
    values = [f"{name} = ?" for name in ("state", *columns)] + ([fixed] if fixed else [])
    return f"UPDATE {table} SET {', '.join(values)} WHERE id = ?"
