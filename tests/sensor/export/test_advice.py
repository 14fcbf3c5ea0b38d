"""Each refusal that trying again does not cure names what to change, over HTTP and gRPC."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import grpc
import pytest

from levo.sensor.export import RetryPolicy
from levo.sensor.export.advice import handshake_problem
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.certificates import make_authority, make_leaf
from tests.sensor.export.helpers import balanced, otlp_output, wait_until
from tests.sensor.export.receivers import Answer, GrpcReceiver, HttpReceiver
from tests.sensor.export.test_tls import receiver

PASSES_OVER = RetryPolicy(initial_s=0.01, ceiling_s=0.05, total_s=20.0, waits_for_repair=False)
TRANSPORTS = pytest.mark.parametrize("transport", ["http", "grpc"])


def loss(url: str, **settings: object) -> str:
    """Why two traces were given up at *url*, at once and counted."""
    output = otlp_output(url, retry=PASSES_OVER, **settings)
    try:
        output.submit(NumberedBatch([1, 2]))
        assert output.flush(20)
        seen = balanced(output)
    finally:
        output.close(0)
    assert (seen.failed, seen.retries) == (2, 0)
    assert seen.last_loss is not None and "\n" not in seen.last_loss
    return seen.last_loss


def refused(transport: str, status: int, code: grpc.StatusCode, **settings: object) -> str:
    made: HttpReceiver | GrpcReceiver
    made = HttpReceiver([Answer(status)]) if transport == "http" else GrpcReceiver([Answer(code=code)])
    try:
        scheme = "http" if transport == "http" else "grpc"
        return loss(f"{scheme}://127.0.0.1:{made.port}", **settings)
    finally:
        made.close()


@TRANSPORTS
def test_without_a_token_it_is_said_how_to_give_one(transport: str) -> None:
    for status, code in ((401, grpc.StatusCode.UNAUTHENTICATED), (403, grpc.StatusCode.PERMISSION_DENIED)):
        said = refused(transport, status, code, organization_id="acme")
        assert "'acme' without a token" in said and "LEVO_SATELLITE_TOKEN" in said
        assert "Connect a sensor" in said


@TRANSPORTS
def test_a_token_that_is_not_accepted_is_named_by_its_place_and_never_shown(transport: str) -> None:
    said = refused(transport, 401, grpc.StatusCode.UNAUTHENTICATED, token="levo_s3cret")
    assert "revoked" in said and "LEVO_SATELLITE_TOKEN" in said and "s3cret" not in said

    said = refused(
        transport, 403, grpc.StatusCode.PERMISSION_DENIED, token="levo_s3cret", organization_id="acme"
    )
    assert "another one" in said and "--levoai-org-id" in said and "s3cret" not in said


@pytest.mark.parametrize(
    ("status", "path", "says"),
    [
        (404, "/satellite", "check the prefix '/satellite' of --satellite-url"),
        (404, "", "host and port of --satellite-url"),
        (405, "", "no OTLP receiver at this path"),
        (421, "", "start it with --listen"),
        (413, "", "max-request-bytes"),
        (407, "", "https-proxy"),
        (308, "", "set --satellite-url to the new address"),
    ],
)
def test_other_final_answers_of_http_name_the_setting(status: int, path: str, says: str) -> None:
    made = HttpReceiver([Answer(status)])
    try:
        said = loss(f"http://127.0.0.1:{made.port}{path}")
    finally:
        made.close()
    assert f"HTTP {status}: " in said and says in said


@TRANSPORTS
def test_an_untrusted_authority_is_named_with_the_setting_that_trusts_it(
    transport: str, tmp_path: Path
) -> None:
    authority, signer = make_authority(tmp_path)
    with receiver(transport, make_leaf(tmp_path, "server", authority, signer, "localhost")) as (_, url):
        said = loss(url)
    assert "certificate verify failed: unable to get local issuer certificate; " in said
    assert "tls-ca-cert-path" in said and "LEVO_TLS_CA_CERT_PATH" in said


@TRANSPORTS
def test_a_certificate_of_another_name_and_one_that_has_expired(transport: str, tmp_path: Path) -> None:
    authority, signer = make_authority(tmp_path)
    elsewhere = make_leaf(tmp_path, "elsewhere", authority, signer, "elsewhere.test")
    with receiver(transport, elsewhere) as (_, url):
        said = loss(url, ca_cert_path=authority.cert)
    assert "certificate verify failed: " in said and "mismatch" in said.lower()
    assert "--satellite-url must use a name or address that the certificate lists" in said

    old = make_leaf(tmp_path, "expired", authority, signer, "localhost", expired=True)
    with receiver(transport, old) as (_, url):
        said = loss(url, ca_cert_path=authority.cert)
    assert "certificate has expired; " in said and "renew it" in said


def test_tls_where_none_is_spoken_says_which_scheme_to_write() -> None:
    plain = HttpReceiver()
    try:
        assert "write http:// instead of https://" in loss(f"https://localhost:{plain.port}")
        assert "write grpc:// instead of grpcs://" in loss(f"grpcs://localhost:{plain.port}")
    finally:
        plain.close()


@TRANSPORTS
def test_a_service_goes_on_trying_for_a_certificate_may_be_renewed(transport: str, tmp_path: Path) -> None:
    authority, signer = make_authority(tmp_path)
    with receiver(transport, make_leaf(tmp_path, "server", authority, signer, "localhost")) as (_, url):
        output = otlp_output(url)
        try:
            output.submit(NumberedBatch([1]))
            wait_until(lambda: output.statistics().retries >= 2)
            wait_until(lambda: "tls-ca-cert-path" in (output.statistics().last_error or ""))
            assert output.statistics().held == 1
        finally:
            output.close(0)
    assert balanced(output).failed == 1


def test_a_connection_that_merely_breaks_off_tells_nothing_about_tls() -> None:
    assert handshake_problem(ConnectionResetError(104, "reset")) is None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        with socket.create_connection(silent.getsockname()) as plain:
            silent.accept()[0].close()
            with pytest.raises(OSError) as broken:
                ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    assert handshake_problem(broken.value) is None
