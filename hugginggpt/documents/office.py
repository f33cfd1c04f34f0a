"""Office files: zipped XML, unpacked and parsed within bounds. Nothing outside the archive is looked at."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.parsers import expat

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.model import PROTECTED
from hugginggpt.media.problem import ContentProblem

Element = ElementTree.Element

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_BLOCK_BYTES = 1 << 20
_IS_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Relation:
    """A link from one part of a package to another.

    Attributes:
        kind: the last word of its type, such as "header".
        target: the name of the part it leads to.
    """

    kind: str
    target: str


class Archive:
    """A ZIP archive whose members are unpacked one at a time, each counted.

    Args:
        data: the archive.
        budget: bounds what comes out of it.
        name: what it is, for the sentence about a damaged one.

    Raises:
        ContentProblem: it is damaged or protected.
    """

    def __init__(self, data: bytes, budget: Budget, name: str) -> None:
        if data.startswith(_OLD_OFFICE):
            if _ENCRYPTED_PACKAGE in data:
                raise ContentProblem(PROTECTED)
            raise ContentProblem("is a file of an old Office (.doc, .xls or .ppt); save it as DOCX, XLSX or PPTX")
        self._damaged = f"is damaged and cannot be read as {name}; save it again"
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            raise ContentProblem(self._damaged) from None
        self._budget = budget
        self.names = frozenset(self._zip.namelist())

    def read(self, name: str) -> bytes | None:
        """The bytes of a member; None if there is none of that name.

        Raises:
            ContentProblem: it is damaged, protected or too large.
        """
        if name not in self.names:
            return None
        if self._zip.getinfo(name).flag_bits & _IS_ENCRYPTED:
            raise ContentProblem(PROTECTED)
        blocks = []
        try:
            with self._zip.open(name) as member:
                while block := member.read(_BLOCK_BYTES):
                    self._budget.spend_unpacked(len(block))
                    blocks.append(block)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError):
            raise ContentProblem(self._damaged) from None
        return b"".join(blocks)

    def root(self, name: str) -> Element | None:
        """A member as parsed XML; None if there is none of that name.

        Raises:
            ContentProblem: it is damaged, protected or too large, or defines entities.
        """
        data = self.read(name)
        return None if data is None else self.parsed(data)

    def parsed(self, data: bytes) -> Element:
        """XML, parsed.

        Raises:
            ContentProblem: it is damaged, or defines entities.
        """
        check_prolog(data)
        try:
            return ElementTree.fromstring(data)
        except (ElementTree.ParseError, ValueError, LookupError):
            raise ContentProblem(self._damaged) from None

    @property
    def has_macros(self) -> bool:
        """Whether programs for Office are in it."""
        return any(name.endswith("vbaProject.bin") for name in self.names)

    def main_part(self, name: str) -> tuple[Element, dict[str, Relation]]:
        """The part that a package is about, as parsed XML, and its `relations`.

        Args:
            name: what its root element is called.

        Raises:
            ContentProblem: there is none, it is another, or it is damaged.
        """
        for relation in self.relations("").values():
            if relation.kind == "officeDocument" and (root := self.root(relation.target)) is not None:
                if local(root) != name:
                    break
                return root, self.relations(relation.target)
        raise ContentProblem(self._damaged)

    def required(self, name: str) -> Element:
        """A member that has to be there, as parsed XML.

        Raises:
            ContentProblem: there is none, or it is damaged.
        """
        root = self.root(name)
        if root is None:
            raise ContentProblem(self._damaged)
        return root

    def relations(self, part: str) -> dict[str, Relation]:
        """Where the links of a part lead inside of the package, by their ids.

        Args:
            part: the part's name; "" for the package.
        """
        folder, name = posixpath.split(part)
        root = self.root(posixpath.join(folder, "_rels", f"{name}.rels"))
        return {
            attribute(link, "Id"): Relation(
                attribute(link, "Type").rpartition("/")[2], resolved(folder, attribute(link, "Target"))
            )
            for link in children(root)
            if attribute(link, "TargetMode") != "External"
        }


def linked(element: Element, relations: Mapping[str, Relation]) -> Relation | None:
    """The link that an element names by its `r:id`; None if there is none."""
    return relations.get(next((value for name, value in element.items() if name.endswith("}id")), ""))


def resolved(folder: str, target: str) -> str:
    """The name of a member, from where it is mentioned."""
    path = unquote(target.partition("#")[0])
    return posixpath.normpath(path if path.startswith("/") else posixpath.join(folder, path)).lstrip("/")


class _Begun(Exception):
    """The root element has begun."""


def check_prolog(data: bytes) -> None:
    """Refuse XML that defines entities of its own, which can grow without bounds or stand for files and addresses.

    Raises:
        ContentProblem: it does.
    """

    def doctype(_name: str, _system: str | None, _public: str | None, has_definitions: int) -> None:
        if has_definitions:
            raise ContentProblem("holds XML with definitions of its own, which are not read; save it again")

    def begin(_name: str, _attributes: object) -> None:
        raise _Begun

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = begin
    try:
        parser.Parse(data, True)
    except (_Begun, expat.ExpatError, ValueError, LookupError):
        # What is wrong with the rest is for the parser proper to find.
        return


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """An attribute in whatever namespace; "" if there is none."""
    if (plain := element.get(name)) is not None:
        return plain
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")


def children(element: Element | None) -> Iterable[Element]:
    """The elements directly below an element that may be missing."""
    return () if element is None else element


def child(element: Element | None, *names: str) -> Element | None:
    """What is found by going down from an element, name by name."""
    for name in names:
        element = next((below for below in children(element) if local(below) == name), None)
    return element


def value(element: Element | None, *names: str) -> str:
    """The `val` of what is found by going down from an element."""
    found = child(element, *names)
    return "" if found is None else attribute(found, "val")


def descendants(element: Element, name: str) -> Iterator[Element]:
    """Every element of a name below another one, in whatever namespace."""
    return (below for below in element.iter() if local(below) == name)
