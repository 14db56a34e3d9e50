"""From a definition to the Python that says it: `python -m cronclave.jobs.convert FILE…`.

Files are JSON, such as `cronclave job get NAME -o json` prints, or YAML with the extra
`cronclave-client[yaml]`. What comes out evaluates to the same definition. Comments of YAML are not kept.
"""

from __future__ import annotations

import inspect
import json
import keyword
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from cronclave.errors import DefinitionError
from cronclave.jobs import words
from cronclave.jobs.word import Document, Word

WIDTH = 100
KINDS: dict[str, type[Document]] = {
    each.kind: each
    for each in vars(words).values()
    if inspect.isclass(each) and issubclass(each, Document) and each.kind
}


def source_of(documents: Iterable[Mapping[str, Any]]) -> str:
    """A module that defines these documents. Raises DefinitionError where one is of no known kind."""
    used: set[str] = set()
    parts: list[str] = []
    names: set[str] = set()
    for document in documents:
        kind = next((each for each in KINDS if isinstance(document.get(each), str)), None)
        if kind is None:
            raise DefinitionError(
                f"a document is of no kind that is known: it has {', '.join(map(str, document))}"
            )
        parts.append(_document(kind, dict(document), _free(str(document[kind]), kind, names), used))
    imports = "".join(f"    {name},\n" for name in sorted(used))
    head = f"from cronclave.jobs import (\n{imports})\n" if used else ""
    return "\n\n".join([head, *parts]).lstrip("\n") if parts else head


def _free(name: str, kind: str, taken: set[str]) -> str:
    found = re.sub(r"\W", "_", name)
    if not found.isidentifier() or keyword.iskeyword(found) or found in vars(words):
        found = f"{kind}_{found}"
    while found in taken or found in words.__all__ or found == "Job":
        found += "_"
    taken.add(found)
    return found


def _document(kind: str, document: dict[str, Any], variable: str, used: set[str]) -> str:
    name = document.pop(kind)
    cls = KINDS[kind]
    used.add("Job" if kind == "job" else cls.__name__)
    boxes: list[str] = []
    if kind == "job" and document.get("tasks"):
        for task, said in document.pop("tasks").items():
            boxes.append(_call(f"{variable}.task", [repr(task)], words.Task, said, used, ""))
        for group, said in (document.pop("groups", None) or {}).items():
            boxes.append(_call(f"{variable}.group", [repr(group)], words.Group, said, used, ""))
    called = "Job" if kind == "job" else cls.__name__
    return "\n".join([f"{variable} = {_call(called, [repr(name)], cls, document, used, '')}", *boxes]) + "\n"


def _call(
    called: str, first: Sequence[str], cls: type[Word], said: Mapping[str, Any], used: set[str], indent: str
) -> str:
    """A call with these fields; what the class does not know is refused by name."""
    known = {each.name.rstrip("_"): each.name for each in fields(cls)}
    hints = get_type_hints(cls, localns=vars(words))
    inner = indent + "    "
    parts = list(first)
    for name, value in said.items():
        if name not in known:
            raise DefinitionError(f"{called} has no field {name!r}")
        if value is not None:
            parts.append(f"{known[name]}={_value(value, hints[known[name]], used, inner)}")
    return _joined(f"{called}(", parts, ")", indent)


def _value(value: Any, hint: Any, used: set[str], indent: str) -> str:
    cls = _class_of(value, hint)
    if cls is not None:
        used.add(cls.__name__)
        return _call(cls.__name__, [], cls, value, used, indent)
    inner = indent + "    "
    if isinstance(value, Mapping):
        of = _argument(hint, Mapping, -1)
        items = [f"{str(key)!r}: {_value(each, of, used, inner)}" for key, each in value.items()]
        return _joined("{", items, "}", indent)
    if isinstance(value, list):
        of = _argument(hint, Sequence, 0)
        return _joined("[", [_value(each, of, used, inner) for each in value], "]", indent)
    if isinstance(value, str) and "\n" in value.rstrip("\n") and "\\" not in value and '"""' not in value:
        text = value if not value.endswith('"') else ""
        if text and text.isprintable() is False and not re.search(r"[^\n\x20-\U0010ffff]", text):
            return f'"""\\\n{text}"""'
    return repr(value)


def _class_of(value: Any, hint: Any) -> type[Word] | None:
    """Of the words that may stand here the one whose fields these are."""
    if not isinstance(value, Mapping):
        return None
    words_of = (each for each in (hint, *get_args(hint)) if inspect.isclass(each) and issubclass(each, Word))
    return next(
        (each for each in words_of if value.keys() <= {one.name.rstrip("_") for one in fields(each)}), None
    )


def _argument(hint: Any, origin: type, at: int) -> Any:
    """What the items of a list or a mapping are, where the annotation says so."""
    found = (get_args(each)[at] for each in (hint, *get_args(hint)) if get_origin(each) is origin)
    return next(found, Any)


def _joined(start: str, parts: Sequence[str], end: str, indent: str) -> str:
    line = f"{start}{', '.join(parts)}{end}"
    if len(indent) + len(line) <= WIDTH and "\n" not in line:
        return line
    inner = indent + "    "
    return f"{start}\n" + "".join(f"{inner}{part},\n" for part in parts) + f"{indent}{end}"


def read(path: str) -> list[dict[str, Any]]:
    """The documents of a file; `-` is standard input. Raises DefinitionError."""
    text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    try:
        found = json.loads(text)
    except ValueError:
        found = _yaml(text, path)
    flat = [one for each in (found if isinstance(found, list) else [found]) for one in
            (each if isinstance(each, list) else [each])]  # fmt: skip
    if not all(isinstance(each, dict) for each in flat):
        raise DefinitionError(f"{path}: a document is an object")
    return [_definition(each) for each in flat]


def _yaml(text: str, path: str) -> list[Any]:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ImportError:
        raise DefinitionError(
            f"{path} is no JSON", hint="For YAML: pip install 'cronclave-client[yaml]'"
        ) from None
    try:
        return [each for each in YAML(typ="safe", pure=True).load_all(text) if each is not None]
    except YAMLError as error:
        raise DefinitionError(f"{path} is neither JSON nor YAML: {error}") from None


def _definition(document: dict[str, Any]) -> dict[str, Any]:
    """Without what the server tells beside the definition (`job get -o json`)."""
    if "revision" not in document:
        return document
    kind = next((each for each in KINDS if isinstance(document.get(each), str)), None)
    if kind is None:
        return document
    known = {each.name.rstrip("_") for each in fields(KINDS[kind])}
    return {name: value for name, value in document.items() if name in known}


def main() -> None:
    try:
        print(source_of(each for path in sys.argv[1:] or ["-"] for each in read(path)), end="")
    except (DefinitionError, OSError, UnicodeDecodeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
