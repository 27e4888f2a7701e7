"""JSON Schemas as tables of fields."""

from collections.abc import Mapping
from typing import Any

from docs.generator.tables import code, one_line, table

_BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("minLength", "{} characters or more"),
    ("maxLength", "at most {} characters"),
    ("minItems", "{} or more"),
    ("maxItems", "at most {}"),
)
_PLAIN_DEFAULTS: tuple[object, ...] = (None, "", [])


class Schemas:
    """The schemas of one document, by which references are followed."""

    def __init__(self, components: Mapping[str, Any]) -> None:
        self._components = components
        self._mentioned: dict[str, Mapping[str, Any]] = {}

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema itself, wherever it stands."""
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        return self.resolved(self._components[reference.rpartition("/")[2]])

    def fields(self, schema: Mapping[str, Any]) -> str:
        """A table of an object's fields; one line for what is no object."""
        whole = self.resolved(schema)
        required = set(whole.get("required", ()))
        rows = [
            (
                code(name),
                self.kind(field),
                "" if name in required else "optional",
                self._about(field),
            )
            for name, field in whole.get("properties", {}).items()
        ]
        return table(("Field", "Type", "", "What it is"), rows) or f"{self.kind(schema)}\n"

    def mentioned(self) -> str:
        """A section for each object that a field was said to be, and for those in them."""
        told: dict[str, str] = {}
        while missing := self._mentioned.keys() - told.keys():
            for name in missing:
                said = one_line(self.resolved(self._mentioned[name]).get("description"))
                fields = self.fields(self._mentioned[name])
                told[name] = f"### {name}\n\n{said}\n\n{fields}"
        return "\n".join(told[name] for name in sorted(told))

    def kind(self, schema: Mapping[str, Any]) -> str:
        """What may stand there, in a few words."""
        found = self.resolved(schema)
        for several in ("anyOf", "oneOf"):
            if several in found:
                return " or ".join(dict.fromkeys(map(self.kind, found[several])))
        if "const" in found:
            return code(str(found["const"]))
        if "enum" in found:
            return ", ".join(code(str(one)) for one in found["enum"])
        if found.get("type") == "array":
            return f"list of {self.kind(found.get('items', {}))}"
        if "$ref" in schema and "properties" in found:
            name = schema["$ref"].rpartition("/")[2]
            self._mentioned[name] = schema
            return f"[{name}](#{name.lower()})"
        return str(found.get("format") or found.get("type") or "any JSON value")

    def _about(self, field: Mapping[str, Any]) -> str:
        found = {**self.resolved(field), **field}
        choices = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
        if len(choices) == 1:
            found = {**self.resolved(choices[0]), **found}
        said = [text] if (text := found.get("description", "")) else []
        said += [words.format(found[bound]) for bound, words in _BOUNDS if bound in found]
        if found.get("default") not in _PLAIN_DEFAULTS:
            said.append(f"default {code(str(found['default']))}")
        return "; ".join(said)
