"""Parameters of a job: their schema. The check of what is given for them: param_values.py."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from scheduler.model import date_expressions
from scheduler.model.fields import Model, as_tuple
from scheduler.model.param_values import value_fault
from scheduler.model.problems import Refused, type_name


def _value(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise Refused(f"must be text, a number or true or false, not {type_name(value)}")
    return value


def _any_value(value: Any) -> Any:
    if isinstance(value, list | dict):
        return value
    return _value(value)


Value = Annotated[str | bool | int | float, BeforeValidator(_value)]
"""One fault, not one for each type that it might have had."""
ParamValue = Annotated[str | bool | int | float | list[Any] | dict[str, Any], BeforeValidator(_any_value)]
"""Of a parameter: lists and objects too."""


class Param(Model):
    type: Literal[
        "string", "integer", "number", "boolean", "enum", "date", "datetime", "duration", "list", "map"
    ]
    default: ParamValue | None = None
    enum: Annotated[
        tuple[Value, ...] | None, BeforeValidator(as_tuple), Field(min_length=1, max_length=1_000)
    ] = None
    required: bool = False
    description: Annotated[str, Field(max_length=4_096)] = ""

    @model_validator(mode="after")
    def _values_have_the_type(self) -> Self:
        if self.type == "enum" and self.enum is None:
            raise Refused("an enum without its values", "enum: [eu, us]")
        if self.type in ("list", "map") and self.enum is not None:
            raise Refused(f"a {self.type} is not one of some values", "remove enum", at=("enum",))
        for value in self.enum or ():
            fault, hint = value_fault(self.type, value)
            if fault:
                raise Refused(f"a value of enum {fault}", hint)
            if self.type in date_expressions.KINDS and not date_expressions.is_literal(str(value)):
                raise Refused(f"a value of enum is no date: {value}", "expressions stand in defaults alone")
        if self.default is not None:
            fault, hint = value_fault(self.type, self.default)
            if fault:
                raise Refused(f"the default {fault}", hint, at=("default",))
            if self.required:
                raise Refused("required and default exclude each other", "remove one of them")
            if self.enum is not None and self.default not in self.enum:
                raise Refused("the default is not among the values of enum")
        return self
