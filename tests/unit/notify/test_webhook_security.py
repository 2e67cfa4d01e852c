"""Webhooks: where they may go to, and how they are signed."""

import base64
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from batch_gateway.core.notify.webhook_security import (
    ForbiddenUrlError,
    Target,
    is_public,
    new_secret,
    read_secret,
    read_url,
    signed_headers,
)

EVIL_URLS = [
    # not https
    *("http://hooks.example.com/", "ftp://hooks.example.com/", "//hooks.example.com/", "hooks.example.com"),
    "",
    *("file:///etc/passwd", "gopher://hooks.example.com/", "https:hooks.example.com", "https:/hooks.example"),
    # this machine and this network, by name
    *("https://localhost/", "https://localhost./", "https://LOCALHOST/", "https://metadata/", "https://a/"),
    # addresses in every notation that some resolver takes
    *("https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0/"),
    *("https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://0x7f.1/", "https://017700000001/"),
    *("https://127.0.0.1./", "https://169.254.169.254/computeMetadata/v1/", "https://8.8.8.8/"),
    *("https://1.2.3.0x4/", "https://a.b.0x7f/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::]/"),
    *("https://[fe80::1%25eth0]/", "https://[2001:4860:4860::8888]/", "https://[v1.a]/", "https://[::1/"),
    # who is meant?
    *("https://good.example@127.0.0.1/", "https://u:p@hooks.example.com/", "https://@hooks.example.com/"),
    *("https://hooks.example.com\\@127.0.0.1/", "https://hooks.example.com\\.evil.example/"),
    "https://127.0.0.1#@hooks.example.com/",
    # other scripts: digits, dots and slashes that turn into ASCII later
    *("https://①②⑦.⓪.⓪.①/", "https://hooks。example。com/", "https://bücher.example/", "https://ⓛocalhost/"),
    *("https://hooks.example.com\u2044@evil.example/", "https://hooks.example.com/ä"),
    # what would bend the request
    *("https://hooks.example.com/a b", "https://hooks.example.com/\r\nHost: x", "https://hooks.example.com/\0"),
    *(" https://hooks.example.com/", "https://hooks.exam\tple.com/", "https://hooks.example.com\n/"),
    # ports of other services
    *(f"https://hooks.example.com:{port}/" for port in (0, 1, 22, 25, 80, 444, 1023, 65536, -1, "x")),
    "https://hooks.example.com:\uff14\uff14\uff13/",
    # no names
    *("https:///", "https://.example.com/", "https://a..example/", "https://-a.example/", "https://a_b.example/"),
    *("https://hooks.example.com./", "https://a-.example/", f"https://{'a' * 64}.example/", "https://*.example/"),
    *(f"https://{'a.' * 130}example/", f"https://hooks.example.com/{'a' * 2048}", "https://a.b,c.example/"),
    *("https://%31%32%37.0.0.1/", "https://127%2e0.0.1/", "https://hooks.example.com%00.evil.example/"),
]  # fmt: skip


def _target(host, port, path):
    return Target(secure=True, host=host, port=port, path=path)


@pytest.mark.parametrize("url", EVIL_URLS)
def test_a_url_that_is_not_of_the_public_internet_is_refused(url):
    with pytest.raises(ForbiddenUrlError) as refused:
        read_url(url)
    assert len(url) < 12 or url not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://hooks.example.com", _target("hooks.example.com", 443, "/"), "hooks.example.com"),
        ("https://hooks.example.com?", _target("hooks.example.com", 443, "/"), "hooks.example.com"),
        (
            "HTTPS://Hooks.Example.COM:443/A/b?c=D&e",
            _target("hooks.example.com", 443, "/A/b?c=D&e"),
            "hooks.example.com",
        ),
        (
            "https://xn--bcher-kva.example:8443/%C3%A4?x#part",
            _target("xn--bcher-kva.example", 8443, "/%C3%A4?x"),
            "xn--bcher-kva.example:8443",
        ),
    ],
)
def test_a_url_of_the_public_internet_is_taken_apart(url, target, authority):
    assert read_url(url) == target
    assert target.authority == authority


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://127.0.0.1:8081/x", "127.0.0.1:8081"),
        ("http://localhost/x", "localhost"),
        ("http://[::1]:8081/x", "[::1]:8081"),
        ("https://127.0.0.1:8081/x", "127.0.0.1:8081"),
    ],
)
def test_this_machine_is_fine_where_that_is_switched_on(url, authority):
    assert read_url(url, allow_private=True).authority == authority
    with pytest.raises(ForbiddenUrlError):
        read_url(url)


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "http://10.0.0.1/", "https://10.0.0.1/", "http://localhost:22/"]
)
def test_nothing_else_is_then(url):
    with pytest.raises(ForbiddenUrlError):
        read_url(url, allow_private=True)


