"""The roles of a token, as people write and read them: by namespace, that in all of them under `*`.

`{"role": R}` is a role in all namespaces, `{"role": R, "namespaces": [N, …]}` the same one in some, and
`{"roles": {N: R, …}}` one in each. A reply has all three, so that what was read can be sent.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from api.access import ALL
from api.problems import FieldError
from scheduler.machine.tokens import NAMESPACES_MAX, PEOPLE, ROLES
from scheduler.model.fields import check_name
from scheduler.model.problems import Refused

SEVERAL = "several"  #: as the one role of a token that has another elsewhere


def read_roles(document: Mapping[str, Any], errors: list[FieldError]) -> dict[str, str]:
    """By namespace; what is wrong goes to `errors`."""
    if "roles" not in document:
        return _of_one(document, errors)
    roles = document["roles"]
    for field in ("role", "namespaces"):
        if document.get(field) is not None:
            errors.append(FieldError(f"/{field}", "roles says it already, for each namespace"))
    if not isinstance(roles, dict) or not 1 <= len(roles) <= NAMESPACES_MAX:
        errors.append(FieldError("/roles", f"a role for each of 1 to {NAMESPACES_MAX} namespaces"))
        return {}
    for namespace, role in roles.items():
        _check_namespace(f"/roles/{namespace[:128]}", namespace, errors)
        _check_role(f"/roles/{namespace[:128]}", role, ROLES if namespace == ALL else PEOPLE, errors)
    return roles


def _of_one(document: Mapping[str, Any], errors: list[FieldError]) -> dict[str, str]:
    namespaces, role = document.get("namespaces"), document.get("role")
    _check_role("/role", role, ROLES if namespaces is None else PEOPLE, errors)
    if namespaces is None:
        namespaces = [ALL]
    elif not isinstance(namespaces, list) or not 1 <= len(namespaces) <= NAMESPACES_MAX:
        detail = f"1 to {NAMESPACES_MAX} names; without it the role is one in all"
        errors.append(FieldError("/namespaces", detail))
        return {}
    for place, namespace in enumerate(namespaces):
        _check_namespace(f"/namespaces/{place}", namespace, errors)
    return {str(namespace): str(role) for namespace in namespaces}


def _check_namespace(pointer: str, namespace: Any, errors: list[FieldError]) -> None:
    if namespace != ALL:
        try:
            check_name(namespace)
        except Refused as refusal:
            errors.append(FieldError(pointer, f"{refusal.detail}; {ALL} stands for all namespaces"))


def _check_role(pointer: str, role: Any, known: tuple[str, ...], errors: list[FieldError]) -> None:
    if not isinstance(role, str) or role not in known:
        near = difflib.get_close_matches(str(role), known, 1)
        where = "" if known is ROLES else "in single namespaces "
        hint = f"did you mean {near[0]}?" if near else ""
        errors.append(FieldError(pointer, f"{where}one of {', '.join(known)}", hint))


def roles_json(roles: Mapping[str, str]) -> dict[str, Any]:
    """`role`: the only one it has; `namespaces`: where, null: in all."""
    named = None if ALL in roles else sorted(roles)
    only = set(roles.values())
    return {"role": only.pop() if len(only) == 1 else SEVERAL, "namespaces": named, "roles": dict(roles)}
