"""Fetching, and what may not be fetched. The servers are real, on loopback."""

import gzip
import io
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PILImage

from hugginggpt.addresses import AddressError, shown, web_address
from hugginggpt.capabilities import ValueType
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ForbiddenURLError, MediaError, TaskCancelledError
from hugginggpt.guarded_network import is_public
from hugginggpt.media import load_file
from hugginggpt.media.fetch import fetch
from hugginggpt.settings import Settings

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web site on loopback: what each path answers, and what was asked of it."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []
        self.stopping = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers["Host"]))
                site.pages[self.path.split("?")[0]](self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


def answer(data: bytes, *, status: int = 200, mime: str | None = None, **headers: str) -> Answer:
    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        if mime:
            request.send_header("Content-Type", mime)
        for name, value in ({"Content_Length": str(len(data))} | headers).items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data)

    return send


def redirect(to: str) -> Answer:
    return answer(b"", status=302, Location=to)


def settings_with(*trusted: str, **limits: int) -> Settings:
    return Settings(trusted_hosts=trusted, **limits)  # type: ignore[arg-type]


LOOPBACK = settings_with("127.0.0.1")


def png() -> bytes:
    buffer = io.BytesIO()
    PILImage.new("RGB", (8, 8), "blue").save(buffer, "PNG")
    return buffer.getvalue()


def refusal(url: str, settings: Settings = LOOPBACK, kind: type[MediaError] = MediaError, seconds: float = 30) -> str:
    with pytest.raises(kind) as refused:
        fetch(url, settings, seconds=seconds)
    message = refused.value.message
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_a_trusted_private_host_is_fetched(site: Site) -> None:
    site.pages["/photo.png"] = answer(png(), mime="image/png")
    assert fetch(f"{site.url}/photo.png?token=a", LOOPBACK) == (png(), "image/png", "photo.png")
    assert site.asked == [("/photo.png?token=a", f"127.0.0.1:{site.port}")]


def test_the_host_header_names_the_host_and_not_its_address(site: Site) -> None:
    site.pages["/a.txt"] = answer(b"hello")
    fetch(f"http://localhost:{site.port}/a.txt", settings_with("LocalHost"))
    assert site.asked == [("/a.txt", f"localhost:{site.port}")]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0"])
def test_private_addresses_are_refused_however_they_are_written(site: Site, host: str) -> None:
    site.pages["/a.txt"] = answer(b"secret")
    with pytest.raises(MediaError):  # some systems do not take the short forms for addresses at all
        fetch(f"http://{host}:{site.port}/a.txt", settings_with())
    assert site.asked == []


def test_the_refusal_says_which_address_and_what_to_do(site: Site) -> None:
    message = refusal(f"http://localhost:{site.port}/a.txt", settings_with(), ForbiddenURLError)
    assert "localhost" in message
    assert "HUGGINGGPT_TRUSTED_HOSTS" in message


def test_redirects_are_followed_and_name_the_file(site: Site) -> None:
    site.pages["/download"] = redirect("/files/photo%20one.png")
    site.pages["/files/photo%20one.png"] = answer(png(), mime="image/png")
    assert fetch(f"{site.url}/download", LOOPBACK).name == "photo one.png"


def test_redirect_to_a_private_address_is_refused(site: Site) -> None:
    for target in (f"http://localhost:{site.port}/inside", "http://169.254.169.254/latest/meta-data", "//10.0.0.1/"):
        site.pages["/door"] = redirect(target)
        refusal(f"{site.url}/door", kind=ForbiddenURLError)
    assert {path for path, _ in site.asked} == {"/door"}


