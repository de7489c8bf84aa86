"""The part of CEL that the admission policies of this project are in; the rest is refused when it is read.

Read: literals, names, fields, ``[]``, ``in``, ``has()``, ``size()``, ``contains``, ``startsWith``,
``endsWith``, ``!``, ``&&``, ``||``, ``? :``, comparisons, ``+`` and ``-``, lists, maps; ``Object{…}``.
Not read: macros over lists, optionals, numbers with a point, regular expressions, types.
https://github.com/google/cel-spec/blob/master/doc/langdef.md
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

Expression = Callable[[Mapping[str, Any]], Any]
"""What an expression comes to, given the values of its variables.

Raises:
    EvaluationError: It comes to nothing.
"""


class ReadingError(Exception):
    """An expression is none, or uses what is not read here."""


class EvaluationError(Exception):
    """An expression has no value: a field is not there, or of another type than is asked for."""


_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d+(?![.\w]))|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<sign>&&|\|\||[=!<>]=|[-+!<>?:.,(){}\[\]]))"""
)
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda item, among: item in among,
}
_SUMS: Mapping[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub}
_OF_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
_CONSTANTS = {"true": True, "false": False, "null": None}


@cache
def read(written: str) -> Expression:
    """Read an expression.

    Raises:
        ReadingError: It cannot be read.
    """
    return _Reader(written).whole()


