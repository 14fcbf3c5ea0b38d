"""TLS servers (nginx, nghttpd, s_server) and clients (curl, s_client) with key logs, in a namespace."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.tls_peers import certificate
from tests.system.network import Namespace, until_listening

NGINX, NGHTTPD, S_SERVER = 8443, 8444, 8445
"""Ports inside a namespace of its own."""

FILES = {"small.json": b'{"ok":true}', "large.txt": b"line of text\n" * 16_000}

CONFIGURATION = """
daemon off; master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    keepalive_requests 100000;
    ssl_certificate {pem}; ssl_certificate_key {pem};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ALL;
    server {{ listen {address}:8080; location / {{ return 200 'ready'; }} }}
    server {{
        listen {address}:{port} ssl http2;
        location / {{ return 200 'you asked for $request_uri through $ssl_cipher'; }}
        location /files/ {{ alias {folder}/www/; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """One cipher suite, by the names that OpenSSL and curl know it by."""

    version: str
    name: str

    @property
    def curl(self) -> list[str]:
        if self.version == "1.3":
            return ["--tlsv1.3", "--tls13-ciphers", self.name]
        return ["--tlsv1.2", "--tls-max", "1.2", "--ciphers", self.name]


SUITES = [
    Suite("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    Suite("1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    Suite("1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    Suite("1.3", "TLS_AES_128_GCM_SHA256"),
    Suite("1.3", "TLS_AES_256_GCM_SHA384"),
    Suite("1.3", "TLS_CHACHA20_POLY1305_SHA256"),
]


@dataclass(frozen=True, slots=True)
class Servers:
    """The three of them, and where clients write their secrets."""

    namespace: Namespace
    probe: str
    keys: Path

    def curl(self, urls: Sequence[str], *options: str, keys: Path | None = None) -> str:
        """Fetch *urls* over one connection; returns all the content."""
        argv = ["curl", "--silent", "--show-error", "--insecure", "--max-time", "60", *options, *urls]
        command = ["env", f"SSLKEYLOGFILE={keys or self.keys}", *argv]
        return self.namespace.run(command)

    def url(self, port: int, target: str) -> str:
        return f"https://{self.namespace.address}:{port}{target}"


@contextmanager
def tls_servers(namespace: Namespace, folder: Path) -> Iterator[Servers]:
    """nginx (HTTP/1.1, HTTP/2, plain HTTP for probes), nghttpd (HTTP/2), ``openssl s_server`` (HTTP/1.0)."""
    root = folder / "www"
    root.mkdir(parents=True)
    for name, octets in FILES.items():
        (root / name).write_bytes(octets)
    pem = certificate(folder, ["api.example"])
    text = CONFIGURATION.format(folder=folder, pem=pem, address=namespace.address, port=NGINX)
    (folder / "nginx.conf").write_text(text)
    own = str(folder)
    programs = [
        ["nginx", "-p", own, "-e", f"{own}/error.log", "-c", f"{own}/nginx.conf"],
        ["nghttpd", "-d", str(root), "-a", namespace.address, str(NGHTTPD), str(pem), str(pem)],
        [
            "openssl",
            "s_server",
            "-accept",
            str(S_SERVER),
            "-cert",
            str(pem),
            "-key",
            str(pem),
            "-WWW",
            "-quiet",
        ],
    ]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [namespace.popen(argv, cwd=root, **quiet) for argv in programs]
    try:
        until_listening(namespace, 8080, NGINX, NGHTTPD, S_SERVER)
        yield Servers(namespace, f"http://{namespace.address}:8080", folder / "keys.log")
    finally:
        for process in running:
            process.kill()
            process.wait()


class UpdatingClient:
    """``openssl s_client``, told to update its keys between requests (RFC 8446 section 4.6.3)."""

    def __init__(self, servers: Servers) -> None:
        address = f"{servers.namespace.address}:{NGINX}"
        argv = ["openssl", "s_client", "-connect", address, "-tls1_3", "-keylogfile", str(servers.keys)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self._process = servers.namespace.popen(argv, **pipes)
        self._read_until(b"Verify return code")

    def fetch(self, target: str) -> None:
        self._write(f"GET {target} HTTP/1.1\r\nHost: api.example\r\n\r\n".encode())
        self._read_until(f"you asked for {target} through".encode())

    def update(self, *, both: bool) -> None:
        """Send a KeyUpdate; *both*: the server is to send one as well."""
        self._write(b"K\n" if both else b"k\n")
        self._read_until(b"KEYUPDATE\n")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _write(self, octets: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(octets)
        self._process.stdin.flush()

    def _read_until(self, octets: bytes) -> None:
        assert self._process.stdout is not None
        seen = b""
        while octets not in seen:
            fresh = os.read(self._process.stdout.fileno(), 65536)
            assert fresh, f"s_client has ended: {seen[-500:]!r}"
            seen += fresh
