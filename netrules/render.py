"""Sans-IO: rules as nft text. A table carries the digest of what it should hold, to compare by."""

import hashlib

from netrules.ruleset import NftSet, Ruleset, Table


def digest(table: Table) -> str:
    """A short name for exactly this content."""
    return hashlib.blake2b(_body(table).encode(), digest_size=6).hexdigest()


def comment(table: Table) -> str:
    """What the table's comment says."""
    return f"haagent {digest(table)}"


def add_table(table: Table) -> str:
    """The text that makes the table; an older one of that name is replaced in the same transaction."""
    whole = f'table {table.family} {table.name} {{\n  comment "{comment(table)}"\n{_body(table)}}}\n'
    return f"add table {table.family} {table.name}\ndelete table {table.family} {table.name}\n{whole}"


def delete_table(table: Table) -> str:
    """The text that removes the table."""
    return f"delete table {table.family} {table.name}\n"


def show(ruleset: Ruleset, lease_ms: int) -> str:
    """One transaction: nothing is hidden, and the lease runs for `lease_ms` from now."""
    return _unhide(ruleset) + _drop_lease(ruleset) + _add_lease(ruleset, lease_ms)


def hide(ruleset: Ruleset) -> str:
    """One transaction: everything is hidden, and there is no lease."""
    return _unhide(ruleset) + _add_hidden(ruleset) + _drop_lease(ruleset)


def refresh(ruleset: Ruleset, lease_ms: int) -> str:
    """One transaction that fails as a whole when the lease has run out before."""
    delete = "".join(
        f"delete element {_path(table, s)} {{ {e} }}\n"
        for table, s in _lease_sets(ruleset)
        for e in _elements(table, s)
    )
    return delete + _add_lease(ruleset, lease_ms)


def _body(table: Table) -> str:
    lines = []
    for s in table.sets:
        flags = " flags timeout;" if s.timeout else ""
        elements = f" elements = {{ {', '.join(s.elements)} }}" if s.elements else ""
        lines.append(f"  set {s.name} {{ {s.kind};{flags}{elements} }}")
    for chain in table.chains:
        lines.append(f"  chain {chain.name} {{ {chain.hook}")
        lines += [f"    {rule}" for rule in chain.rules]
        lines.append("  }")
    return "\n".join(lines) + "\n"


def _path(table: Table, s: NftSet) -> str:
    return f"{table.family} {table.name} {s.name}"


def _hidden_sets(ruleset: Ruleset) -> list[tuple[Table, NftSet]]:
    return [(t, s) for t in ruleset.tables if t.name == "haagent_hide" for s in t.sets]


def _lease_sets(ruleset: Ruleset) -> list[tuple[Table, NftSet]]:
    return [(t, s) for t in ruleset.tables if t.name == "haagent_lease" for s in t.sets if s.timeout]


def _elements(table: Table, lease_set: NftSet) -> tuple[str, ...]:
    name = lease_set.name.removeprefix("lease_")
    return next(s.elements for s in table.sets if s.name == name)


def _unhide(ruleset: Ruleset) -> str:
    return "".join(f"flush set {_path(t, s)}\n" for t, s in _hidden_sets(ruleset))


def _add_hidden(ruleset: Ruleset) -> str:
    return "".join(
        f"add element {_path(t, s)} {{ {', '.join(s.elements)} }}\n" for t, s in _hidden_sets(ruleset)
    )


def _drop_lease(ruleset: Ruleset) -> str:
    return "".join(f"flush set {_path(t, s)}\n" for t, s in _lease_sets(ruleset))


def _add_lease(ruleset: Ruleset, lease_ms: int) -> str:
    return "".join(
        f"add element {_path(t, s)} {{ {e} timeout {lease_ms}ms }}\n"
        for t, s in _lease_sets(ruleset)
        for e in _elements(t, s)
    )
