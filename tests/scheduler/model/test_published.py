"""The JSON Schema that ships is that of the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.model.meanings import MEANINGS
from scheduler.model.objects import NAMES
from scheduler.model.objects.parsing import KINDS
from scheduler.model.parse import JOB_FIELDS, TASK_FIELDS
from scheduler.model.published import NAMESPACE, json_schema, object_schema, schema_of, schema_text

pytestmark = pytest.mark.house

KINDS_AND_NAMESPACES = (*KINDS, NAMESPACE)
ROOT = Path(__file__).parents[3]


def test_the_files_are_the_schemas() -> None:
    for kind in KINDS:
        path = ROOT / "docs" / "reference" / f"{kind}.schema.json"
        remedy = f"run: python -m scheduler.model.published {kind} > docs/reference/{kind}.schema.json"
        assert path.read_text(encoding="utf-8") == schema_text(kind), remedy


def test_every_field_says_what_it_means() -> None:
    """Editors show it, the cockpit's among them; and no line says it of a field that is not there."""
    meanings = set(MEANINGS)
    for kind in KINDS_AND_NAMESPACES:
        schema = schema_of(kind)
        for model, definition in {**schema.get("$defs", {}), "": schema}.items():
            for name, field in definition.get("properties", {}).items():
                assert field.get("description"), f"{kind}: {model}.{name}"
                said = field["description"]
                meanings -= {each for each in (name, f"{model}.{name}") if said == MEANINGS.get(each)}
    assert meanings == set()


def test_it_knows_both_forms() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == {*JOB_FIELDS, *TASK_FIELDS}
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["job"]
    assert {"required": ["tasks"]} in schema["oneOf"]
    assert {"required": ["run"]} in schema["oneOf"]


def test_the_reference_documents_every_field() -> None:
    pages = ("job.md", "policies.md", "expectations.md")
    text = "".join((ROOT / "docs" / "reference" / page).read_text(encoding="utf-8") for page in pages)
    schema = json_schema()
    fields = set(schema["properties"])
    for definition in schema["$defs"].values():
        fields |= set(definition["properties"])
    missing = [field for field in sorted(fields) if f"`{field}`" not in text]
    assert missing == []
    for kind in NAMES:
        text = (ROOT / "docs" / "reference" / f"{kind}.md").read_text(encoding="utf-8")
        assert [field for field in object_schema(kind)["properties"] if f"`{field}`" not in text] == []
