"""Whether an edit expects the revision that there is: of jobs as of objects, and of namespaces."""

from __future__ import annotations

from scheduler.store.tables.refs import Named
from scheduler.words.outcomes import Code, Outcome


def judge(what: Named, revision: int | None, if_revision: int | None) -> Outcome | None:
    """The refusal of an edit that expects another revision than there is; 0: none."""
    if if_revision is None or if_revision == (revision or 0):
        return None
    if revision is None:
        return Outcome(Code.NOT_FOUND, f"no {what}", what._asdict())
    code = Code.EXISTS if if_revision == 0 else Code.REVISION_MISMATCH
    return Outcome(code, f"{what} is at revision {revision}", {**what._asdict(), "revision": revision})
