"""A rate for each of a bounded number of keys, and whose request it is behind proxies."""

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from sidecar.http.address import client_address
from sidecar.http.quotas import KEYS_MAX, Quotas


def test_a_key_has_its_quota_and_gets_it_back_with_time() -> None:
    """Three at once, and one more per second, on both sides of the second."""
    now_s = [100.0]
    quotas = Quotas(at_once=3, per_s=1.0, now_s=lambda: now_s[0])
    assert [quotas.takes("a") for _ in range(4)] == [True, True, True, False]
    assert quotas.takes("b")
    now_s[0] += 0.999
    assert not quotas.takes("a")
    now_s[0] += 0.001
    assert quotas.takes("a")
    assert not quotas.takes("a")
    now_s[0] += 3600
    assert [quotas.takes("a") for _ in range(4)] == [True, True, True, False]


def test_those_not_seen_for_longest_are_forgotten() -> None:
    """A million addresses must not cost a million entries."""
    quotas = Quotas(at_once=1, per_s=0.001)
    for number in range(KEYS_MAX + 10):
        quotas.takes(str(number))
    assert len(quotas._buckets) == KEYS_MAX
    assert quotas.takes("0"), "forgotten, and so with all its quota"
    assert not quotas.takes(str(KEYS_MAX + 9))


# fmt: off
ADDRESSES = [
    # who connects, X-Forwarded-For,                         proxies, whose it is
    ("192.0.2.1",   [],                                      0,       "192.0.2.1"),
    ("192.0.2.1",   ["203.0.113.9"],                         0,       "192.0.2.1"),
    ("192.0.2.1",   ["203.0.113.9"],                         1,       "203.0.113.9"),
    ("192.0.2.1",   ["198.51.100.1, 203.0.113.9"],           1,       "203.0.113.9"),
    ("192.0.2.1",   ["198.51.100.1, 203.0.113.9"],           2,       "198.51.100.1"),
    ("192.0.2.1",   ["198.51.100.1", "203.0.113.9"],         1,       "203.0.113.9"),
    ("192.0.2.1",   ["203.0.113.9"],                         2,       "192.0.2.1"),
    ("192.0.2.1",   ["garbage"],                             1,       "unknown"),
    ("192.0.2.1",   ["198.51.100.1, 203.0.113.9:50112"],     1,       "203.0.113.9"),
    ("192.0.2.1",   ["[2001:db8:1:2:3:4:5:6]:50112"],        1,       "2001:db8:1:2::/64"),
    ("192.0.2.1",   ["[2001:db8:1:2:3:4:5:6]"],              1,       "2001:db8:1:2::/64"),
    ("192.0.2.1",   ["203.0.113.9:1:2"],                     1,       "unknown"),
    ("192.0.2.1",   ["[", "]:1"],                            1,       "unknown"),
    ("192.0.2.1",   [" , "],                                 1,       "unknown"),
    ("fe80::1%eth0", [],                                     0,       "fe80::/64"),
    ("2001:db8:1:2:3:4:5:6", [],                             0,       "2001:db8:1:2::/64"),
    ("::ffff:192.0.2.1", [],                                 0,       "192.0.2.1"),
]
# fmt: on


@pytest.mark.parametrize(("remote", "forwarded", "proxies", "address"), ADDRESSES)
def test_a_proxy_is_believed_only_as_far_as_there_are_proxies(
    remote: str, forwarded: list[str], proxies: int, address: str
) -> None:
    """What a client wrote itself must not give it a new address with every request."""
    transport: Any = type("Transport", (), {"get_extra_info": lambda _self, _name, _default=None: (remote, 1)})()
    headers: Any = [("X-Forwarded-For", value) for value in forwarded]
    request = make_mocked_request("POST", "/acks", headers=headers, transport=transport)
    assert client_address(request, proxies) == address
