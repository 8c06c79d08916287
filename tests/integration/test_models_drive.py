"""Google Drive as gdown meets it: its pages, served on loopback behind a proxy with TLS."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from moodlens.artifacts import cache_dir, download, resolve_model
from moodlens.errors import DownloadError
from moodlens.settings import settings

HOSTS = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")
SMALL, LARGE, QUOTA, PRIVATE, ABSENT, TROUBLE = (
    f"{word}-00000000000000000000" for word in ("small", "large", "quota", "priv", "none", "bad")
)

CONFIRM = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<body><p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">
<input type="submit" id="uc-download-link" value="Download anyway"/>
<input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="1-2-3">
</form></body></html>""".replace("\n", " ")  # Drive sends it as one line
OVER_QUOTA = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head>
<body><p class="uc-error-caption">Sorry, you can't view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please
try accessing the file again later.</p></body></html>""".replace("\n", " ")
SIGN_IN = """<!DOCTYPE html><html><head><title>Google Drive: Sign-in</title></head>
<body>You need access. Ask for permission.</body></html>"""


class Drive(BaseHTTPRequestHandler):
    """A proxy that answers for Drive itself, whoever is asked for."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # the wrapped socket is not the one that the server closes

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.host = self.path.split(":")[0]
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)  # type: ignore[attr-defined]
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        model: bytes = self.server.model  # type: ignore[attr-defined]
        self.server.seen.append(f"{self.host}{self.path}")  # type: ignore[attr-defined]
        if SMALL in self.path or (LARGE in self.path and "confirm=t" in self.path):
            self.send(model, name="../../never-written-here.onnx")
        elif LARGE in self.path:
            self.send(CONFIRM.format(id=LARGE).encode())
        elif QUOTA in self.path:
            self.send(OVER_QUOTA.encode())
        elif PRIVATE in self.path:
            self.send(SIGN_IN.encode())
        elif TROUBLE in self.path:
            self.send(b"<html>trouble</html>", 500)
        else:
            self.send(b"<html>Not found</html>", 404)

    def send(self, body: bytes, status: int = 200, name: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if name:
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Disposition", f'attachment; filename="{name}"')
        else:
            self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for Drive's hosts that only these tests trust, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback stand-in")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(host) for host in HOSTS]
    alternatives = [*names, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate: Path, key: Path, model: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Drive)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.model = model
        self.seen: list[str] = []

    def handle_error(self, *arguments: object) -> None:
        """A client that closes its end is no news."""


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    certificate, key = write_certificate(tmp_path)
    opened = Proxy(certificate, key, resolve_model(None).read_bytes())
    thread = threading.Thread(target=opened.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{opened.server_address[1]}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.delenv("MOODLENS_OFFLINE")
    monkeypatch.setattr(download, "BACK_OFF_S", 0.01)
    settings.cache_clear()
    yield opened
    opened.shutdown()
    opened.server_close()
    thread.join(5)


@pytest.mark.parametrize(
    "spec",
    [
        f"gdrive:{SMALL}",
        f"gdrive:https://drive.google.com/file/d/{SMALL}/view?usp=sharing",
        f"https://drive.google.com/open?id={SMALL}",
        f"https://drive.google.com/uc?export=download&id={SMALL}",
    ],
)
def test_a_shared_file_arrives_once_and_under_a_name_of_ours(drive: Proxy, spec: str) -> None:
    told: list[int] = []
    path = resolve_model(spec, progress=lambda done, _: told.append(done))
    assert path.read_bytes() == drive.model
    assert path.parent == cache_dir()
    assert told[-1] == len(drive.model)
    asked = len(drive.seen)
    assert resolve_model(spec) == path
    assert len(drive.seen) == asked
    assert not list(cache_dir().parents[2].rglob("never-written-here*"))


def test_a_large_file_is_confirmed(drive: Proxy) -> None:
    assert resolve_model(f"gdrive:{LARGE}").read_bytes() == drive.model
    assert drive.seen[0].startswith("drive.google.com/uc")
    assert drive.seen[1].startswith("drive.usercontent.google.com/download")
    assert "uuid=1-2-3" in drive.seen[1]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (QUOTA, "too many people have fetched this file today.*copy it to your own Drive"),
        (PRIVATE, "the file is not public.*Anyone with the link"),
        (ABSENT, "the file is not public, or there is none"),
    ],
)
def test_drives_refusals_are_said_in_a_persons_words(drive: Proxy, file: str, words: str) -> None:
    with pytest.raises(DownloadError, match=words):
        resolve_model(f"gdrive:{file}")
    assert not list(cache_dir().glob("*.model*[!k]"))
    assert len(drive.seen) == 1


def test_a_file_over_the_limit_is_refused(drive: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "SIZE_LIMIT", 1000)
    with pytest.raises(DownloadError, match="too large"):
        resolve_model(f"gdrive:{SMALL}")
    assert not list(cache_dir().glob("*.partial"))


def test_drive_in_trouble_leaves_nothing(drive: Proxy) -> None:
    with pytest.raises(DownloadError, match="gdrive:bad"):
        resolve_model(f"gdrive:{TROUBLE}")
    assert not list(cache_dir().glob("*.partial"))
