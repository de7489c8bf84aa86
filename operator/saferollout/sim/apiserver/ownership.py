"""Who owns which field: ``metadata.managedFields``, read, changed and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from saferollout.sim.apiserver.fields import Fields, owned_values, read_fields, write_fields
from saferollout.sim.apiserver.shapes import Shape
from saferollout.sim.store import Object

_NOTHING: Fields = frozenset()


@dataclass(frozen=True, slots=True)
class Manager:
    """A field manager, as ``managedFields`` tells them apart."""

    name: str
    operation: Literal["Apply", "Update"]
    api_version: str
    subresource: str = ""

    @property
    def quoted(self) -> str:
        """The manager as a conflict names it."""
        subresource = f' with subresource "{self.subresource}"' if self.subresource else ""
        version = f" using {self.api_version}" if self.operation == "Update" else ""
        return f'"{self.name}"{subresource}{version}'


@dataclass(frozen=True, slots=True)
class Ownership:
    """The fields of one object by manager, and when each manager last changed them (RFC 3339)."""

    fields: dict[Manager, Fields]
    times: dict[Manager, str]

    @classmethod
    def read(cls, obj: Object) -> Ownership:
        """Read ``metadata.managedFields``."""
        fields: dict[Manager, Fields] = {}
        times: dict[Manager, str] = {}
        for entry in obj["metadata"].get("managedFields") or ():
            if not entry:
                continue  # how a client says that it wants them forgotten: [{}]
            manager = Manager(
                entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", "")
            )
            fields[manager] = read_fields(entry["fieldsV1"])
            times[manager] = entry["time"]
        return cls(fields, times)

    def write(self) -> list[dict[str, Any]]:
        """Write ``metadata.managedFields``, oldest first."""
        return [
            {
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": manager.api_version,
                "time": self.times[manager],
                "fieldsType": "FieldsV1",
                "fieldsV1": write_fields(self.fields[manager]),
                **({"subresource": manager.subresource} if manager.subresource else {}),
            }
            for manager in sorted(self.fields, key=lambda each: (self.times[each], each.name, each.operation))
        ]

    def of(self, manager: Manager) -> Fields:
        """Return what ``manager`` owns."""
        return self.fields.get(manager, _NOTHING)

    def of_others(self, manager: Manager) -> Fields:
        """Return what anybody but ``manager`` owns."""
        return _NOTHING.union(*(owned for each, owned in self.fields.items() if each != manager))

    def taken_over(self, manager: Manager, fields: Fields) -> Ownership:
        """Let nobody but ``manager`` own ``fields``."""
        remaining = {
            each: owned if each == manager else owned - fields for each, owned in self.fields.items()
        }
        return Ownership({each: owned for each, owned in remaining.items() if owned}, self.times)

    def owning(self, manager: Manager, fields: Fields, now: str) -> Ownership:
        """Let ``manager`` own ``fields`` and no others, since ``now``."""
        others = {each: owned for each, owned in self.fields.items() if each != manager}
        own = {manager: fields} if fields else {}
        return Ownership(others | own, self.times | {manager: now})

    def updated(self, manager: Manager, old: Object | None, new: Object, shape: Shape, now: str) -> Ownership:
        """Follow an ordinary write: the writer owns what it set, nobody owns what is gone."""
        was = old or {}
        differing = [name for name in was.keys() | new.keys() if was.get(name) != new.get(name)]
        before = owned_values({name: was[name] for name in differing if name in was}, shape)
        after = owned_values({name: new[name] for name in differing if name in new}, shape)
        set_now = frozenset(
            path for path, value in after.items() if path not in before or before[path] != value
        )
        gone = frozenset(before.keys() - after.keys())
        if not set_now and not gone:
            return self
        following = self.taken_over(manager, set_now | gone)
        return following.owning(manager, (following.of(manager) | set_now) - gone, now)
