"""Jobs in YAML files: YAML 1.2, values only, and every problem with its file:line:column.

Rules of this file:

1. Only the values that JSON has: text, numbers, true, false, null, lists, objects. Dates stay text, other
   tags are refused.
2. A key twice is an error, never the last one wins. Merge keys (`<<`) are YAML 1.1 and refused.
3. A file may hold several jobs, separated by `---` or as the items of one list. Empty documents are left out.
4. Aliases are followed, but the values of a file are counted as written out, up to a limit.
5. Reading stops at the first event beyond a limit (characters, depth, values), so what a text may cost is
   known before it is read: libyaml makes the events, nothing composes a tree of them first. Meanings are
   given here, by the rules of YAML 1.2's core schema, since PyYAML's are those of 1.1.
6. A JSON file is read as JSON says where YAML, which else contains it, differs: a letter beyond U+FFFF may be
   two escapes (`\\ud83d\\ude00`), and a string holds NEL, LS, PS, DEL or a byte order mark as it is.

Rejected: ruamel.yaml in pure Python, which took 4 s for 10 KB of brackets and 13 s for 0.9 MB of flat keys.
It writes YAML (written.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from yaml.cyaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from scheduler.model.bounds import DEPTH_MAX
from scheduler.model.job import Job
from scheduler.model.parse import parse_job
from scheduler.model.problems import JobError, Problem, pointer_of, shortened
from scheduler.model.written import write_yaml

TEXT_CHARACTERS_MAX = 32 << 20
VALUES_MAX = 250_000  #: of a file, which may hold several jobs
TAG_DIRECTIVES_MAX = 16
"""libyaml compares each `%TAG` line with all before it."""

_TAG = "tag:yaml.org,2002:"
_NO_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_JSON_ALONE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_TAG_DIRECTIVE = re.compile(r"(?:\A|[\n\r\x85\u2028\u2029])%TAG")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE, _FALSE = frozenset({"true", "True", "TRUE"}), frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile("[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|[0-9]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Document:
    """One job's data, and where its parts stand in the file. Lines and columns count from 1."""

    data: Any
    filename: str
    places: Mapping[str, tuple[int, int]]  #: JSON pointer to (line, column)

    def where(self, pointer: str) -> str:
        """file:line:column of the part at `pointer`, or of the nearest part around it."""
        while pointer not in self.places and pointer:
            pointer = pointer.rpartition("/")[0]
        line, column = self.places.get(pointer, (1, 1))
        return f"{self.filename}:{line}:{column}"


