"""The alarms of a site. No metric is behind them: whoever plays a scene says what state they are in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from saferollout.sim.elbv2.config import Config
from saferollout.sim.timeline import Timeline

ACCOUNT = "123456789012"
REGION = "us-east-1"

REASONS = {
    "OK": "Threshold Crossed: 1 datapoint [0.0] was not greater than the threshold (1.0).",
    "ALARM": "Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (1.0).",
    "INSUFFICIENT_DATA": "Insufficient Data: 1 datapoint was unknown.",
}
"""What CloudWatch writes of a state when nothing else is told."""


class AlarmSetting(Config):
    """What an alarm is to be: a metric alarm, or a ``composite`` one, in a state and for a reason."""

    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"] = "OK"
    reason: str | None = Field(default=None, max_length=1023)
    composite: bool = False


class SimulatedAlarm:
    """An alarm, and since when it is in its state (epoch seconds)."""

    def __init__(self, name: str, setting: AlarmSetting, since: float) -> None:
        self.name = name
        self.setting = setting
        self.since = since

    @property
    def arn(self) -> str:
        """The ARN it has."""
        return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{self.name}"


class SimulatedAlarms:
    """The alarms by name."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._alarms: dict[str, SimulatedAlarm] = {}

    def put(self, name: str, setting: AlarmSetting) -> None:
        """Have an alarm of this name in this state. One that is in it already stays so since when it was."""
        before = self._alarms.get(name)
        since = self._timeline.now
        if before is not None and before.setting.state == setting.state:
            since = before.since
        self._alarms[name] = SimulatedAlarm(name, setting, since)

    def remove(self, name: str) -> None:
        """Have no alarm of this name."""
        self._alarms.pop(name, None)

    def all(self) -> list[SimulatedAlarm]:
        """Return all alarms, by name."""
        return [alarm for _, alarm in sorted(self._alarms.items())]
