"""Sans-IO: rules as nft text. Each rule carries the digest of its table, to compare by."""

import hashlib

from netrules.ruleset import HIDE, LEASE, NftSet, Ruleset, Table


def digest(table: Table) -> str:
    """A short name for exactly this content."""
    return hashlib.blake2b(_body(table, "").encode(), digest_size=6).hexdigest()


def comment(table: Table) -> str:
    """What each rule's comment says."""
    return f"haagent {digest(table)}"


def add_table(table: Table) -> str:
    """The text that makes the table; an older one of that name is replaced in the same transaction."""
    body = _body(table, f' comment "{comment(table)}"')
    return f"add table {table.path}\ndelete table {table.path}\ntable {table.path} {{\n{body}}}\n"


def show(ruleset: Ruleset, lease_ms: int) -> str:
    """One transaction: nothing is hidden, and the lease runs for `lease_ms` from now."""
    return _unhide(ruleset) + _drop_lease(ruleset) + _add_lease(ruleset, lease_ms)


def hide(ruleset: Ruleset) -> str:
    """One transaction: everything is hidden, and there is no lease."""
    return _unhide(ruleset) + _add_hidden(ruleset) + _drop_lease(ruleset)


def refresh(ruleset: Ruleset, lease_ms: int) -> str:
    """One transaction that fails as a whole when the lease has run out before."""
    delete = "".join(f"delete element {path} {{ {', '.join(of)} }}\n" for path, of in _leased(ruleset))
    return delete + _add_lease(ruleset, lease_ms)


def replace(old: Ruleset, new: Ruleset, lease_ms: int, *, shown: bool) -> str:
    """One transaction from one ruleset to another, shown (with a new lease) or hidden as before."""
    tables = {table.path: table for table in old.tables}
    wanted = {table.path for table in new.tables}
    gone = "".join(f"delete table {path}\n" for path in tables if path not in wanted)
    written = "".join(add_table(table) for table in new.tables if tables.get(table.path) != table)
    return gone + written + (show(new, lease_ms) if shown else hide(new))


def leases(table: Table) -> list[tuple[NftSet, NftSet]]:
    """Each set of VIPs with the set that holds their leases."""
    by_name = {s.name: s for s in table.sets}
    return [(by_name[s.name.removeprefix("lease_")], s) for s in table.sets if s.timeout]


def _body(table: Table, mark: str) -> str:
    lines = []
    for s in table.sets:
        flags = " flags timeout;" if s.timeout else ""
        elements = f" elements = {{ {', '.join(s.elements)} }}" if s.elements else ""
        lines.append(f"  set {s.name} {{ {s.kind};{flags}{elements} }}")
    for chain in table.chains:
        lines.append(f"  chain {chain.name} {{ {chain.hook}")
        lines += [f"    {rule}{mark}" for rule in chain.rules]
        lines.append("  }")
    return "\n".join(lines) + "\n"


def _path(table: Table, s: NftSet) -> str:
    return f"{table.path} {s.name}"


def _hidden_sets(ruleset: Ruleset) -> list[tuple[Table, NftSet]]:
    return [(t, s) for t in ruleset.tables if t.kind == HIDE for s in t.sets]


def _unhide(ruleset: Ruleset) -> str:
    return "".join(f"flush set {_path(t, s)}\n" for t, s in _hidden_sets(ruleset))


def _add_hidden(ruleset: Ruleset) -> str:
    return "".join(
        f"add element {_path(t, s)} {{ {', '.join(s.elements)} }}\n" for t, s in _hidden_sets(ruleset)
    )


def _drop_lease(ruleset: Ruleset) -> str:
    return "".join(
        f"flush set {_path(t, lease)}\n" for t in ruleset.tables if t.kind == LEASE for _, lease in leases(t)
    )


def _add_lease(ruleset: Ruleset, lease_ms: int) -> str:
    return "".join(
        f"add element {path} {{ {', '.join(f'{e} timeout {lease_ms}ms' for e in of)} }}\n"
        for path, of in _leased(ruleset)
    )


def _leased(ruleset: Ruleset) -> list[tuple[str, tuple[str, ...]]]:
    """Each set of leases with all of its elements: one command for them is read twice as fast as many."""
    tables = [table for table in ruleset.tables if table.kind == LEASE]
    return [(_path(t, lease), vips.elements) for t in tables for vips, lease in leases(t) if vips.elements]
