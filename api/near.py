"""What may be meant by a name that is not there, as the first words of a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NAME_LETTERS_MAX = 128


def near_miss(name: str, names: Iterable[str], hint: str = "") -> str:
    found = difflib.get_close_matches(name[:NAME_LETTERS_MAX], list(names), 1)
    return " ".join(filter(None, (f"did you mean {found[0]}?" if found else "", hint)))
