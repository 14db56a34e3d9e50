"""What people decide beside the log: members, who leads, copies of the state. It is noted for the audit, and
that is all."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, refused
from scheduler.words.commands import Note
from scheduler.words.outcomes import Code, Outcome

KINDS = {"add": "member", "remove": "member", "transfer": "cluster", "backup": "cluster"}
"""Of each deed, of what kind its object is."""
LETTERS_MAX = 500


def note(ctx: Context, command: Note) -> Outcome:
    kind = KINDS.get(command.deed)
    texts = [command.name, command.before or "", command.after or ""]
    if kind is None or any(len(text) > LETTERS_MAX for text in texts):
        known = ", ".join(KINDS)
        detail = f"a deed is one of {known}, its texts have at most {LETTERS_MAX} letters"
        return refused(Code.INVALID, detail)
    ctx.changed(kind, "", command.name, command.before, command.after, verb=command.deed)
    return OK