@given(st.text() | st.from_regex(r"https?://[\w.:@\[\]%\\/-]{0,40}"))
def test_any_text_is_a_target_or_refused(url):
    try:
        target = read_url(url)
    except ForbiddenUrlError:
        return
    assert target.secure
    assert target.host.isascii()
    assert target.path.startswith("/")
    assert not set(target.path + target.host) & set(" \r\n\t")


@pytest.mark.parametrize(
    "address",
    [
        *("0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
        *("172.31.0.1", "192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.19.0.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "224.0.1.1", "239.255.255.255"),
        *("240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
        "::ffff:0:7f00:1",
        *("64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b:1::808:808"),
        *("2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:4136:e378::1", "2001:db8::1", "3fff::1"),
        *("fe80::1", "fe80::1%eth0", "2a00:1450::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1"),
        *("ff02::1", "ff0e::1", "100::1", "4000::1", "", "localhost", "127.1", "0x7f000001", "2130706433"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_told(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2a00:1450:4001:82b::200e", "2001:4860:4860::8888", "::ffff:8.8.8.8",
     "64:ff9b::8.8.8.8"],
)  # fmt: skip
def test_a_public_address_is_told(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_a_v4_address_in_a_v6_one_is_what_it_is(address):
    number = int(IPv4Address(address))
    assert is_public(str(IPv6Address((0xFFFF << 32) + number))) == is_public(str(address))
    assert is_public(str(IPv6Address((0x64FF9B << 96) + number))) == is_public(str(address))


@given(st.ip_addresses())
def test_no_public_address_is_what_python_calls_private_or_multicast(address):
    assume(is_public(str(address)))
    assert address.is_global
    assert not address.is_multicast
    # Python calls all of ::/8 reserved, and with it the IPv4 addresses that are written in IPv6's form.
    assert not address.is_reserved or address in ip_network("::/8")


# The vector that the libraries of github.com/standard-webhooks/standard-webhooks all carry in their tests.
VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
VECTOR_TIME = datetime.fromtimestamp(1614265330, UTC)
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_of_the_public_vector():
    assert signed_headers(VECTOR_SECRET, VECTOR_ID, VECTOR_TIME, VECTOR_BODY) == {
        "webhook-id": VECTOR_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": VECTOR_SIGNATURE,
    }


@given(st.binary(min_size=24, max_size=64), st.text())
def test_the_public_library_takes_our_signatures(raw, text):
    secret, body = "whsec_" + base64.b64encode(raw).decode(), text.encode(errors="replace")
    headers = dict(signed_headers(secret, "evt_1", datetime.now(UTC), body))
    Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, {**headers, "webhook-id": "evt_2"}, json_parse=False)


def test_a_new_secret_is_one_and_another_each_time():
    assert len(read_secret(new_secret())) == 32
    assert new_secret() != new_secret()


@pytest.mark.parametrize("size", [24, 25, 26, 63, 64])
def test_a_secret_may_lack_its_padding(size):
    raw = bytes(range(size))
    assert read_secret("whsec_" + base64.b64encode(raw).decode().rstrip("=")) == raw


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        base64.b64encode(bytes(32)).decode(),
        "whsk_" + base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode() + "=",
        "whsec_!" + base64.b64encode(bytes(32)).decode(),
        "whsec_" + "é" * 40,
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(secret):
    with pytest.raises(ValueError, match="24 to 64 bytes") as refused:
        read_secret(secret)
    assert len(secret) < 8 or secret not in str(refused.value)
