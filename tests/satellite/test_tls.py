"""A renewed certificate is shown by all ports without a restart, and a bad one by none."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
import urllib3
from cryptography import x509

from levo.errors import LevoError
from levo.satellite.certificate import PemFiles
from levo.satellite.tls import Tls
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, until
from tests.sensor.export.certificates import Pair, make_authority, make_leaf

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def body() -> bytes:
    return traces([Call()], {"service.name": "shop"}).SerializeToString()


class Renewable:
    """A Satellite, its files, and an authority that signs again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority, self._signer = make_authority(folder)
        self.authority = self._authority.cert
        self.files = Pair(folder / "used.pem", folder / "used.key")
        self.put(self.pair("first"))
        (folder / "satellite.yaml").write_text(
            f"tls-certificate: {self.files.cert}\ntls-key: {self.files.key}\n"
        )
        self.running = RunningSatellite(folder / "data", "--config", str(folder / "satellite.yaml"))

    def pair(self, name: str) -> Pair:
        return make_leaf(self._folder, name, self._authority, self._signer, "localhost")

    def put(self, pair: Pair) -> None:
        """As programs do that renew: each file is written beside, and renamed."""
        for source, target in ((pair.cert, self.files.cert), (pair.key, self.files.key)):
            shutil.copyfile(source, beside := target.with_suffix(".new"))
            os.replace(beside, target)

    def shown(self) -> set[int]:
        """Serial numbers of what the ports show, gRPC's first."""
        ports = [urlsplit(f"//{self.running.grpc}").port]
        ports += [urlsplit(url).port for url in (self.running.web, self.running.otlp_http)]
        found = [ssl.get_server_certificate(("localhost", port or 0), timeout=60) for port in ports]
        return {x509.load_pem_x509_certificate(each.encode()).serial_number for each in found}

    def metric(self, name: str) -> float:
        with urllib3.PoolManager(ca_certs=str(self.authority)) as pool:
            page = pool.request("GET", self.running.web + "/metrics").data.decode()
        (line,) = [each for each in page.splitlines() if each.startswith(f"levo_satellite_{name} ")]
        return float(line.split()[1])


@pytest.fixture
def renewable(tmp_path: Path) -> Iterator[Renewable]:
    made = Renewable(tmp_path)
    with made.running:
        yield made


def serial(pair: Pair) -> int:
    return x509.load_pem_x509_certificate(pair.cert.read_bytes()).serial_number


class Senders:
    """Deliver over each port again and again, each time over a new connection."""

    def __init__(self, renewable: Renewable) -> None:
        self._renewable = renewable
        self._stop = threading.Event()
        self.delivered: list[str] = []
        self.failed: list[str] = []
        kinds = (self._over_http, self._over_grpc)
        self._threads = [threading.Thread(target=self._repeat, args=(each,)) for each in kinds]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, deliver: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                deliver()
            except (grpc.RpcError, urllib3.exceptions.HTTPError) as error:
                self.failed.append(str(error))
            else:
                self.delivered.append(deliver.__name__)

    def _over_http(self) -> None:
        with urllib3.PoolManager(ca_certs=str(self._renewable.authority), retries=False) as pool:
            url = self._renewable.running.otlp_http + "/v1/traces"
            assert pool.request("POST", url, body=body(), headers={"content-type": PROTOBUF}).status == 200

    def _over_grpc(self) -> None:
        trusted = grpc.ssl_channel_credentials(self._renewable.authority.read_bytes())
        port = self._renewable.running.grpc.rpartition(":")[2]
        with grpc.secure_channel(f"localhost:{port}", trusted) as channel:
            channel.unary_unary(EXPORT)(body(), timeout=90)


def test_renewals_under_load_are_taken_by_all_ports_and_fail_no_delivery(renewable: Renewable) -> None:
    running, other = renewable.running, renewable.pair("other")
    senders = Senders(renewable)
    try:
        for name in ("second", "third", "fourth"):
            renewable.put(pair := renewable.pair(name))
            if name != "second":  # which is noticed without a word
                running.process.send_signal(signal.SIGHUP)
            until(lambda pair=pair: renewable.shown() == {serial(pair)})  # type: ignore[misc]
            before = len(senders.delivered)
            until(lambda before=before: set(senders.delivered[before:]) == {"_over_http", "_over_grpc"})  # type: ignore[misc]
        expiry = x509.load_pem_x509_certificate(pair.cert.read_bytes()).not_valid_after_utc
        assert renewable.metric("tls_certificate_expiry_timestamp_seconds") == expiry.timestamp()

        renewable.put(Pair(renewable.pair("fifth").cert, other.key))
        running.process.send_signal(signal.SIGHUP)
        until(lambda: "tls: keeps the certificate in use" in running.errors)
        assert renewable.shown() == {serial(pair)}
        assert renewable.metric("tls_files_refused") == 1
    finally:
        senders.end()
    assert running.process.poll() is None
    assert senders.failed == []
    until(lambda: renewable.metric("learned_traces_total") == len(senders.delivered))


