"""A health check without its clock: three failures in a row, and a run that never ends, make it fail."""

from haagent.health.check import Check, CheckEffect, CheckSettings, Result, StartRun, VerdictChanged

check = Check(CheckSettings(name="billing", interval=1.0, timeout=0.5, fall=3, rise=1))


def carry_out(effects: list[CheckEffect], now: float) -> None:
    """Probe when asked to; the first run is good, the next two are bad, the fourth hangs."""
    for effect in effects:
        if isinstance(effect, VerdictChanged):
            print(f"{now:g} s: {effect.old} -> {effect.new}: {effect.reason}")  # noqa: T201
        elif isinstance(effect, StartRun) and now < 3:
            good = now < 1
            carry_out(check.on_result(effect.number, Result(good, "well" if good else "refused"), now), now)


carry_out(check.on_startup(0.0), 0.0)
while (now := check.deadline) is not None and now < 5:
    carry_out(check.on_timer(now), now)
