"""Sans-IO: from the table of a check to its settings, and from its verdict to a finding and a status row."""

from collections.abc import Sequence

from haagent.config import VirtualRouterConfig
from haagent.config.checks import CheckConfig, FileCheck, GatewayCheck, When, runs_when
from haagent.health.check import Check, CheckSettings, Verdict
from haagent.health.weights import Finding


def check_settings(config: CheckConfig, when: When) -> CheckSettings:
    """How the results of this check count."""
    return CheckSettings(
        name=config.name,
        interval=config.interval,
        timeout=config.timeout,
        rise=config.rise,
        fall=config.fall,
        window=config.window,
        window_failures=config.window_failures,
        init=Verdict(config.init),
        hold=config.hold,
        patient=when != "always",
    )


def first_findings(
    checks: Sequence[CheckConfig], routers: Sequence[VirtualRouterConfig]
) -> tuple[Finding, ...]:
    """What is known before anything has run."""
    roles = [(one, runs_when(one, routers)) for one in checks]
    return tuple(finding(one, Check(check_settings(one, when)), when) for one, when in roles)


def finding(config: CheckConfig, check: Check, when: When) -> Finding:
    """What the check says now."""
    holds = isinstance(config, GatewayCheck) and not config.claim_when_unreachable
    return Finding(
        check=config.name,
        verdict=check.verdict,
        weight=config.weight,
        routers=config.routers,
        reason=check.reason,
        value=check.value,
        by_content=isinstance(config, FileCheck) and config.weigh_content,
        idle=when != "always",
        isolated=holds and (check.failing or check.verdict is Verdict.DOWN),
    )


def row(config: CheckConfig, check: Check, when: When, now: float) -> dict[str, object]:
    """What status shows of one check; times in seconds, ago and ahead."""
    last = check.last
    return {
        "name": config.name,
        "kind": config.__struct_config__.tag,
        "verdict": check.verdict.value,
        "reason": check.reason,
        "weight": config.weight,
        "routers": list(config.routers),
        "when": when,
        "suspended": check.suspended,
        "last": None if last is None else {"good": last.good, "reason": last.reason, "value": last.value},
        "last_ago": _since(check.last_at, now),
        "duration_ms": None if check.took is None else round(check.took * 1000, 3),
        "streak": check.streak,
        "next_run": None if check.next_run is None else round(max(0.0, check.next_run - now), 3),
        "runs": check.runs,
        "failures": check.failures,
        "timeouts": check.timeouts,
    }


def _since(at: float | None, now: float) -> float | None:
    return None if at is None else round(now - at, 3)