def test_only_a_host_that_may_be_private_may_redirect_to_another(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site stands for one on the internet, `localhost` for a host inside."""
    monkeypatch.setattr("hugginggpt.guarded_network.is_public", lambda address: False)
    inside = f"http://localhost:{site.port}/inside.txt"
    site.pages["/inside.txt"] = answer(b"internal")
    site.pages["/door"] = redirect(inside)
    assert fetch(inside, settings_with("localhost")).data == b"internal"
    assert fetch(f"{site.url}/door", settings_with("localhost", "127.0.0.1")).data == b"internal"
    site.asked.clear()

    looked_up = socket.getaddrinfo

    def only_numbers_are_public(host: str, *rest: Any, **more: Any) -> Any:
        monkeypatch.setattr("hugginggpt.guarded_network.is_public", lambda address: host == "127.0.0.1")
        return looked_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", only_numbers_are_public)
    refusal(f"{site.url}/door", settings_with("localhost"), ForbiddenURLError)
    assert [path for path, _ in site.asked] == ["/door"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/a", "http://user:key@127.0.0.1/"])
def test_redirect_to_another_scheme_or_with_credentials_is_refused(site: Site, target: str) -> None:
    site.pages["/door"] = redirect(target)
    assert "key" not in refusal(f"{site.url}/door", kind=ForbiddenURLError)


def test_endless_redirects_end(site: Site) -> None:
    site.pages["/round"] = redirect("/round")
    assert "redirects" in refusal(f"{site.url}/round")
    assert len(site.asked) == 6


def test_a_body_that_says_it_is_too_large_is_not_read(site: Site) -> None:
    site.pages["/a.txt"] = answer(b"x", Content_Length="1000000000000")
    assert "1000 bytes" in refusal(f"{site.url}/a.txt", settings_with("127.0.0.1", max_file_bytes=1000))


def test_a_body_without_end_is_cut(site: Site) -> None:
    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while not site.stopping.is_set():
                request.wfile.write(b"x" * 65536)
        except OSError:
            pass

    site.pages["/a.txt"] = send
    assert "larger" in refusal(f"{site.url}/a.txt", settings_with("127.0.0.1", max_file_bytes=1_000_000))


def test_compressed_bodies_are_unpacked_within_the_limit(site: Site) -> None:
    site.pages["/a.txt"] = answer(gzip.compress(b"hello"), Content_Encoding="gzip")
    site.pages["/bomb.txt"] = answer(gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")
    site.pages["/cut.txt"] = answer(gzip.compress(b"hello" * 100)[:-10], Content_Encoding="gzip")
    site.pages["/odd.txt"] = answer(b"hello", Content_Encoding="br")
    limited = settings_with("127.0.0.1", max_file_bytes=1_000_000)
    assert fetch(f"{site.url}/a.txt", limited).data == b"hello"
    assert "larger" in refusal(f"{site.url}/bomb.txt", limited)
    assert "arrived incomplete" in refusal(f"{site.url}/cut.txt", limited)
    assert "br" in refusal(f"{site.url}/odd.txt", limited)


def test_a_gzip_body_of_several_members_is_read_whole(site: Site) -> None:
    half = gzip.compress(b"hello ")
    site.pages["/a.txt"] = answer(half + gzip.compress(b"world"), Content_Encoding="gzip")
    site.pages["/cut.txt"] = answer(half + gzip.compress(b"world")[:-3], Content_Encoding="gzip")
    site.pages["/odd.txt"] = answer(half + b"world", Content_Encoding="gzip")
    site.pages["/zlib.txt"] = answer(zlib.compress(b"hello ") * 2, Content_Encoding="deflate")
    site.pages["/many.txt"] = answer(gzip.compress(b"") * 20_000, Content_Encoding="gzip")
    site.pages["/bomb.txt"] = answer(half + gzip.compress(b"\0" * 5_000_000), Content_Encoding="gzip")
    assert fetch(f"{site.url}/a.txt", LOOPBACK).data == b"hello world"
    assert "arrived incomplete" in refusal(f"{site.url}/cut.txt")
    assert "damaged" in refusal(f"{site.url}/odd.txt")
    assert "2 parts" in refusal(f"{site.url}/zlib.txt")
    assert "parts" in refusal(f"{site.url}/many.txt")
    assert "larger" in refusal(f"{site.url}/bomb.txt", settings_with("127.0.0.1", max_file_bytes=1_000_000))


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_server_that_drips_is_given_up_at_the_deadline(site: Site, part: str) -> None:
    def send(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: " if part == "head" else b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while not site.stopping.is_set():
                request.wfile.write(b"x")
                request.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    site.pages["/a.txt"] = send
    assert "in time" in refusal(f"{site.url}/a.txt", seconds=1)


def test_a_silent_server_is_given_up_at_the_deadline(site: Site) -> None:
    site.pages["/a.txt"] = lambda request: site.stopping.wait(60) and None  # type: ignore[func-returns-value]
    assert "in time" in refusal(f"{site.url}/a.txt", seconds=0.5)


def test_who_wants_a_file_may_stop_wanting_it_while_its_server_is_silent(site: Site) -> None:
    site.pages["/a.txt"] = lambda request: site.stopping.wait(60) and None  # type: ignore[func-returns-value]
    with pytest.raises(DeadlineExceededError):
        fetch(f"{site.url}/a.txt", LOOPBACK, deadline=Deadline(0.5))
    deadline = Deadline(60)
    threading.Timer(0.3, deadline.cancel, args=("The request was cancelled.",)).start()
    with pytest.raises(TaskCancelledError, match="cancelled"):
        fetch(f"{site.url}/a.txt", LOOPBACK, deadline=deadline)


def test_a_handshake_that_drips_is_given_up_at_the_deadline() -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00")  # the beginning of a record of 16 KiB
            while True:
                time.sleep(0.05)
                connection.sendall(b"\x02")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        assert "in time" in refusal(f"https://127.0.0.1:{server.getsockname()[1]}/a.txt", seconds=0.5)


def test_a_resolver_that_is_silent_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    """In a mount namespace of its own the system's resolver asks a name server that never answers."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.86.7.1\noptions timeout:30 attempts:5\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    program = (
        "import time\n"
        "from hugginggpt.errors import MediaError\n"
        "from hugginggpt.media.fetch import fetch\n"
        "from hugginggpt.settings import Settings\n"
        "began = time.monotonic()\n"
        "try:\n"
        "    fetch('https://example.com/a.png', Settings(), seconds=1)\n"
        "except MediaError as error:\n"
        "    print('in time' in error.message, time.monotonic() - began < 120)\n"
    )
    mounts = " && ".join(f"mount --bind {tmp_path}/{name} /etc/{name}" for name in ("resolv.conf", "nsswitch.conf"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.86.7.1", 53))
        except OSError as error:
            pytest.skip(f"a name server needs root and a free port: {error}")
        command = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$0" -c "$1"', sys.executable, program]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("mounting needs Linux")
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"mounting needs root: {done.stderr}")
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_a_connection_that_breaks_off_is_noticed(site: Site) -> None:
    site.pages["/a.txt"] = answer(b"half", Content_Length="8")
    assert "cannot be reached" in refusal(f"{site.url}/a.txt")


def test_error_answers_and_dead_servers_are_named_without_the_query(site: Site) -> None:
    site.pages["/a.txt"] = answer(b"", status=404)
    message = refusal(f"{site.url}/a.txt?token=sesame")
    assert "404 Not Found" in message
    assert "sesame" not in message
    site.stop()
    assert "cannot be reached" in refusal(f"{site.url}/a.txt?token=sesame")


@pytest.mark.parametrize(
    "url", ["ftp://example.com/a", "http://", "http://user:key@example.com/", "http://[::1", "http://a b/", "https://\x00"]
)  # fmt: skip
def test_malformed_addresses_are_refused_and_keep_their_secrets(url: str) -> None:
    assert "key" not in refusal(url)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("http://127.0.0.1:99999/", MediaError),
        ("http://127.0.0.1:-1/", MediaError),
        ("http://xn--a/", MediaError),
        ("http://[", MediaError),
        ("http://", MediaError),
        ("//", MediaError),
        ("http://a..b/", MediaError),
        ("ftp://127.0.0.1/", ForbiddenURLError),
        ("file:///etc/passwd", ForbiddenURLError),
        ("data:text/plain,x", ForbiddenURLError),
        ("http://ada:sesame@127.0.0.1/", ForbiddenURLError),
        ("//ada:sesame@127.0.0.1/", ForbiddenURLError),
        ("/" + "a" * 20_000, MediaError),
    ],
)
def test_a_redirect_to_what_is_no_address_is_refused(site: Site, target: str, kind: type[MediaError]) -> None:
    site.pages["/door"] = redirect(target)
    message = refusal(f"{site.url}/door", kind=kind)
    assert "sesame" not in message
    assert len(message) < 500


