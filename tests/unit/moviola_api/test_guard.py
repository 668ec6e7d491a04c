"""Which addresses are this machine's own."""

import pytest

from moviola.errors import Refused
from moviola.settings import Settings
from moviola_api.guard import is_loopback, refuse_open_host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "LOCALHOST", "localhost."])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.x.org", "", "127.0.0.1.x"])
def test_any_other_name_is_a_stranger(host: str) -> None:
    assert not is_loopback(host)


def test_an_address_that_others_can_reach_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match="MOVIOLA_TRUST_NETWORK=true"):
        refuse_open_host(Settings(host="0.0.0.0"), keys=False)


def test_a_private_network_may_be_trusted() -> None:
    refuse_open_host(Settings(host="0.0.0.0", trust_network=True), keys=False)


def test_keys_keep_strangers_out() -> None:
    refuse_open_host(Settings(host="0.0.0.0"), keys=True)
