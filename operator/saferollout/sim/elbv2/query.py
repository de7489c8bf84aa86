"""AWS's query protocol: form parameters in, XML out. Knows no operation."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"

Reply = Mapping[str, Any]
"""What an operation answers: members by their names, nested; a ``None`` is left out."""


class Fault(Exception):  # noqa: N818 - the protocol's own word for an error reply
    """An error reply. ``status`` is the HTTP status: below 500 the sender is to blame."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of one request."""

    parameters: Mapping[str, str]

    @property
    def action(self) -> str:
        """The operation asked for."""
        return self.parameters.get("Action", "")

    def text(self, name: str) -> str:
        """Return a required string.

        Raises:
            Fault: ``ValidationError`` if it is missing.
        """
        if not (value := self.parameters.get(name)):
            raise Fault("ValidationError", f"The request must contain the parameter {name}")
        return value

    def number(self, name: str, default: int) -> int:
        """Return an integer.

        Raises:
            Fault: ``ValidationError`` if it is something else.
        """
        value = self.parameters.get(name, str(default))
        if not re.fullmatch(r"\d+", value):
            raise Fault("ValidationError", f"'{value}' is not a valid value for {name}")
        return int(value)

    def texts(self, name: str) -> list[str]:
        """Return a list of strings: ``Names.member.1=…``."""
        found: list[str] = []
        while (value := self.parameters.get(f"{name}.member.{len(found) + 1}")) is not None:
            found.append(value)
        return found

    def queries(self, name: str) -> list[Query]:
        """Return a list of structures: ``Targets.member.1.Id=…``, each as a query of its own."""
        structures: dict[int, dict[str, str]] = {}
        for parameter, value in self.parameters.items():
            if match := re.fullmatch(rf"{name}\.member\.(\d+)\.(.+)", parameter):
                structures.setdefault(int(match[1]), {})[match[2]] = value
        return [Query(members) for _, members in sorted(structures.items())]


def reply_xml(action: str, reply: Reply, request_id: str) -> str:
    """Write the reply of an operation."""
    return (
        f'<{action}Response xmlns="{NAMESPACE}">{_element(f"{action}Result", reply)}'
        f"{_element('ResponseMetadata', {'RequestId': request_id})}</{action}Response>"
    )


def fault_xml(fault: Fault, request_id: str) -> str:
    """Write an error reply."""
    blamed = "Sender" if fault.status < 500 else "Receiver"
    error = {"Type": blamed, "Code": fault.code, "Message": fault.message}
    body = _element("Error", error) + _element("RequestId", request_id)
    return f'<ErrorResponse xmlns="{NAMESPACE}">{body}</ErrorResponse>'


def _element(name: str, value: Any) -> str:
    return f"<{name}>{_content(value)}</{name}>"


def _content(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(_element(name, each) for name, each in value.items() if each is not None)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(_element("member", each) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return html.escape(str(value), quote=False)
