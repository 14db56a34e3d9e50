"""Secrets as they come in and as they are told of: a value comes in once and is never told.

Rule: no word that leaves here holds a value or a part of one: no refusal repeats what a body says, not the
name of a field that nobody knows either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.call import Call, json_type
from api.problems import FieldError, Problem
from api.revisions import changes_json
from scheduler.machine.rules.secret_uses import near
from scheduler.model.fields import check_name
from scheduler.model.problems import Refused
from scheduler.model.secret_uses import PATTERN_HINT, is_pattern
from scheduler.store.connection import Store
from scheduler.store.tables import restores, secrets
from scheduler.store.tables.secrets import Secret

VALUE_BYTES_MAX = 16 << 10
VALUE_LETTERS_MIN = 4
LINES_MAX = 200

_LISTED = "cronclave secret list shows those that there are."


def place(store: Store, namespace: str, name: str, version: int) -> tuple[str, ...]:
    """Whose value it is, as `ports.Vault` binds it: the same through restores, other in another cluster."""
    return restores.lineage(store), namespace, name, str(version)


def secret_json(row: Secret) -> dict[str, Any]:
    return {
        "namespace": row.namespace,
        "name": row.name,
        "version": row.version,
        "grants": row.patterns,
        "key": row.key,
        **changes_json(row),
    }


def need_secret(store: Store, namespace: str, name: str) -> Secret:
    """Raises Problem."""
    row = secrets.find(store, namespace, name)
    if row is None:
        meant = near(store, namespace, name)
        raise Problem("not-found", f"there is no secret {namespace}/{name[:200]}{meant}", hint=_LISTED)
    return row


def need_names(call: Call, name: str) -> None:
    """Those of the address. Raises Problem."""
    for pointer, text in (("?namespace", call.namespace), ("name", name)):
        try:
            check_name(text)
        except Refused as refused:
            errors = [FieldError(pointer, refused.detail, refused.hint)]
            raise Problem(
                "validation", f"{pointer}: {refused.detail}", hint=refused.hint, errors=errors
            ) from None


def fields_of(call: Call, known: tuple[str, ...]) -> Mapping[str, Any]:
    """The body, of these fields alone. Raises Problem."""
    document = call.json_object()
    if any(name not in known for name in document):
        raise _invalid("", f"the body has a field beside those that are known: {', '.join(known)}")
    return document


def need_value(document: Mapping[str, Any]) -> bytes:
    """Raises Problem."""
    value = document.get("value")
    if not isinstance(value, str):
        raise _invalid(
            "/value", f"a secret's value is a text, not {json_type(value)}", "Binary: write it in base64."
        )
    size, lines = len(value.encode()), value.count("\n")
    if size > VALUE_BYTES_MAX:
        raise _invalid("/value", f"the value has {size} bytes, {VALUE_BYTES_MAX} at most")
    if "\0" in value:
        raise _invalid("/value", "no variable holds a NUL", "Binary: write it in base64.")
    if len(value.strip()) < VALUE_LETTERS_MIN:
        raise _invalid(
            "/value", f"the value has fewer than {VALUE_LETTERS_MIN} letters",
            "So short a text cannot be masked in output without masking half of it: it is no secret.",
        )  # fmt: skip
    if lines > LINES_MAX:
        raise _invalid(
            "/value", f"the value has more than {LINES_MAX} lines", "Each is masked by itself: too many."
        )
    return value.encode()


def patterns_of(document: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """Raises Problem."""
    given = document.get(field, [])
    if not isinstance(given, list):
        raise _invalid(f"/{field}", f"it is a list of patterns of jobs, not {json_type(given)}", PATTERN_HINT)
    for i, pattern in enumerate(given):
        if not isinstance(pattern, str) or not is_pattern(pattern):
            raise _invalid(f"/{field}/{i}", "it is no pattern of jobs", PATTERN_HINT)
    return tuple(given)


def _invalid(pointer: str, detail: str, hint: str = "") -> Problem:
    told = f"{pointer}: {detail}" if pointer else detail
    return Problem("validation", told, hint=hint, errors=[FieldError(pointer, detail, hint)])
