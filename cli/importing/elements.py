"""An XML file of another system, with the line of each element. Nothing outside of the file is read, and no
entity of its own is expanded: the parser refuses both."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from cli.importing.found import Source, UnreadableError

DEPTH_MAX = 50


@dataclass(slots=True)
class Element:
    name: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, *names: str) -> list[Element]:
        return [child for child in self.children if child.name in names]

    def first(self, name: str) -> Element | None:
        return next(iter(self.all(name)), None)


def read_element(source: Source) -> Element:
    """The root. Raises UnreadableError."""
    open_: list[Element] = [Element("", {}, 0)]
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_) > DEPTH_MAX:
            where = f"{source.name}:{parser.CurrentLineNumber}"
            raise UnreadableError(where, f"nested deeper than {DEPTH_MAX} levels")
        element = Element(name, attributes, parser.CurrentLineNumber)
        open_[-1].children.append(element)
        open_.append(element)

    def end(_: str) -> None:
        open_.pop()

    def text(data: str) -> None:
        open_[-1].text += data

    def entity(name: str, *_: object) -> None:
        where = f"{source.name}:{parser.CurrentLineNumber}"
        raise UnreadableError(where, f"it declares the entity {name[:40]}", "Write out what it stands for.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, entity
    try:
        parser.Parse(source.text.encode("utf-8"), True)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        where = f"{source.name}:{error.lineno}:{error.offset + 1}"
        raise UnreadableError(where, f"not valid XML: {what}") from None
    return open_[0].children[0]
