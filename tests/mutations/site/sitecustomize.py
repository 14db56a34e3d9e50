"""Puts one bug into this process and its children: found by Python at the start, on PYTHONPATH.

MUTANT_EDITS holds it: module to texts, old and new (no name of the product's: a spooler gets none of those).
Modules that the bug concerns are compiled from changed source; a text that does not occur exactly once ends
the process, so that no mutation is believed in that did not happen.
"""

import importlib.machinery
import json
import os
import sys
import types
from collections.abc import Sequence

EDITS = json.loads(os.environ.get("MUTANT_EDITS", "{}"))


class Loader(importlib.machinery.SourceFileLoader):
    wanted: str

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path).decode()
        for old, new in EDITS[self.wanted]:
            if source.count(old) != 1:
                sys.exit(
                    f"mutation of {self.wanted}: its text occurs {source.count(old)} times, not once: {old!r}"
                )
            source = source.replace(old, new)
        code: types.CodeType = compile(source, path, "exec", dont_inherit=True)
        return code


class Finder:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in EDITS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None:
            return None
        spec.loader = loader = Loader(name, spec.origin)
        loader.wanted = name
        return spec


if EDITS:
    sys.meta_path.insert(0, Finder)
