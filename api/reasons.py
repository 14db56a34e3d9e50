"""The reason that a person has to give for what concerns others too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from api.problems import FieldError, Problem

LETTERS_MAX = 500


def reason_of(document: Mapping[str, Any], hint: str) -> str:
    """Raises Problem where there is none, or a longer one than the machine takes."""
    reason = document.get("reason")
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= len(reason) <= LETTERS_MAX:
        detail = f"why, for everybody who will ask: a text of 1 to {LETTERS_MAX} letters"
        raise _invalid([FieldError("/reason", detail)], hint)
    return reason


def need_fields(document: Mapping[str, Any], known: Collection[str], hint: str) -> None:
    """Raises Problem for a field that is none of these."""
    unknown = [FieldError(f"/{name[:100]}", "unknown field") for name in document if name not in known]
    if unknown:
        raise _invalid(unknown, hint)


def _invalid(errors: list[FieldError], hint: str) -> Problem:
    said = f"{errors[0].pointer}: {errors[0].detail}"
    return Problem("validation", said, hint=hint, errors=errors)
