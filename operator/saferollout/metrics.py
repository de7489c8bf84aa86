"""What the operator counts. The questions put to ELBv2 are counted where they are put."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from saferollout.decide.memory import Exposure, Lost

DECISIONS = Counter("saferollout_decisions_total", "Decisions made, by their reason.", ["reason"])
MOVES = Counter("saferollout_moves_total", "Changes made to Deployments, by kind.", ["move"])
RETIRED = Counter(
    "saferollout_retired_pods_total", "Pods that rollouts retired and whose targets ELBv2 has let go of."
)
UNCHOSEN = Counter(
    "saferollout_unchosen_pods_total", "Pods that controllers retired in the place of those that were chosen."
)
LOST = Counter(
    "saferollout_lost_pods_total",
    "Pods that somebody else took in mid-rollout, by the reason of their condition DisruptionTarget.",
    ["by"],
)
EXPOSURE = Counter(
    "saferollout_exposure_seconds_total",
    "Seconds for which load balancers could still send to retired pods whose containers had ended.",
)
GUARD_QUESTIONS = Counter(
    "saferollout_guard_questions_total", "Dry runs that asked the API server whether a guard is in force."
)
ROLLOUTS = Gauge("saferollout_rollouts", "SafeRollouts that are being looked after.")
LEADER = Gauge("saferollout_leader", "1 for the operator that acts, 0 for one that stands by.")


def count_retired(before: Exposure, after: Exposure) -> None:
    """Add to the metrics what the status has more of than before; a new rollout begins at nothing."""
    begun = before if after.pods >= before.pods else Exposure()
    RETIRED.inc(after.pods - begun.pods)
    EXPOSURE.inc(max(0, after.seconds - begun.seconds))


def count_lost(before: Iterable[Lost], after: Iterable[Lost]) -> None:
    """Add to the metrics the pods that were lost since; a new rollout begins at none."""
    known = {each.by: each.pods for each in before}
    for each in after:
        LOST.labels(each.by).inc(max(0, each.pods - known.get(each.by, 0)))
