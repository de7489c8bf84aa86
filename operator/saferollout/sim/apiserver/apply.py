"""Server-side apply: merge what a manager wants, refuse what others own, drop what it no longer wants."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from saferollout.sim.apiserver.fields import Fields, item_step, member_step, owned_values, readable
from saferollout.sim.apiserver.ownership import Manager, Ownership
from saferollout.sim.apiserver.shapes import Shape
from saferollout.sim.errors import ApiError
from saferollout.sim.store import Object


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of an apply: the object, and who owns what of it."""

    object: Object
    ownership: Ownership


@dataclass(frozen=True, slots=True)
class Application:
    """One manager's apply configuration, and what it is applied to.

    ``force`` takes fields over that others own with another value.
    """

    manager: Manager
    wanted: Object
    shape: Shape
    now: str
    force: bool

    def onto(self, live: Object) -> Applied:
        """Apply to ``live``, which is left as it is.

        Raises:
            ApiError: ``Conflict``, somebody else owns a field and wants it otherwise.
        """
        ownership = Ownership.read(live)
        wanted = owned_values(self.wanted, self.shape)
        fields = frozenset(wanted)
        there = owned_values(live, self.shape)
        changed = frozenset(path for path, value in wanted.items() if there.get(path, there) != value)
        if contested := changed & ownership.of_others(self.manager):
            if not self.force:
                raise _conflicts(self.manager, ownership, contested)
            ownership = ownership.taken_over(self.manager, contested)
        result = merged(live, self.wanted, self.shape)
        dropped = ownership.of(self.manager) - fields
        if dropped:
            result = _without(result, dropped, ownership.of_others(self.manager) | fields, self.shape)
        if not changed and not dropped and fields == ownership.of(self.manager):
            return Applied(result, ownership)
        return Applied(result, ownership.owning(self.manager, fields, self.now))


def _conflicts(manager: Manager, ownership: Ownership, contested: Fields) -> ApiError:
    found = {
        owner.quoted: [readable(path) for path in sorted(owned & contested)]
        for owner, owned in ownership.fields.items()
        if owner != manager and owned & contested
    }
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": field}
        for owner, fields in found.items()
        for field in fields
    ]
    if len(causes) == 1:
        said = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        listed = (f"conflicts with {owner}:\n- " + "\n- ".join(found[owner]) for owner in sorted(found))
        said = f"{len(causes)} conflicts: " + "\n".join(listed)
    return ApiError(HTTPStatus.CONFLICT, "Conflict", f"Apply failed with {said}", {"causes": causes})


def merged(live: Any, wanted: Any, shape: Shape) -> Any:
    """Lay ``wanted`` over ``live``, list items by their keys."""
    if isinstance(wanted, dict) and isinstance(live, dict) and not shape.atomic:
        laid = {
            name: merged(live.get(name), value, shape.member(name))
            for name, value in wanted.items()
            if value is not None
        }
        return live | laid
    if isinstance(wanted, list) and wanted and isinstance(live, list):
        if shape.is_set:
            return [*live, *(each for each in wanted if each not in live)]
        if keys := shape.keys(wanted[0]):
            laid_out = {item_step(each, keys): each for each in live}
            for each in wanted:
                step = item_step(each, keys)
                laid_out[step] = merged(laid_out.get(step), each, shape.element())
            return list(laid_out.values())
    return wanted


def _without(live: Any, dropped: Fields, kept: Fields, shape: Shape) -> Any:
    """Take out what is dropped and kept by nobody. What becomes empty by it goes too."""
    if isinstance(live, dict):
        remaining: dict[str, Any] = {}
        for name, value in live.items():
            left = _after(value, f"f:{name}", dropped, kept, shape.member(name))
            if left is not _GONE:
                remaining[name] = left
        return remaining
    if isinstance(live, list):
        return _items_without(live, dropped, kept, shape)
    return live


_GONE = object()


def _items_without(live: list[Any], dropped: Fields, kept: Fields, shape: Shape) -> list[Any]:
    if shape.is_set:
        steps = [member_step(each) for each in live]
    elif live and (keys := shape.keys(live[0])):
        steps = [item_step(each, keys) for each in live]
    else:
        return live
    after = (
        _after(each, step, dropped, kept, shape.element()) for each, step in zip(live, steps, strict=True)
    )
    return [each for each in after if each is not _GONE]


def _after(value: Any, step: str, dropped: Fields, kept: Fields, shape: Shape) -> Any:
    """Return what is left of the value that ``step`` leads to, ``_GONE`` if nothing."""
    ending, keeping = _below(dropped, step), _below(kept, step)
    if not ending:
        return value
    if () in ending and not keeping:
        return _GONE
    left = _without(value, ending, keeping, shape)
    return left if left or not value else _GONE


def _below(fields: Fields, step: str) -> Fields:
    """Return the fields under ``step``, as paths from there; the empty one is the place itself."""
    return frozenset(path[1:] for path in fields if path[:1] == (step,))
