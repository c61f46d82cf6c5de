"""Sans-IO: the registrar: REGISTER into the location table (which is asked with LocationTable.find)."""

from sipcore.registrar.save import Answer, Registrar
from sipcore.registrar.settings import Matching, MaxContactsPolicy, PathMode, RegistrarSettings

__all__ = ["Answer", "Matching", "MaxContactsPolicy", "PathMode", "Registrar", "RegistrarSettings"]
