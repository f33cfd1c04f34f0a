"""Addresses that are none or lead astray, and servers that misbehave."""

import gzip
import random
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from hugginggpt.addresses import shown
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, MediaError
from hugginggpt.media import load_file
from hugginggpt.media.fetch import Fetched, fetch
from hugginggpt.settings import Settings
from tests.fuzz.case import Case
from tests.fuzz.material import CHARACTERS, changed, characters, picked, pumped, raw, value
from tests.fuzz.media import picture
from tests.fuzz.site import Answer, Site

SECONDS = 2.0
PATIENCE = 8.0
"""Seconds of wall clock for a fetch that may take `SECONDS`: a busy machine may add some."""

HOSTS = (
    "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.1",
    "127.0.1", "0", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "127.0.0.1.", "1.2.3.4.5",
    "256.1.1.1", "[::]", "[::1", "::1", "[fe80::1%25lo]", "[fe80::1%lo]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fd00::1]", "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1",
    "192.0.0.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "[3fff::1]", "[ff02::1]",
    "[2001:db8::1]", "[100::1]", "[::ffff:0:127.0.0.1]", "[fec0::1]", "[v1.x]", "①②⑦.⓪.⓪.①", "127。0。0。1", "xn--a",
    "xn--", "xn--zz--", "ß.invalid", "a..invalid", ".", "..", "a" * 64 + ".invalid", "a." * 130 + "invalid", "-",
    "-a.invalid", "a_b.invalid", "%31%32%37.0.0.1", "h%00.invalid", "h\x00.invalid", "h .invalid", "h\r\nHost: x",
    "ｌｏｃａｌｈｏｓｔ",
    "", "\ud800", "\u202elocalhost", "ip6-localhost", "host.invalid", "metadata.google.internal", "*",
    "[]", "[", "]", "[::1]]", "é" * 300,
)  # fmt: skip
PORTS = (
    "", "", "", ":", ":0", ":1", ":-1", ":65535", ":65536", ":99999", ":x", ":08", ": 80", ":80:80", ":1e3", ":٨٠",
    ":+80", ":" + "9" * 5000,
)  # fmt: skip
USERS = ("", "", "", "", "", "", "a@", "a:b@", "@", ":@", "a:b:c@d@", "%40@", "127.0.0.1@", "\x00@")
SCHEMES = (
    "http://", "http://", "http://", "https://", "HTTP://", "http:/", "http:", "http:///", "http:\\\\", "//",
    "ftp://", "file://", "gopher://", "hTtP://", "http+unix://", "javascript:", "data:", " http://", "http ://",
    "\x00http://", "",
)  # fmt: skip
PATHS = (
    "", "/", "/a.png", "/a%20b.png", "/%00", "/%2e%2e/%2e%2e/x.png", "/../../x", "/\x00", "/a\r\nX: y", "/é 中",
    "/\ud800", "/" + "a" * 70_000, "/%", "/%zz", "?", "?a=" + "b" * 70_000, "#x", "/%ff%fe.png", "/%e2%80%aegnp.exe",
    "/" + "%61" * 300 + ".png", "/;/a", "/\\a", "//a//",
)  # fmt: skip
STATUSES = (
    b"HTTP/1.1 200 OK", b"HTTP/1.0 200", b"HTTP/1.1 200 " + b"x" * 70_000, b"HTTP/1.1 200", b"HTTP/1.1  200 OK",
    b"HTTP/2 200", b"HTTP/0.9 200 OK", b"HTTP/1.1 099 x", b"HTTP/1.1 999 x", b"HTTP/1.1 1000 x", b"HTTP/1.1 -1 x",
    b"HTTP/1.1 204 No", b"HTTP/1.1 206 P", b"HTTP/1.1 304 N", b"HTTP/1.1 404 \xff\xfe\x00", b"HTTP/1.1 500 x",
    b"HTTP/1.1 101 Switching Protocols", b"ICY 200 OK", b"", b"\x00", b"220 smtp", b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 103 Early Hints", b"HTTP/1.1 302 Found", b"HTTP/1.1 301 x", b"HTTP/1.1 307 x",
)  # fmt: skip
HEADERS = (
    b"Content-Type: image/png", b"Content-Type: text/html; charset=utf-16", b"Content-Type: \xff", b"Content-Type:",
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: -1", b"Content-Length: 99999999999999999999",
    b"Content-Length: 5, 5", b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: \xb2",
    b"Content-Length: 1e3", b"Content-Length: +5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: x", b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: br",
    b"Content-Encoding: gzip, gzip", b"Content-Encoding: \xff", b"Content-Encoding: ,", b"Connection: close",
    b"Connection: upgrade", b"Set-Cookie: a=b", b"X: " + b"y" * 200_000, b"Location: /a", b"Location:",
    b"Location: \xff\xfe", b": x", b"no colon", b" folded: x", b"A: b\r\n folded", b"X\x00: y", b"X: \x00",
    b'Content-Disposition: attachment; filename="../../x.png"',
    b"Content-Disposition: attachment; filename*=UTF-8''%ff%fe.png",
    b"Content-Disposition: attachment; filename*=x'y'%zz",
    b"Content-Disposition: attachment; filename*=utf-99''a.png",
    b"Content-Disposition: attachment; filename*0=a; filename*1=b.png; filename*999999=c",
    b"Content-Disposition: " + b"a;" * 30_000, b"Content-Disposition: attachment; filename=" + b'"' * 20_000,
    b"Content-Disposition: attachment; filename=\xe2\x80\xae.png", b"Content-Disposition: ;;;=",
    b"Content-Disposition: attachment; filename*=''", b"Content-Disposition: attachment; filename=con.png",
    b'Content-Disposition: attachment; filename="' + b"x" * 5000 + b'.png"',
    b"Content-Disposition: x; filename=" + b"\\" * 20_001,
    b"Content-Disposition: attachment; filename*0*=UTF-8''%ff; filename*1*=%fe.png",
    b"Content-Disposition: attachment; filename=\x01\x02",
)  # fmt: skip


