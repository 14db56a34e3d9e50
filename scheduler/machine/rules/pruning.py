"""How much of what a source owns an apply may delete: more than a slip should cost has to be said."""

from __future__ import annotations

PRUNED_MAX = 100_000  #: by one apply
PRUNED_ALWAYS = 5  #: as few are never thought to be a slip


def refusal(source: str, owned: int, gone: int, most: int | None) -> str:
    """Why so many of what the source owns may not go; empty: they may. `most`: as it was said; None: it was
    not."""
    allowed = max(PRUNED_ALWAYS, owned // 2) if most is None else most
    if gone <= allowed:
        return ""
    return f"{gone} of the {owned} that source {source!r} owns would be deleted, {allowed} at most"


def hint(gone: int) -> str:
    return f"If that is meant, say so: prune_max={gone}, on the command line --prune-max {gone}."
