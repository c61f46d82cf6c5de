"""Sans-IO: whose certificate it is: RFC 5922 section 7, on certificates in the form of ssl.getpeercert().

Deviations: an address is accepted too, in a subjectAltName of its kind: peers are often named by it.
"""

from collections.abc import Mapping


def identities(certificate: Mapping[str, object]) -> tuple[str, ...]:
    """The domains that it speaks for (section 7.1): SIP URIs, else DNS names, else the common name."""
    names = certificate.get("subjectAltName")
    pairs = [pair for pair in names if isinstance(pair, tuple)] if isinstance(names, tuple) else []
    uris = [domain for kind, value in pairs if kind == "URI" and (domain := _domain_of(str(value)))]
    addresses = [str(value) for kind, value in pairs if kind == "IP Address"]
    if uris:
        return (*uris, *addresses)
    domains = [str(value).lower() for kind, value in pairs if kind == "DNS"]
    if not pairs:
        domains = _common_names(certificate)
    return (*domains, *addresses)


def is_identity_of(name: str, certificate: Mapping[str, object]) -> bool:
    """Section 7.2: equal but for case, and no wildcard matches."""
    return name.lower() in identities(certificate)


def _domain_of(uri: str) -> str:
    """Section 7.1: a SIP URI without a user part stands for its host."""
    scheme, _, host = uri.partition(":")
    return host.lower() if scheme.lower() == "sip" and host and not set("@;?:") & set(host) else ""


def _common_names(certificate: Mapping[str, object]) -> list[str]:
    subject = certificate.get("subject")
    return [
        str(value).lower()
        for relative in (subject if isinstance(subject, tuple) else ())
        for kind, value in relative
        if kind == "commonName"
    ]
