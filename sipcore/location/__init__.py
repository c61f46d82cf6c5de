"""Sans-IO: where users are registered: the location table and its record on the replication channel."""

from sipcore.location.binding import AorRecord, Binding, Flag
from sipcore.location.replica import LocationReplica
from sipcore.location.table import LocationTable

__all__ = ["AorRecord", "Binding", "Flag", "LocationReplica", "LocationTable"]
