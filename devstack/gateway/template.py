"""Mapping templates: VTL compiled at start, with nothing in it that API Gateway would read otherwise."""

import re
from collections.abc import Iterator
from typing import Any

from airspeed import Template, TemplateError, operators

from devstack.gateway.definition import DefinitionError
from devstack.gateway.variables import CONTEXT, UTIL, Body, BodyError, parse_path

# a reference whose value is this marker is printed as its own source text; a client's text may be just that
operators.REPLACE_FORMAL_TEXT = object()
REFUSED = (
    operators.IncludeDirective, operators.ParseDirective, operators.EvaluateDirective,
    operators.MacroDefinition, operators.MacroCall, operators.DefineDefinition, operators.ReturnDirective,
    operators.DictionaryLiteral, operators.NullLiteral,
    operators.UnaryOperatorValue,  # the contrary of nothing is true in Velocity and false in airspeed
)  # fmt: skip
# methods of Java's strings and lists that airspeed runs as Java does
METHODS = {"contains", "isEmpty", "length", "replaceAll", "size", "startsWith"}
LOOP = {"count", "first", "hasNext", "index", "last"}
INPUT = {"json", "path", "params"}
ESCAPED = re.compile(r"\\[$#]")
TRUTHS = re.compile(r"\(\s*(\$foreach\.(hasNext|first|last)|true|false)\s*\)")


class TemplateFault(Exception):  # noqa: N818 - the word of these rooms, as in AWS and SOAP
    """A template that cannot be evaluated for a request."""


class MappingTemplate:
    """A template ready to be evaluated, in any thread."""

    def __init__(self, text: str, variables: dict[str, str], where: str) -> None:
        self._template = Template(text, where)
        self._stage = dict(variables)
        try:
            self._template.ensure_compiled()
        except (TemplateError, operators.NoMatch, LookupError) as error:
            raise DefinitionError(where, f"the template is no VTL: {error}") from error
        _Checker(self._stage, where).check(self._template.root_element)

    def evaluate(self, body: bytes, parameters: dict[str, str], context: dict[str, str]) -> bytes:
        """Return the text for a request; raises BodyError, TemplateFault."""
        given = Body(body)
        names = {
            "input": {
                "json": given.json,
                "path": given.path,
                "params": lambda name: parameters.get(name, parameters.get(name.lower(), "")),
                "body": given.text,
            },
            "util": UTIL,
            "context": context,
            "stageVariables": self._stage,
        }
        try:
            return str(self._template.merge(names)).encode()
        except TemplateError as error:
            if isinstance(error.__cause__, BodyError):
                raise error.__cause__ from error
            raise TemplateFault(str(error)) from error
        except UnicodeEncodeError as error:  # half a surrogate pair, which is no text
            raise TemplateFault(str(error)) from error


class _Checker:
    """Refuses what names nothing here, or would run here in another way."""

    def __init__(self, stage: dict[str, str], where: str) -> None:
        self.stage, self.where = stage, where
        self.names = {"foreach", "velocityCount"}

    def check(self, root: Any) -> None:
        """Check a compiled template; raises DefinitionError."""
        elements = list(_elements(root))
        for element in elements:
            if isinstance(element, operators.Assignment):
                self.names.add(element.root_term)
            elif isinstance(element, operators.ForeachDirective):
                self.names.add(element.loop_var_name)
        for element in elements:
            if isinstance(element, REFUSED) or _differs(element):
                raise self._error(element)
            if isinstance(element, operators.FormalReference):
                self._reference(element)

    def _error(self, element: Any) -> DefinitionError:
        return DefinitionError(self.where, f"not executed here: {element.my_text().strip()}")

    def _reference(self, element: Any) -> None:
        if element.expression is None or element.alternate is not None:
            raise self._error(element)
        parts = list(_parts(element.expression))
        name = parts[0].name
        calls = parts[1:]
        if name in ("util", "input", "context", "stageVariables"):
            if len(parts) < 2 or not self._is_known(name, parts[1]):
                raise self._error(element)
            calls = parts[2:]
        elif name not in self.names or parts[0].parameters is not None:
            raise self._error(element)
        if name == "foreach" and [part.name in LOOP for part in calls] != [True]:
            raise self._error(element)
        if any(part.parameters is not None and part.name not in METHODS for part in calls):
            raise self._error(element)

    def _is_known(self, root: str, part: Any) -> bool:
        if root == "context":
            return part.name in CONTEXT and part.parameters is None
        if root == "stageVariables":
            return part.name in self.stage and part.parameters is None
        if root == "util":
            return part.name in UTIL and len(_arguments(part)) == 1
        if part.name == "body":
            return part.parameters is None
        return part.name in INPUT and self._has_fixed_argument(part)

    def _has_fixed_argument(self, part: Any) -> bool:
        values = [value.expression for value in _arguments(part)]
        if len(values) != 1 or type(values[0]) is not operators.StringLiteral:
            return False
        if part.name != "params" and parse_path(values[0].value) is None:
            raise DefinitionError(self.where, f"the path {values[0].value} is not executed here")
        return True


def _arguments(part: Any) -> list[Any]:
    """Return the arguments of a call; none when it is no call."""
    return list(getattr(getattr(part.parameters, "values", None), "values", ()))


def _parts(expression: Any) -> Iterator[Any]:
    """Walk along `$a.b(c).d[0]`: every name, called or not."""
    yield expression.part
    following = expression.subexpression
    while following is not None and not isinstance(following.expression, operators.VariableExpression):
        following = following.subexpression  # past an index
    if following is not None:
        yield from _parts(following.expression)


def _differs(element: Any) -> bool:
    """Tell of what airspeed reads otherwise: escapes, `[$i]`, and nothing as a condition or set in a loop."""
    if isinstance(element, operators.Text):
        return ESCAPED.search(element.my_text()) is not None
    if isinstance(element, operators.ArrayIndex):
        return isinstance(element.index, operators.FormalReference)
    if isinstance(element, operators.Condition):
        compared = any(isinstance(each, operators.BinaryOperator) for each in _elements(element))
        return not compared and TRUTHS.fullmatch(element.my_text().strip()) is None
    if isinstance(element, operators.ForeachDirective):
        return any(isinstance(each, operators.SetDirective) for each in _elements(element))
    return False


def _elements(element: Any) -> Iterator[Any]:
    """Walk over a compiled element and all that it holds; some hold no more than a method of it."""
    yield element
    for value in vars(element).values():
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        for each in inner if isinstance(inner, list) else [inner]:
            owner = getattr(each, "__self__", each)
            if isinstance(owner, operators._Element) and owner is not element:
                yield from _elements(owner)
