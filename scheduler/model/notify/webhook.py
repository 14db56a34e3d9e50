"""webhook: a POST to an address of the world outside.

Which addresses a node reaches is judged when it is sent (node/effects/webhook.py): what a name stands for can
change, and the one who writes a job is not the one who runs the nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from scheduler.model.notify.kind import Kind
from scheduler.model.problems import Refused

URL_LETTERS_MAX = 2_048
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def _value() -> Any:
    from pydantic import AfterValidator, Field, WithJsonSchema

    schema = {"type": "string", "format": "uri", "maxLength": URL_LETTERS_MAX, "pattern": "^https?://"}
    return Annotated[str, Field(max_length=URL_LETTERS_MAX), AfterValidator(checked), WithJsonSchema(schema)]


def checked(value: str) -> str:
    """Raises Refused."""
    from pydantic import AnyUrl, TypeAdapter, ValidationError

    try:
        url = TypeAdapter(AnyUrl).validate_python(value)
    except ValidationError:
        raise Refused("it is no URL", "such as https://hooks.example.org/cronclave") from None
    if any(letter.isspace() or not letter.isprintable() for letter in value):
        raise Refused("a URL holds no blanks and no control characters", "write them as %20 and so on")
    if url.scheme not in ("https", "http") or not url.host:
        raise Refused(f"a webhook goes to https, not to {url.scheme}", "begin it with https://")
    if url.scheme == "http" and url.host not in _LOOPBACK:
        raise Refused(
            "what goes over plain http can be read and changed on its way",
            "use https; http goes to localhost alone, where the nodes' configuration allows it",
        )
    if url.username or url.password:
        raise Refused("a name and a password in a URL are not sent", "put a secret into its path or query")
    if url.fragment:
        raise Refused("what follows # is never sent", "remove it")
    return value


def _targets(notice: Mapping[str, Any]) -> tuple[str, ...]:
    return (notice["webhook"],)


WEBHOOK = Kind(
    name="webhook",
    description="POST to this URL",
    example="https://hooks.example.org/cronclave",
    value=_value,
    targets=_targets,
    is_signed=True,
    other_words=("url", "http", "hook", "slack", "teams"),
)