def open_area(folder: Path) -> "Urls":
    """A server that misbehaves."""
    return Urls()


def address(rng: random.Random, port: int | None = None) -> str:
    """An address, with something odd in some of its parts."""
    at = f":{port}" if port and rng.random() < 0.7 else rng.choice(PORTS)
    url = rng.choice(SCHEMES) + rng.choice(USERS) + rng.choice(HOSTS) + at + rng.choice(PATHS)
    return changed(rng, url, CHARACTERS) if rng.random() < 0.1 else url


class Urls:
    """Makes addresses and answers."""

    def __init__(self) -> None:
        self._site = Site()
        self._strange = Settings()
        self._trusting = Settings(trusted_hosts=("127.0.0.1", "localhost"))

    def case(self, rng: random.Random) -> Case:
        """An address that nobody trusts, or a trusted one whose server misbehaves."""
        if rng.random() < 0.4:
            return self._stranger(rng)
        return self._misbehaving(rng)

    def _stranger(self, rng: random.Random) -> Case:
        url = address(rng, self._site.port)
        if rng.random() < 0.1:
            url = "http://" + pumped(rng, ("a", ".", "@", ":", "/", "[", "]", "%", "-", "é", "?", "#"), 100_000)

        def run() -> None:
            self._site.answers = {"": _ok(b"secret")}
            visits = self._site.visits
            try:
                raw(shown(url))
                if rng.random() < 0.3:
                    load_file(url, self._strange)
                else:
                    fetch(url, self._strange, seconds=SECONDS)
            finally:
                assert self._site.visits == visits, "a private address was asked"

        return Case("fetch of an address", url, run, (MediaError,), PATIENCE + 6)

    def _misbehaving(self, rng: random.Random) -> Case:
        makers: tuple[tuple[str, int, Callable[[], dict[str, Answer]]], ...] = (
            (
                "headers",
                10,
                lambda: {
                    "": Answer([_head(rng) + rng.choice((b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", picture("PNG")))])
                },
            ),
            ("name", 6, lambda: {"": _named(rng)}),
            ("redirect", 8, lambda: self._redirects(rng)),
            ("chunks", 4, lambda: {"": _chunks(rng)}),
            ("compressed", 6, lambda: {"": _compressed(rng)}),
            ("slow", 1, lambda: {"": _slow(rng)}),
            ("noise", 2, lambda: {"": Answer([rng.randbytes(rng.choice((0, 1, 300, 70_000)))])}),
            (
                "many answers",
                2,
                lambda: {
                    "": Answer(
                        [
                            rng.choice((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 x\r\nA: b\r\n\r\n"))
                            * rng.choice((3, 20_000)),
                            *_ok(b"x").pieces,
                        ]
                    )
                },
            ),
            ("huge body", 1, lambda: {"": _long(rng.choice((3, 120)))}),
        )
        how, answers = picked(rng, makers)
        url = self._site.url + rng.choice(("/a.png", "/", "", "/a%00b", "/%ff.txt", "/x" * 20))

        def run() -> None:
            self._site.answers = answers
            if rng.random() < 0.25:
                load_file(url, self._trusting, deadline=Deadline(SECONDS))
            else:
                _check(fetch(url, self._trusting, seconds=SECONDS), self._trusting)

        patience = PATIENCE if how != "slow" else PATIENCE + SECONDS
        return Case(f"fetch from a server: {how}", answers, run, (MediaError, DeadlineExceededError), patience)

    def _redirects(self, rng: random.Random) -> dict[str, Answer]:
        def one(target: str) -> Answer:
            status = rng.choice((b"301", b"302", b"303", b"307", b"308"))
            return Answer(
                [b"HTTP/1.1 " + status + b" x\r\nLocation: " + raw(target) + b"\r\nContent-Length: 0\r\n\r\n"]
            )

        other = rng.choice(
            (
                address(rng, self._site.port),
                quote(raw(address(rng))),
                rng.choice(PATHS),
                value(rng),
                characters(rng),
            )
        )
        hops = rng.choice((1, 2, 5, 6))
        answers = {f"/{n}": one(f"/{n + 1}") for n in range(hops)}
        return answers | {f"/{hops}": one(other), "": one(rng.choice(("/0", other, other)))}


def _check(fetched: Fetched, settings: Settings) -> None:
    assert len(fetched.data) <= settings.max_file_bytes
    assert fetched.name and "/" not in fetched.name and fetched.name not in (".", ".."), "a name that leads elsewhere"
    assert not any(ord(c) < 32 or ord(c) == 127 for c in fetched.name), "a control character in a name"
    fetched.name.encode()
    fetched.mime.encode()


def _ok(body: bytes, *headers: bytes) -> Answer:
    length = b"Content-Length: " + str(len(body)).encode()
    return Answer([b"\r\n".join([b"HTTP/1.1 200 OK", length, *headers, b"", b""]) + body])


def _head(rng: random.Random) -> bytes:
    headers = [rng.choice(HEADERS) for _ in range(rng.choice((0, 1, 2, 3, 8)))]
    if rng.random() < 0.02:
        headers = [b"A: b"] * 20_000
    status = STATUSES[0] if rng.random() < 0.6 else rng.choice(STATUSES)
    end = rng.choice((b"\r\n", b"\r\n", b"\r\n", b"\n"))
    return end.join([status, *headers, b"", b""])


def _named(rng: random.Random) -> Answer:
    name = rng.choice(
        (value(rng), characters(rng), pumped(rng, ("a", '"', "\\", ";", "=", "'", " ", "%41", "*", "filename"), 30_000))
    )
    written = raw(name).replace(b"\r", b"").replace(b"\n", b"")
    form = rng.choice(
        (
            b'attachment; filename="%s"',
            b"attachment; filename=%s",
            b"attachment; filename*=UTF-8''%s",
            b"%s",
            b"inline; filename*=x''%s; filename=%s",
        )
    )
    header = form.replace(b"%s", quote(written).encode() if b"UTF-8''" in form and rng.random() < 0.7 else written)
    return _ok(b"hello", b"Content-Disposition: " + header)


def _chunks(rng: random.Random) -> Answer:
    sizes = (b"5", b"0", b"-1", b"ffffffffffffffff", b"5;x=y", b"5 ", b"0x5", b"", b"5" * 5000, b"g", b"00000005")
    body = b"".join(rng.choice(sizes) + b"\r\n" + b"hello\r\n" for _ in range(rng.choice((1, 3, 2000))))
    trailer = rng.choice((b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"0\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", b"", b"0"))
    return Answer([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body + trailer])


def _compressed(rng: random.Random) -> Answer:
    coding, data = rng.choice(
        (
            (b"gzip", gzip.compress(b"hello")),
            (b"gzip", gzip.compress(b"one\n") + gzip.compress(b"two\n")),
            (b"gzip", gzip.compress(b"one") * 20_000),
            (b"gzip", gzip.compress(b"hello") + bytes(rng.choice((1, 70_000)))),
            (b"gzip", gzip.compress(b"hello")[: rng.randrange(25)]),
            (b"gzip", _bomb(rng.choice((20, 99, 101, 300)))),
            (b"gzip", _bomb(20) * 8),
            (b"gzip", gzip.compress(_bomb(99))),
            (b"x-gzip", b"hello"),
            (b"deflate", zlib.compress(b"hello")),
            (b"deflate", zlib.compress(b"hello")[2:-4]),
            (b"deflate", zlib.compress(b"hello") + b"x" * 1_000_000),
            (b"gzip, gzip", gzip.compress(gzip.compress(b"hello"))),
            (b"identity", b"hello"),
            (b"br", b"hello"),
            (b"", b"hello"),
        )
    )
    return _ok(data, b"Content-Encoding: " + coding)


@lru_cache(maxsize=4)
def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


def _long(megabytes: int) -> Answer:
    return Answer([b"HTTP/1.1 200 OK\r\n\r\n", *[bytes(1 << 20)] * megabytes])


def _slow(rng: random.Random) -> Answer:
    whole = _ok(b"hello" * 20, b"Content-Type: text/plain").pieces[0]
    match rng.randrange(4):
        case 0:
            return Answer([whole[n : n + 1] for n in range(len(whole))], pause=0.05)
        case 1:
            return Answer([b""], hangs=True)
        case 2:
            return Answer([whole[:-50]], hangs=True)
        case _:
            return Answer([b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n"] * 200], pause=0.05)
