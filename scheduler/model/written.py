"""Values as YAML text: what people read and edit, and `load_yaml` reads back, each letter of it.

Rules of this file:

1. A text that a reader of YAML, 1.1 or 1.2, takes for something else is in quotes: `on`, `1e3`, `1:30`.
2. No line is folded: a folded plain text loses its blanks where two stand beside each other.
3. A text of several lines is a block (`|`) where a block can hold it, so that a script looks like one.
4. Line ends that are none to most programs (NEL, LS, PS) and a byte order mark are escapes in double quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

_TEXT = "tag:yaml.org,2002:str"
_WORD = re.compile(r"(?:|~|null|true|false|y|n|yes|no|on|off|=|<<|[-+]?\.(?:inf|nan))", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:0[xob][0-9a-fA-F_]*|\.?[0-9][0-9_.,:eE+-]*)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?", re.DOTALL)
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_LINE_CHARACTERS_MAX = 1 << 30


class _Representer(SafeRepresenter):
    """Texts in the style that keeps them."""


def _text(representer: Any, value: str) -> ScalarNode:
    style = None
    if _ODD.search(value) or any(form.fullmatch(value) for form in (_WORD, _NUMBER, _DATE)):
        style = '"'
    elif "\n" in value:
        style = '"' if value[:1].isspace() else "|"  # a block that begins with a tab is none to libyaml
    node: ScalarNode = representer.represent_scalar(_TEXT, value, style=style)
    return node


_Representer.add_representer(str, _text)


def write_yaml(documents: Iterable[Any], *, ascii_only: bool = False, starts: bool = True) -> str:
    """These values as YAML documents. `ascii_only`: whatever is not ASCII is an escape. `starts`: each begins
    with `---`."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its annotation says None
    writer.width = _LINE_CHARACTERS_MAX
    writer.explicit_start = starts
    writer.allow_unicode = not ascii_only
    out = StringIO()
    writer.dump_all(list(documents), out)
    return out.getvalue()
