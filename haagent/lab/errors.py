"""Sans-IO: what can go wrong in the laboratory."""


class LabError(Exception):
    """The laboratory cannot do what was asked; the text says what is missing and what to do."""
