"""Sans-IO: the registrar: REGISTER into the location table, and the target set out of it."""

from sipcore.registrar.lookup import Target, target_set
from sipcore.registrar.save import Registrar, RegistrarSettings

__all__ = ["Registrar", "RegistrarSettings", "Target", "target_set"]
