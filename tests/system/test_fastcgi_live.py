"""Live: nginx hands requests to an application over FastCGI, and each is an exchange on both connections."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.system.network import loopback_namespace, needs
from tests.system.nginx import serving
from tests.system.sensor import capturing

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nginx"), pytest.mark.timeout(120)]

APPLICATION = """
import socketserver, struct, sys
sys.path.insert(0, sys.argv[1])
from tests.helpers.fastcgi import answered
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        target, closes = b"", False
        while header := self.rfile.read(8):
            _, kind, number, length, padding = struct.unpack("!BBHHBx", header)
            content = self.rfile.read(length + padding)[:length]
            if kind == 1:
                closes = not content[2]
            if kind == 4 and b"REQUEST_URI" in content:
                target = content.split(b"REQUEST_URI")[1].split(b"?n=")[1].split(b"&")[0]
            if kind == 5 and not content:
                status = b"Status: 201 Created\\r\\n" if int(target) % 2 else b""
                head = status + b"X-Number: " + target + b"\\r\\n\\r\\n"
                self.wfile.write(answered(head + b"x" * (int(target) * 50), number))
                if closes:
                    return
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("127.0.0.1", 9000), Handler).serve_forever()
"""
ASK = """
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=90)
for number in range(200):
    body = b"b" * (number * 30)
    connection.request("POST" if number % 3 else "GET", f"/fcgi?n={number}&m=1", body if number % 3 else None)
    assert len(connection.getresponse().read()) == number * 50
"""
LOCATION = """
        location /fcgi {
            fastcgi_pass 127.0.0.1:9000;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param CONTENT_LENGTH $content_length;
        }
"""


def test_each_request_of_nginx_to_an_application_is_an_exchange(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    with loopback_namespace() as here:
        application = here.popen([sys.executable, "-c", APPLICATION, root])
        try:
            with (
                serving(here, tmp_path / "nginx", locations=LOCATION) as nginx,
                capturing(here, tmp_path, nginx.base) as sensor,
            ):
                here.run([sys.executable, "-c", ASK], timeout=180)
                sensor.catch_up()
        finally:
            application.kill()
            application.wait()
        seen = Counter(
            (x["server"]["port"], x["request"]["method"], x["request"]["target"], x["response"]["status"],
             x["request"]["body_size"], x["response"]["body_size"], x["incomplete"])
            for x in sensor.exchanges()
        )  # fmt: skip
        sensor.assert_ledger()
    assert seen == Counter(
        (port, "POST" if n % 3 else "GET", f"/fcgi?n={n}&m=1", 201 if n % 2 else 200,
         n * 30 if n % 3 else 0, n * 50, None)
        for n in range(200) for port in (8080, 9000)
    )  # fmt: skip