def load_yaml(
    text: str, filename: str, *, values_max: int = VALUES_MAX, placed: bool = True
) -> list[Document]:
    """The documents of a file; raises JobError whose problem names file:line:column. `placed` false: without
    the places of their parts, whose pointers may be far longer than the text.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise _fault(filename, 1, 1, f"the file is longer than {TEXT_CHARACTERS_MAX} characters")
    text = text.removeprefix("\ufeff")
    text = _json_as_yaml(text)
    if odd := _NO_TEXT.search(text):
        before = text[: odd.start()]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        what = f"special characters are not allowed: {shortened(odd.group())}"
        raise _fault(filename, line, column, what, "write them as an escape within double quotes")
    if len(_TAG_DIRECTIVE.findall(text)) > TAG_DIRECTIVES_MAX:
        raise _fault(filename, 1, 1, f"more than {TAG_DIRECTIVES_MAX} times %TAG", "remove them")
    language = "JSON" if filename.endswith(".json") else "YAML"  # read as YAML, which contains it
    try:
        return _Reader(text, filename, values_max, placed=placed).documents()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = f"not valid {language}: {error.problem or error.context}"
        if "nesting depth" in what:
            what = f"nested deeper than {DEPTH_MAX} levels"
        raise _fault(filename, line, column, what) from error


def parse_document(document: Document, *, namespace_default: str = "default") -> Job:
    """As `parse_job`; the problems name file:line:column."""
    try:
        return parse_job(document.data, namespace_default=namespace_default)
    except JobError as error:
        placed = (replace(problem, where=document.where(problem.pointer)) for problem in error.problems)
        raise JobError(tuple(placed)) from None


def dump_yaml(jobs: Iterable[Mapping[str, Any]]) -> str:
    """These job mappings as YAML documents that `load_yaml` reads back."""
    return write_yaml([dict(job) for job in jobs])


def _json_as_yaml(text: str) -> str:
    """The text; of a JSON one, what YAML reads otherwise is one escape that it reads alike."""
    if not (_PAIR.search(text) or _JSON_ALONE.search(text)):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text  # YAML, in which such escapes may stand in single quotes; or none of both
    text = _PAIR.sub(lambda pair: f"{pair[1]}\\U{_letter(pair[2], pair[3]):08x}", text)
    return _JSON_ALONE.sub(lambda odd: f"\\u{ord(odd[0]):04x}", text)


def _letter(high: str, low: str) -> int:
    return 0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00


def _fault(filename: str, line: int, column: int, detail: str, hint: str = "") -> JobError:
    return JobError((Problem("", detail, hint, f"{filename}:{line}:{column}"),))


class _Anchored(NamedTuple):
    value: Any
    values: int  #: in it, written out


class _Reader:
    """Turns the events of one file into plain data, noting places. The limits are the file's."""

    def __init__(self, text: str, filename: str, values_max: int, *, placed: bool) -> None:
        self._next = CParser(text).get_event
        self._filename = filename
        self._left = self._values_max = values_max
        self._placed = placed
        self._places: dict[str, tuple[int, int]] = {}
        self._anchors: dict[str, _Anchored | None] = {}  # None: still open

    def documents(self) -> list[Document]:
        found: list[Document] = []
        while not isinstance(event := self._next(), StreamEndEvent):
            if isinstance(event, DocumentStartEvent):
                self._count(event, 1)  # thousands of empty ones cost as much as values
                self._anchors = {}
                root = self._next()
                if isinstance(root, SequenceStartEvent):
                    self._open(root)
                    while not isinstance(item := self._next(), SequenceEndEvent):
                        found.append(self._document(item))
                    continue
                document = self._document(root)
                if document.data is not None:
                    found.append(document)
        return found

    def _document(self, event: Any) -> Document:
        self._places = {}
        return Document(self._value(event, "", 1), self._filename, self._places)

    def _at(self, event: Any) -> tuple[int, int]:
        return event.start_mark.line + 1, event.start_mark.column + 1

    def _error(self, event: Any, detail: str, hint: str = "") -> JobError:
        return _fault(self._filename, *self._at(event), detail, hint)

    def _count(self, event: Any, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise self._error(event, f"the file holds more than {self._values_max} values")

    def _open(self, event: Any) -> None:
        kind = "seq" if isinstance(event, SequenceStartEvent) else "map"
        if event.tag is not None and event.tag not in (f"{_TAG}{kind}", "!"):
            raise self._error(event, f"the tag {shortened(event.tag)} is not allowed", "remove it")
        if event.anchor is not None:
            self._anchors[event.anchor] = None

    def _value(self, event: Any, pointer: str, depth: int) -> Any:
        """`depth`: of the value, the document itself being 1."""
        if self._placed:
            self._places.setdefault(pointer, self._at(event))
        if isinstance(event, AliasEvent):
            return self._alias(event)
        self._count(event, 1)
        if depth > DEPTH_MAX + 1:
            raise self._error(event, f"nested deeper than {DEPTH_MAX} levels")
        before = self._left
        value: Any
        if isinstance(event, ScalarEvent):
            value = self._scalar(event)
        else:
            self._open(event)
            value = self._list(pointer, depth) if isinstance(event, SequenceStartEvent) else None
            if isinstance(event, MappingStartEvent):
                value = self._object(pointer, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, before - self._left + 1)
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise self._error(event, f"there is no anchor {shortened(event.anchor)} before this alias")
        anchored = self._anchors[event.anchor]
        if anchored is None:
            raise self._error(event, "an alias holds itself")
        self._count(event, anchored.values)
        return anchored.value

    def _list(self, pointer: str, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            below = f"{pointer}/{len(items)}" if self._placed else ""
            items.append(self._value(event, below, depth + 1))
        return items

    def _object(self, pointer: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._key(event)
            if key in found:
                raise self._error(event, f"{shortened(key)} is given twice", "remove one")
            below = pointer + pointer_of(key) if self._placed else ""
            if self._placed:
                self._places[below] = self._at(event)
            found[key] = self._value(self._next(), below, depth + 1)
        return found

    def _key(self, event: Any) -> str:
        if isinstance(event, ScalarEvent):
            if event.value == "<<" and event.implicit[0]:
                raise self._error(event, "merge keys (<<) are not part of YAML 1.2", "write the fields out")
            key = self._scalar(event)
            if type(key) is int and str(key) == event.value:
                key = str(event.value)  # `failures: {2: 10s}` is what people write; JSON has text there
            if isinstance(key, str):
                if event.anchor is not None:
                    self._anchors[event.anchor] = _Anchored(key, 1)
                return key
        elif isinstance(event, AliasEvent):
            key = self._alias(event)
            if isinstance(key, str):
                return key
        hint = "put it in quotes" if isinstance(event, ScalarEvent) else ""
        raise self._error(event, "the name of a field must be text", hint)

    def _scalar(self, event: Any) -> str | int | float | bool | None:
        tag, text = event.tag, str(event.value)
        if tag is None:
            if not event.implicit[0]:
                return text  # it stands in quotes, or is a block
            return self._plain(event, text)
        if tag in ("!", f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"):
            return text
        if tag not in (f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float"):
            raise self._error(event, f"the tag {shortened(tag)} is not allowed", "remove it")
        value = self._plain(event, text)
        if tag == f"{_TAG}float" and type(value) is int:
            value = float(value)
        said = {type(None): "null", bool: "bool", int: "int", float: "float"}.get(type(value))
        if tag != f"{_TAG}{said}":
            raise self._error(event, f"{shortened(text)} is no {tag.removeprefix(_TAG)}", "remove the tag")
        return value

    def _plain(self, event: Any, text: str) -> str | int | float | bool | None:
        """What a plain scalar means in YAML 1.2's core schema."""
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        try:
            if _INTEGER.fullmatch(text):
                return int(text, 0 if text.lstrip("+-")[:2] in ("0x", "0o") else 10)
            if _FLOAT.fullmatch(text):
                value = float(text)
                if value - value == 0:  # finite
                    return value
        except (ValueError, OverflowError):
            pass
        else:
            if not _FLOAT.fullmatch(text) and not _NOT_FINITE.fullmatch(text):
                return text
        raise self._error(event, f"{shortened(text)} is no number that JSON has", "put it in quotes")
