"""Jobs in YAML files: YAML 1.2, values only, and every problem with its file:line:column.

Rules of this file:

1. Only the values that JSON has: text, numbers, true, false, null, lists, objects. Dates stay text, other
   tags are refused.
2. A key twice is an error, never the last one wins. Merge keys (`<<`) are YAML 1.1 and refused.
3. A file may hold several jobs, separated by `---` or as the items of one list. Empty documents are left out.
4. Aliases are followed, but the values of a file are counted as written out, up to a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from scheduler.model.job import Job
from scheduler.model.parse import VALUES_MAX, parse_job
from scheduler.model.problems import JobError, Problem, pointer_of, shortened

TEXT_CHARACTERS_MAX = 32 << 20

_TAG = "tag:yaml.org,2002:"


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


def load_yaml(text: str, filename: str) -> list[Document]:
    """The documents of a file; raises JobError whose problem names file:line:column."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise _fault(filename, 1, 1, f"the file is longer than {TEXT_CHARACTERS_MAX} characters")
    language = "JSON" if filename.endswith(".json") else "YAML"  # read as YAML, which contains it
    documents: list[Document] = []
    reader = _Reader(filename)
    try:
        for root in YAML(typ="safe", pure=True).compose_all(StringIO(text)):
            if root is None or root.tag == f"{_TAG}null":
                continue
            roots = root.value if isinstance(root, SequenceNode) else [root]
            documents += [reader.document(node) for node in roots]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = f"not valid {language}: {error.problem or error.context}"
        raise _fault(filename, line, column, what) from error
    except RecursionError as error:
        raise _fault(filename, 1, 1, "nested too deep") from error
    except YAMLError as error:
        at = getattr(error, "position", 0)
        before = text[: at if isinstance(at, int) else 0]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        what = f"not valid {language}: {getattr(error, 'reason', error)}"
        raise _fault(filename, line, column, what) from error
    return documents


def parse_document(
    document: Document, *, namespace_default: str = "default", now_ms: int | None = None
) -> Job:
    """As `parse_job`; the problems name file:line:column."""
    try:
        return parse_job(document.data, namespace_default=namespace_default, now_ms=now_ms)
    except JobError as error:
        placed = (replace(problem, where=document.where(problem.pointer)) for problem in error.problems)
        raise JobError(tuple(placed)) from None


def dump_yaml(jobs: Iterable[Mapping[str, Any]]) -> str:
    """These job mappings as YAML documents that `load_yaml` reads back."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # untyped default
    writer.width = 110
    writer.explicit_start = True
    out = StringIO()
    writer.dump_all([dict(job) for job in jobs], out)
    return out.getvalue()


def _fault(filename: str, line: int, column: int, detail: str, hint: str = "") -> JobError:
    return JobError((Problem("", detail, hint, f"{filename}:{line}:{column}"),))


class _Reader:
    """Turns YAML nodes into plain data, noting places; one for a file, since the limit is the file's."""

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._values = 0
        self._places: dict[str, tuple[int, int]] = {}
        self._open: list[int] = []

    def document(self, node: Any) -> Document:
        self._places = {}
        data = self._value(node, "")
        return Document(data, self._filename, self._places)

    def _at(self, node: Any) -> tuple[int, int]:
        return node.start_mark.line + 1, node.start_mark.column + 1

    def _error(self, node: Any, detail: str, hint: str = "") -> JobError:
        return _fault(self._filename, *self._at(node), detail, hint)

    def _value(self, node: Any, pointer: str) -> Any:
        self._values += 1
        if self._values > VALUES_MAX:
            raise self._error(node, f"the file holds more than {VALUES_MAX} values")
        self._places.setdefault(pointer, self._at(node))
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise self._error(node, "an alias holds itself")
        self._open.append(id(node))
        value: Any
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            value = [self._value(item, f"{pointer}/{i}") for i, item in enumerate(node.value)]
        elif isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            value = dict(self._pairs(node, pointer))
        else:
            raise self._error(node, f"the tag {shortened(str(node.tag))} is not allowed", "remove it")
        self._open.pop()
        return value

    def _pairs(self, node: Any, pointer: str) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                detail = "merge keys (<<) are not part of YAML 1.2"
                raise self._error(key_node, detail, "write the fields out")
            key = self._scalar(key_node) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                hint = "put it in quotes" if isinstance(key_node, ScalarNode) else ""
                raise self._error(key_node, "the name of a field must be text", hint)
            if key in seen:
                raise self._error(key_node, f"{shortened(key)} is given twice", "remove one")
            seen.add(key)
            below = pointer + pointer_of(key)
            self._places[below] = self._at(key_node)
            yield key, self._value(value_node, below)

    def _scalar(self, node: Any) -> str | int | float | bool | None:
        tag, text = str(node.tag), str(node.value)
        if tag in (f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"):
            return text
        if tag == f"{_TAG}null":
            return None
        if tag == f"{_TAG}bool":
            return text.lower() == "true"
        try:
            if tag == f"{_TAG}int":
                return int(text.replace("_", ""), 0 if text.lstrip("+-")[:2].lower() in ("0x", "0o") else 10)
            if tag == f"{_TAG}float":
                return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            raise self._error(node, f"{shortened(text)} is no number", "put it in quotes") from None
        raise self._error(node, f"the tag {shortened(tag)} is not allowed", "remove it")