@given(
    st.sampled_from(["http://", "HTTPS://", "http:", "http:///", "http://127.0.0.1:", "http://[", "http://a@", "//"]),
    st.text(st.characters(codec=None), max_size=30) | st.text(st.sampled_from("0123456789:@[]/%?#.-xn\\\ud800\x00é")),
)
def test_whatever_is_no_address_is_refused_in_one_sentence(start: str, rest: str) -> None:
    try:
        web_address(start + rest)
    except AddressError as error:
        assert str(error)
    assert shown(start + rest).encode()


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="' + "é".encode().decode("latin-1") * 5 + 'a.txt"', "éééééa.txt"),
        ("attachment; filename*=UTF-8''" + "%E5%AD%97" * 200 + ".txt", "字" * 81 + ".txt"),
        ("attachment; filename*=UTF-8''%E2%80%AEtxt.exe.txt", "txt.exe.txt"),
        ("attachment; filename*=none''x; filename*0*=y", "a.txt"),
        ('attachment; filename="../../x\ty.txt"', "x y.txt"),
        ("attachment; filename=..", "a.txt"),
    ],
)
def test_a_file_is_called_what_a_file_can_be_called(site: Site, disposition: str, name: str) -> None:
    site.pages["/a.txt"] = answer(b"hello", Content_Disposition=disposition)
    assert load_file(f"{site.url}/a.txt", LOOPBACK).name == name


