"""Refusals, worded as the API server words them: clients and people read the words."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from saferollout.sim.resources import Resource

STALE = "the object has been modified; please apply your changes to the latest version and try again"


class ApiError(Exception):
    """A refusal: HTTP ``status``, ``reason`` of the Status object, ``message``, and its ``details``."""

    def __init__(
        self, status: HTTPStatus, reason: str, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details or {}


def _about(resource: Resource, name: str) -> dict[str, Any]:
    return about(resource, name, resource.plural)


def about(resource: Resource, name: str, kind: str) -> dict[str, Any]:
    """Say what a refusal is about, without what is empty."""
    told = {"name": name, "group": resource.group, "kind": kind}
    return {part: value for part, value in told.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    """There is no such object."""
    message = f'{resource.key} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, _about(resource, name))


def not_served() -> ApiError:
    """There is no such type, or path."""
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str) -> ApiError:
    """The name is taken."""
    message = f'{resource.key} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, _about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """A precondition of the write does not hold."""
    message = f'Operation cannot be fulfilled on {resource.key} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, _about(resource, name))
