"""How each slot that is due ends, without IO: it fires, or it is missed and the reason says why."""

from typing import NamedTuple

from instar.base.clock import MICROS_PER_S, Micros
from instar.wire.limits import SCHEDULE_CATCH_UP_MAX, SCHEDULE_COUNT_MAX
from instar.wire.schedules import CatchUp

from .timing import Due


class Verdict(NamedTuple):
    """How one slot is to end."""

    at: Micros
    missed_for: str = ""
    """Why it is missed; empty: it fires."""

    @property
    def fires(self) -> bool:
        """Whether it fires."""
        return not self.missed_for


def judge(due: Due, *, now: Micros, since: Micros, catch_up: CatchUp, lateness_s: float) -> list[Verdict]:
    """Return how each slot ends, oldest first; the older ones of `due` end as one.

    Args:
        due: What is due.
        now: The time.
        since: Slots from here on are on time; those before passed while nobody looked, and `catch_up` decides on them.
        catch_up: What becomes of them.
        lateness_s: A slot that is later than this is missed, whatever `catch_up` says; 0: never too late.
    """
    verdicts = [Verdict(due.older_at, _too_many(due.older))] if due.older else []
    passed = [at for at in due.slots if at < since]
    for at in due.slots:
        late_s = (now - at) / MICROS_PER_S
        if lateness_s and late_s > lateness_s:
            verdicts.append(Verdict(at, f"found {late_s:.0f} s late, and `lateness_s` is {lateness_s:g}"))
        elif at < since and catch_up is CatchUp.SKIP:
            verdicts.append(Verdict(at, f"found {late_s:.0f} s late, and `catch_up` is skip"))
        elif at < since and catch_up is CatchUp.ONCE and at != passed[-1]:
            verdicts.append(
                Verdict(at, f"found {late_s:.0f} s late, and `catch_up` is once: a later slot stands for it")
            )
        else:
            verdicts.append(Verdict(at))
    return verdicts


def missed(due: Due, reason: str) -> list[Verdict]:
    """Return that every slot is missed for one reason."""
    older = [Verdict(due.older_at, _too_many(due.older))] if due.older else []
    return older + [Verdict(at, reason) for at in due.slots]


def _too_many(count: int) -> str:
    counted = f"{count:,}" if count <= SCHEDULE_COUNT_MAX else f"more than {SCHEDULE_COUNT_MAX:,}"
    return f"{counted} slots up to this one passed: only the latest {SCHEDULE_CATCH_UP_MAX:,} are looked at one by one"
