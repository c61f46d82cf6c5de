"""Sans-IO: the status that the API and `haagent status` show, from the config and the guard's report."""

import msgspec

from haagent.config import AgentConfig, VirtualRouterConfig
from haagent.pipe import Buckets, PeerReport, Report, RouterReport


def view(
    config: AgentConfig,
    report: Report | None,
    *,
    epoch: int,
    guard_pid: int | None,
    core: dict[str, object] | None,
) -> dict[str, object]:
    """One flat picture; without a report the node is INIT."""
    reports = {router.name: router for router in report.routers} if report else {}
    return {
        "node": config.node,
        "role": report.role if report else "INIT",
        "epoch": report.epoch if report else epoch,
        "reason": report.reason if report else "the guard does not run",
        "routers": [_router(router, reports.get(router.name)) for router in config.virtual_router],
        "peer": _peer(config, report),
        "core": core,
        "pause": msgspec.to_builtins(report.pause) if report else None,
        "realtime": report.realtime if report else {},
        "guard_pid": guard_pid,
    }


def priorities(config: AgentConfig, report: Report | None) -> dict[str, int]:
    """The effective priority of each virtual router, as far as the guard has told it."""
    told = {router.name: router.effective_priority for router in report.routers} if report else {}
    return {router.name: told.get(router.name, router.priority) for router in config.virtual_router}


def _router(config: VirtualRouterConfig, report: RouterReport | None) -> dict[str, object]:
    return {
        "name": config.name,
        "vrid": config.vrid,
        "interface": config.interface,
        "strategy": config.strategy,
        "state": report.state if report else "INITIALIZE",
        "priority": config.priority,
        "effective_priority": report.effective_priority if report else config.priority,
        "advert_interval": float(config.advert_interval),
        "vips": [str(vip) for vip in config.vips],
        "vips_present": report.vips_present if report else False,
        "lease": float(config.lease) or "off",
        "counters": report.counters if report else {},
        "jitter": {"sent": _buckets(report.sent), "heard": _buckets(report.heard)} if report else None,
    }


def _peer(config: AgentConfig, report: Report | None) -> object:
    if config.peer is None:
        return None
    if report is None or report.peer is None:
        return msgspec.to_builtins(
            PeerReport(connected=False, role=None, epoch=None, ready=None, rtt_ms=None)
        )
    return msgspec.to_builtins(report.peer)


def _buckets(buckets: Buckets) -> dict[str, object]:
    return {"counts": buckets.counts, "total_s": round(buckets.total, 6)}
