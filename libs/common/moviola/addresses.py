"""Which addresses belong to the internet, and which to this machine, its network or its cloud."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

# Not global though the standard library of some versions says so, or a cloud's service on a public address.
_REFUSED = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocol assignments; a cloud's metadata service is among them
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # Azure's own service, as seen from its machines
    )
)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def is_public(text: str) -> bool:
    """Whether an IP address is one that anybody on the internet may have.

    An IPv6 address that carries an IPv4 one (mapped, compatible, 6to4, NAT64, Teredo) is as public as that.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        carried = _carried(address)
        return _is_global(address) if carried is None else all(map(_is_global, carried))
    return _is_global(address)


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address.version == network.version and address in network for network in _REFUSED)
    )


def _carried(address: IPv6Address) -> tuple[IPv4Address, ...] | None:
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return None
