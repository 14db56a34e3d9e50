"""A file of Python, evaluated: `python -m cronclave.jobs.evaluate FILE` writes what it defines, as JSON.

Rules:

1. What counts are the names of the module: those of `__all__` where it has one, else all that do not begin
   with `_`. Each may be a job, another document, or a list, tuple or dict of such.
2. The file is imported under its own name, with its folder first on the path: what it decorates as a task is
   called by that name on agents.
3. Standard output is the command's. What the file prints goes to standard error.
4. An error of the file is told with its line, in JSON as well; the traceback goes to standard error.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from cronclave.errors import CronclaveError, DefinitionError
from cronclave.jobs.word import Document

DEPTH_MAX = 3


def evaluate(path: Path) -> list[tuple[dict[str, Any], int]]:
    """The documents of a file, each with the line in which it begins, or 1. Raises whatever the file
    raises."""
    return [(each.to_dict(), _line(each, path)) for each in documents(imported(path))]


def imported(path: Path) -> ModuleType:
    name = path.stem
    if not name.isidentifier():
        raise DefinitionError(f"{path.name} cannot be imported: {name!r} is no name of a module")
    if name in sys.stdlib_module_names or name == "cronclave":
        raise DefinitionError(
            f"{path.name} has the name of another module", hint="Give the file another name."
        )
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DefinitionError(f"{path} is no file of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def documents(module: ModuleType) -> list[Document]:
    """What its names stand for, each once, in their order."""
    said = getattr(module, "__all__", None)
    names = list(said) if said is not None else [name for name in vars(module) if not name.startswith("_")]
    seen: dict[int, Document] = {}
    for name in names:
        for each in _within(getattr(module, name), 0):
            seen.setdefault(id(each), each)
    return list(seen.values())


def _within(value: Any, depth: int) -> Iterator[Document]:
    if isinstance(value, Document):
        yield value
    elif depth < DEPTH_MAX and isinstance(value, list | tuple):
        for each in value:
            yield from _within(each, depth + 1)
    elif depth < DEPTH_MAX and isinstance(value, Mapping):
        for each in value.values():
            yield from _within(each, depth + 1)


def _line(document: Document, path: Path) -> int:
    file, line = getattr(document, "place", ("", 1))
    return line if file and Path(file).resolve() == path.resolve() else 1


def _fault(error: BaseException, path: Path) -> dict[str, Any]:
    """What is wrong, and in which line of the file."""
    line = 1
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == path.resolve():
        line = error.lineno or 1
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).resolve() == path.resolve():
            line = frame.lineno or line
    known = isinstance(error, CronclaveError)
    said = str(error) if known else f"{type(error).__name__}: {error}".rstrip(": ")
    return {"line": line, "detail": said, "known": known}


def main() -> None:
    """Exit code 0 with {"documents": [{line, document}]}, 1 with {"fault": …}."""
    path = Path(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        found = evaluate(path)
        told: dict[str, Any] = {"documents": [{"line": line, "document": each} for each, line in found]}
    except (Exception, SystemExit) as error:
        told = {"fault": _fault(error, path)}
        if not told["fault"]["known"]:
            traceback.print_exc()
    json.dump(told, out, ensure_ascii=False)
    out.close()
    sys.stdout.flush()
    os._exit(1 if "fault" in told else 0)  # no thread of the file keeps it


if __name__ == "__main__":
    main()