def _tokens(written: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(written.rstrip())
    while at < end:
        found = _TOKEN.match(written, at)
        if found is None:
            raise ReadingError(f"Syntax error: token recognition error at: {written[at:].strip()[:20]!r}")
        yield found.lastgroup or "", found[found.lastgroup or 0]
        at = found.end()
    yield "end", ""


class _Reader:
    """A reader by recursive descent: one method for each level of precedence, loosest first."""

    def __init__(self, written: str) -> None:
        self._tokens = [*_tokens(written)]
        self._at = 0

    def whole(self) -> Expression:
        found = self._choice()
        if self._tokens[self._at][0] != "end":
            raise ReadingError(f"Syntax error: mismatched input {self._tokens[self._at][1]!r}")
        return found

    def _choice(self) -> Expression:
        condition = self._either()
        if not self._took("?"):
            return condition
        yes = self._choice()
        self._expect(":")
        no = self._choice()
        return lambda given: yes(given) if _truth(condition(given)) else no(given)

    def _either(self) -> Expression:
        found = self._both()
        while self._took("||"):
            found = _joined(found, self._both(), decisive=True)
        return found

    def _both(self) -> Expression:
        found = self._comparison()
        while self._took("&&"):
            found = _joined(found, self._comparison(), decisive=False)
        return found

    def _comparison(self) -> Expression:
        found = self._sum()
        while (sign := self._tokens[self._at][1]) in _COMPARISONS and self._tokens[self._at][0] != "text":
            self._at += 1
            found = _applied(_COMPARISONS[sign], found, self._sum())
        return found

    def _sum(self) -> Expression:
        found = self._negation()
        while (sign := self._tokens[self._at][1]) in _SUMS and self._tokens[self._at][0] == "sign":
            self._at += 1
            found = _applied(_SUMS[sign], found, self._negation())
        return found

    def _negation(self) -> Expression:
        if self._took("!"):
            inner = self._negation()
            return lambda given: not _truth(inner(given))
        return self._member()

    def _member(self) -> Expression:
        found = self._primary()
        while True:
            if self._took("."):
                name = self._name()
                found = self._call(found, name) if self._took("(") else _field(found, name)
            elif self._took("["):
                found = _item(found, self._choice())
                self._expect("]")
            else:
                return found

    def _call(self, subject: Expression, name: str) -> Expression:
        if name not in _OF_TEXT:
            raise ReadingError(f"undeclared reference to {name!r}, or one that is not read here")
        (argument,) = self._list(")", least=1, most=1)
        return _applied(_OF_TEXT[name], subject, argument)

    def _primary(self) -> Expression:
        kind, token = self._tokens[self._at]
        self._at += 1
        match kind:
            case "text":
                value = json.loads(token) if token[0] == '"' else token[1:-1].replace("\\'", "'")
                return _constant(value)
            case "number":
                return _constant(int(token))
            case "name":
                return self._named(token)
        return self._bracketed(token)

    def _named(self, name: str) -> Expression:
        if name in _CONSTANTS:
            return _constant(_CONSTANTS[name])
        if name == "Object":
            return self._configuration()
        if name == "has" and self._took("("):
            return self._presence()
        if name == "size" and self._took("("):
            (counted,) = self._list(")", least=1, most=1)
            return lambda given: _size(counted(given))
        return _variable(name)

    def _bracketed(self, sign: str) -> Expression:
        match sign:
            case "(":
                found = self._choice()
                self._expect(")")
                return found
            case "[":
                items = self._list("]")
                return lambda given: [each(given) for each in items]
            case "{":
                return self._map(self._choice)
        raise ReadingError(f"Syntax error: no viable alternative at input {sign!r}")

    def _presence(self) -> Expression:
        """``has(a.b)``: whether the last field of a way is there."""
        inner = self._member()
        self._expect(")")

        def present(given: Mapping[str, Any]) -> bool:
            try:
                inner(given)
            except _AbsentError as error:
                if error.last is not inner:
                    raise
                return False
            return True

        return present

    def _configuration(self) -> Expression:
        """``Object.metadata{annotations: …}``: a part of an object, by the names of its fields."""
        while self._took("."):
            self._name()
        self._expect("{")
        return self._map(self._field_name)

    def _field_name(self) -> Expression:
        return _constant(self._name())

    def _map(self, key: Callable[[], Expression]) -> Expression:
        entries: list[tuple[Expression, Expression]] = []
        while not self._took("}"):
            name = key()
            self._expect(":")
            entries.append((name, self._choice()))
            if not self._took(","):
                self._expect("}")
                break
        return lambda given: {name(given): value(given) for name, value in entries}

    def _list(self, end: str, *, least: int = 0, most: int = 1000) -> list[Expression]:
        items: list[Expression] = []
        while not self._took(end):
            items.append(self._choice())
            if not self._took(","):
                self._expect(end)
                break
        if not least <= len(items) <= most:
            raise ReadingError(f"found no matching overload for {len(items)} arguments")
        return items

    def _name(self) -> str:
        kind, token = self._tokens[self._at]
        if kind != "name":
            raise ReadingError(f"Syntax error: expecting a name instead of {token!r}")
        self._at += 1
        return token

    def _took(self, sign: str) -> bool:
        took = self._tokens[self._at] == ("sign", sign)
        self._at += took
        return took

    def _expect(self, sign: str) -> None:
        if not self._took(sign):
            raise ReadingError(f"Syntax error: expecting {sign!r} instead of {self._tokens[self._at][1]!r}")


class _AbsentError(EvaluationError):
    """A field is not there; ``last`` is the expression that asked for it."""

    def __init__(self, name: str, last: Expression) -> None:
        super().__init__(f"no such key: {name}")
        self.last = last


def _constant(value: Any) -> Expression:
    return lambda _: value


def _variable(name: str) -> Expression:
    def value(given: Mapping[str, Any]) -> Any:
        if name not in given:
            raise EvaluationError(f"undeclared reference to {name!r}")
        return given[name]

    return value


def _field(subject: Expression, name: str) -> Expression:
    def value(given: Mapping[str, Any]) -> Any:
        whole = subject(given)
        if not isinstance(whole, Mapping):
            raise EvaluationError(f"no such overload: {name} of {type(whole).__name__}")
        if name not in whole:
            raise _AbsentError(name, value)
        return whole[name]

    return value


def _item(subject: Expression, key: Expression) -> Expression:
    def value(given: Mapping[str, Any]) -> Any:
        try:
            return subject(given)[key(given)]
        except (LookupError, TypeError) as error:
            raise EvaluationError(f"no such key: {error}") from error

    return value


def _applied(function: Callable[[Any, Any], Any], left: Expression, right: Expression) -> Expression:
    def value(given: Mapping[str, Any]) -> Any:
        try:
            return function(left(given), right(given))
        except (TypeError, AttributeError) as error:
            raise EvaluationError(f"no such overload: {error}") from error

    return value


def _joined(left: Expression, right: Expression, *, decisive: bool) -> Expression:
    """``||`` is decided by true and ``&&`` by false, on either side, whatever is wrong with the other."""

    def value(given: Mapping[str, Any]) -> bool:
        try:
            first = _truth(left(given))
        except EvaluationError:
            if _truth(right(given)) is decisive:
                return decisive
            raise
        return decisive if first is decisive else _truth(right(given))

    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError(f"no such overload: {type(value).__name__} is no bool")
    return value


def _size(value: Any) -> int:
    if not isinstance(value, str | list | Mapping):
        raise EvaluationError(f"no such overload: size({type(value).__name__})")
    return len(value)
