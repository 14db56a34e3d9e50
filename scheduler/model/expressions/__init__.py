"""The language of conditions: and, or, not, comparisons, `in`, parentheses, over names that a context knows.

Promise: a text is read once and checked (`checked`), every mistake with its place; what was checked can be
judged (`judge`) at any time, ends, has no effects, and gives the same on every node. A value that is not
there is unknown (None), and so is what follows from it alone: `a and b` is false as soon as one is,
`a or b` true as soon as one is (Kleene's three-valued logic). At the top, unknown is false. A name whose type
nobody declared gives a text as it stands: it is read as a number where it is compared with one, as true or
false where that is asked, and is unknown where it cannot be read so.

Reading order: syntax.py (from text to a tree), types.py (what a context says of names, and the check),
values.py (judged, with every sub-expression's value).
Contexts live with who uses the language (`model.after`).
"""

from scheduler.model.expressions.syntax import (
    DEPTH_MAX,
    LETTERS_MAX,
    Compare,
    ExpressionError,
    Join,
    Listed,
    Literal,
    Name,
    Node,
    Not,
    names_of,
    parse,
)
from scheduler.model.expressions.types import (
    ANY,
    BOOLEAN,
    DATE,
    DURATION,
    INSTANT,
    LIST,
    MAP,
    NUMBER,
    TEXT,
    Context,
    Type,
    checked,
)
from scheduler.model.expressions.values import Judged, Value, holds, judge, plain, read_as, truth, walk

__all__ = [
    "ANY",
    "BOOLEAN",
    "DATE",
    "DEPTH_MAX",
    "DURATION",
    "INSTANT",
    "LETTERS_MAX",
    "LIST",
    "MAP",
    "NUMBER",
    "TEXT",
    "Compare",
    "Context",
    "ExpressionError",
    "Join",
    "Judged",
    "Listed",
    "Literal",
    "Name",
    "Node",
    "Not",
    "Type",
    "Value",
    "checked",
    "holds",
    "judge",
    "names_of",
    "parse",
    "plain",
    "read_as",
    "truth",
    "walk",
]