def test_a_long_name_of_a_url_is_shortened(site: Site) -> None:
    path = "/" + "%C3%A9" * 400 + ".txt"
    site.pages[path] = answer(b"hello")
    name = load_file(site.url + path, LOOPBACK).name
    assert len(name.encode()) <= 255
    assert name.endswith("é.txt")


def test_unknown_host_is_named() -> None:
    assert "nowhere.invalid" in refusal("https://nowhere.invalid/a.png")


def test_no_proxy_of_the_environment_is_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.pages["/a.txt"] = answer(b"hello")
    assert fetch(f"{site.url}/a.txt", LOOPBACK).data == b"hello"


def test_the_servers_name_for_the_file_is_only_a_name(site: Site) -> None:
    site.pages["/get"] = answer(b"hello", Content_Disposition='attachment; filename="../../etc/notes.txt"')
    assert fetch(f"{site.url}/get", LOOPBACK).name == "notes.txt"
    site.pages["/"] = answer(b"hello")
    assert fetch(f"{site.url}/", LOOPBACK).name == "download"


def test_loading_from_a_url_checks_what_came(site: Site) -> None:
    site.pages["/photo"] = answer(png(), mime="image/png; charset=binary")
    site.pages["/photo.jpg"] = answer(png(), mime="image/png")
    site.pages["/photo.png"] = answer(b"<html>please log in</html>", mime="text/html")
    site.pages["/wrong.png"] = answer(png(), mime="application/pdf")
    site.pages["/data"] = answer(b"a,b\n1,2\n", mime="text/csv; charset=utf-8")
    site.pages["/data.csv"] = answer(b"a,b\n1,2\n", mime="text/plain")
    site.pages["/empty.txt"] = answer(b"")

    photo = load_file(f"{site.url}/photo", LOOPBACK)
    assert (photo.name, photo.type, photo.mime, photo.data) == ("photo.png", ValueType.IMAGE, "image/png", png())
    assert load_file(f"{site.url}/photo.jpg", LOOPBACK).mime == "image/png"
    assert load_file(f"{site.url}/data", LOOPBACK).type is ValueType.TABLE
    assert load_file(f"{site.url}/data.csv", LOOPBACK).type is ValueType.TABLE
    page = load_file(f"{site.url}/photo.png", LOOPBACK)
    assert (page.type, page.mime) == (ValueType.DOCUMENT, "text/html")
    assert page.notes == ("photo.png is an HTML page; its ending says PNG.",)
    wrong = load_file(f"{site.url}/wrong.png", LOOPBACK)
    assert (wrong.type, wrong.data) == (ValueType.IMAGE, png())
    assert wrong.notes == ("wrong.png is a PNG image; it is declared as application/pdf.",)
    with pytest.raises(MediaError, match="is empty"):
        load_file(f"{site.url}/empty.txt", LOOPBACK)