@pytest.fixture
def files(tmp_path: Path) -> PemFiles:
    own, _ = make_authority(tmp_path, "used")
    return PemFiles(own.cert, own.key)


def test_half_a_renewal_is_waited_for_and_then_reported_once(files: PemFiles, tmp_path: Path) -> None:
    tls = Tls(files)
    before, (new, _) = files.key.read_bytes(), make_authority(tmp_path, "new")
    shutil.copyfile(new.cert, files.chain)
    tls.look()
    assert (tls.statistics().refusal, tls.statistics().refusals_total) == ("", 0)
    for _ in range(3):
        tls.look()
    assert tls.statistics().refusals_total == 1
    assert "private key" in tls.statistics().refusal and str(files.key) in tls.statistics().refusal
    assert tls.certificate.pem.key == before

    files.key.unlink()
    tls.look(settled=True)
    assert "cannot be read" in tls.statistics().refusal
    shutil.copyfile(new.key, files.key)
    tls.look()
    assert (tls.statistics().refusal, tls.statistics().loads_total) == ("", 2)
    assert tls.certificate.pem.key == new.key.read_bytes()


def test_the_old_files_put_back_are_no_renewal(files: PemFiles, tmp_path: Path) -> None:
    tls = Tls(files)
    octets = files.chain.read_bytes()
    files.chain.write_bytes(octets[: len(octets) // 2])
    tls.look(settled=True)
    files.chain.write_bytes(octets)
    tls.look()

    assert (tls.statistics().refusal, tls.statistics().loads_total) == ("", 1)


def test_an_expired_pair_does_not_take_the_place_of_a_valid_one(tmp_path: Path) -> None:
    authority, signer = make_authority(tmp_path)
    good = make_leaf(tmp_path, "good", authority, signer, "localhost")
    tls = Tls(PemFiles(good.cert, good.key))
    old = make_leaf(tmp_path, "old", authority, signer, "localhost", expired=True)
    tls.look(files=PemFiles(old.cert, old.key), settled=True)

    assert "has expired" in tls.statistics().refusal
    assert tls.certificate.pem.chain == good.cert.read_bytes()


DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("left_ns", "said"),
    [(15 * DAY, []), (14 * DAY - 1, ["expires in 13 days"]), (-1, ["has expired"])],
    ids=["long", "soon", "over"],
)
def test_the_end_is_announced_two_weeks_before(files: PemFiles, left_ns: int, said: list[str]) -> None:
    now_ns = 0
    tls = Tls(files, lambda: now_ns)
    now_ns = tls.statistics().expiry_ns - left_ns

    assert [text in note for text, note in zip(said, tls.notes(), strict=True)] == [True] * len(said)


def test_the_first_of_a_chain_to_expire_counts(tmp_path: Path) -> None:
    authority, signer = make_authority(tmp_path)
    leaf = make_leaf(tmp_path, "leaf", authority, signer, "localhost")
    old = make_leaf(tmp_path, "old", authority, signer, "localhost", expired=True)
    leaf.cert.write_bytes(leaf.cert.read_bytes() + old.cert.read_bytes())
    ends = x509.load_pem_x509_certificate(old.cert.read_bytes()).not_valid_after_utc

    assert Tls(PemFiles(leaf.cert, leaf.key)).statistics().expiry_ns == int(ends.timestamp()) * 10**9


def test_a_pair_that_cannot_be_used_at_the_start_is_one_line_with_both_settings(tmp_path: Path) -> None:
    one, _ = make_authority(tmp_path, "one")
    other, _ = make_authority(tmp_path, "other")

    with pytest.raises(LevoError, match=r"^tls-certificate .*, tls-key .*: cannot be used: [^\n]*$"):
        Tls(PemFiles(one.cert, other.key))
