"""What counts as one address."""

import pytest

from instar.base.addresses import site_of


@pytest.mark.parametrize(
    ("peer", "site"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::9", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("key_1", "key_1"),
    ],
)
def test_a_site_is_what_one_host_may_have(peer: str, site: str) -> None:
    assert site_of(peer) == site