def test_what_a_server_declares_is_used_as_far_as_it_is_true(site: Site) -> None:
    site.pages["/page"] = answer("Привет".encode("koi8_r"), mime="text/plain; charset=KOI8-R")
    site.pages["/prices.csv"] = answer(b"a,b\n1,2\n", mime="application/vnd.ms-excel")
    site.pages["/export"] = answer(b"a\tb\n1\t2\n", mime="application/vnd.ms-excel")
    site.pages["/cat.jpg"] = answer(png(), mime="image/jpeg")
    for mime in ("application/octet-stream", "binary/octet-stream", "application/x-download", "text/plain"):
        site.pages[f"/{mime}/lines.jsonl"] = answer(b'{"a": 1}\n{"a": 2}\n', mime=mime)
        found = load_file(f"{site.url}/{mime}/lines.jsonl", LOOPBACK)
        assert (found.mime, found.notes) == ("application/jsonl", ())

    page = load_file(f"{site.url}/page", LOOPBACK)
    assert (page.data, page.notes) == ("Привет".encode(), ())
    for name in ("prices.csv", "export"):
        assert load_file(f"{site.url}/{name}", LOOPBACK).type is ValueType.TABLE
    cat = load_file(f"{site.url}/cat.jpg", LOOPBACK)
    assert (cat.mime, cat.notes) == ("image/png", ("cat.jpg is a PNG image; it is declared as image/jpeg.",))


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.255.255.255",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "192.0.0.8",
        "192.0.0.170",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.0",
        "192.88.99.255",
        "192.175.48.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::8.8.8.8",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "::ffff:192.88.99.1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:1::1",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:20::1",
        "2001:30::1",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8::1",
        "2620:4f:8000::1",
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "4000::1",
        "5f00::1",
        "2002:7f00:1::",
        "2002:c058:6301::",
        "fc00::1",
        "fe80::1",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "192.0.1.1",
        "192.88.98.255",
        "192.88.100.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "3ffe:ffff:ffff:ffff::1",
        "3fff:1000::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::",
    ],
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_to_be_special(address: IPv4Address | IPv6Address) -> None:
    wraps = isinstance(address, IPv6Address) and (
        address.sixtofour or address.ipv4_mapped or address in IPv6Network("64:ff9b::/96")
    )
    if is_public(str(address)) and not wraps:
        assert address.is_global
        assert not (address.is_multicast or address.is_reserved or address.is_link_local or address.is_private)


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_wrapping_a_private_address_does_not_make_it_public(address: object) -> None:
    assert not is_public(f"::ffff:{address}")
    assert not is_public(f"64:ff9b::{address}")


def test_shown_addresses_hold_no_secrets() -> None:
    assert shown("https://user:key@host/a.png?sig=1#b") == "https://host/a.png"
