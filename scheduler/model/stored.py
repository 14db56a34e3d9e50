"""What is looked for in object stores: `s3://bucket/key`, also of Google's (`gs`) and Azure's (`az`). No
pydantic."""

from __future__ import annotations

import re

from scheduler.model.problems import Refused, shortened
from scheduler.model.texts import no_nul

SCHEMES = ("s3", "gs", "az")
_OTHER_WORDS = {
    "s3a": "s3", "s3n": "s3", "gcs": "gs", "azure": "az", "abfs": "az", "abfss": "az", "wasbs": "az",
}  # fmt: skip
_BUCKET = re.compile(r"[a-z0-9A-Z][a-z0-9A-Z._-]{1,221}")
EXAMPLE = "such as s3://bucket/in/_SUCCESS"


def is_stored(name: object) -> bool:
    """Whether it is in an object store, and no path on an agent's host."""
    return isinstance(name, str) and "://" in name


def check_stored(name: str) -> str:
    """Raises Refused."""
    scheme, _, place = name.partition("://")
    if scheme not in SCHEMES:
        meant = _OTHER_WORDS.get(scheme.lower())
        hint = f"write {meant}://bucket/key" if meant else f"{EXAMPLE}; gs:// and az:// as well"
        raise Refused(f"{shortened(f'{scheme}://')} is no object store that agents look into", hint)
    bucket, _, key = place.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise Refused(f"{shortened(bucket)} is no name of a bucket", EXAMPLE)
    segments = key.removesuffix("/").split("/")
    if not key or any(each in ("", ".", "..") for each in segments):
        hint = f"{EXAMPLE}; with / at its end: anything below it"
        raise Refused(f"{shortened(name)} names no object", hint)
    return no_nul(name)
