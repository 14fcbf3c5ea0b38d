"""What to do about a refusal that trying again does not cure: names the flag, variable or key to change.

The texts are ours: nothing that a server answered is repeated.
"""

from __future__ import annotations

import re
import ssl

from levo.sensor.export.settings import OtlpSettings

_TOKEN_PLACES = "LEVO_SATELLITE_TOKEN (or satellite-token in the configuration file)"
_WHERE_TOKENS_ARE_MADE = "the Satellite's page Connect a sensor makes one"
_UNTRUSTED = (
    "the authority that signed it is not trusted here: name its PEM file with tls-ca-cert-path or "
    "LEVO_TLS_CA_CERT_PATH (the Satellite's page Connect a sensor offers it)"
)
_WRONG_NAME = "--satellite-url must use a name or address that the certificate lists"
_NOT_TLS = "TLS is not spoken there: write http:// instead of https://, or give the receiver a certificate"
_CLIENT_CERTIFICATE = "the receiver asks for a client certificate: set tls-client-cert-path"

_VERIFY_ADVICE = {
    9: "it is not valid yet: check the clocks of both machines",
    10: "it has expired: renew it at the receiver, or check this machine's clock",
    23: "it is revoked: the receiver needs a new one",
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}
"""By OpenSSL's X509_V_ERR number; for all the others the authority is not trusted."""
_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
"""OpenSSL's reasons when the other side did not answer in TLS."""
_GRPC_VERIFY = re.compile(r"CERTIFICATE_VERIFY_FAILED(?:: ([a-zA-Z ,'-]{1,80}))?")


def unauthenticated(settings: OtlpSettings) -> str:
    """HTTP 401, gRPC UNAUTHENTICATED."""
    if settings.token:
        return (
            f"the receiver rejects {_who(settings)} with the token in {_TOKEN_PLACES}: it is mistyped, "
            f"revoked or not for ingestion; {_WHERE_TOKENS_ARE_MADE}"
        )
    return (
        f"the receiver rejects {_who(settings)} without a token: give one in {_TOKEN_PLACES}; "
        f"{_WHERE_TOKENS_ARE_MADE}"
    )


def forbidden(settings: OtlpSettings) -> str:
    """HTTP 403, gRPC PERMISSION_DENIED."""
    if not settings.token:
        return unauthenticated(settings)
    if settings.organization_id:
        return (
            f"the receiver rejects organization {settings.organization_id!r} with this token, which belongs "
            "to another one: set --levoai-org-id to the token's organization, or use a token of this one"
        )
    return "the receiver refuses this token: check LEVO_SATELLITE_TOKEN, and set --levoai-org-id"


def http_refusal(status: int, settings: OtlpSettings) -> str | None:
    """What to do about an HTTP status that is final, None where there is nothing to say."""
    if status == 401:
        return unauthenticated(settings)
    if status == 403:
        return forbidden(settings)
    if 300 <= status < 400:
        return "redirected; set --satellite-url to the new address"
    if status in (404, 405):
        prefix = settings.address.traces_path.removesuffix("/v1/traces")
        if prefix:
            return (
                f"no OTLP receiver at this path: check the prefix {prefix!r} of --satellite-url; "
                "/v1/traces is added to it"
            )
        return "no OTLP receiver at this path: check host and port of --satellite-url"
    return {
        400: "the receiver cannot read the request: is it an OTLP/HTTP receiver, and not a TLS port?",
        407: "the proxy asks for credentials: write them into http-proxy or https-proxy",
        413: "the request is larger than the receiver takes: raise its max-request-bytes",
        415: "the receiver does not take OTLP as protobuf with gzip",
        421: (
            f"the receiver does not answer to the name {settings.address.host!r}: a Satellite on loopback "
            "answers to localhost only; start it with --listen and an address that this machine reaches"
        ),
    }.get(status)


def handshake_problem(error: BaseException) -> str | None:
    """What is wrong with TLS and what to change; None where *error* tells of no such thing."""
    seen = _ssl_error(error)
    if seen is None:
        return None
    if isinstance(seen, ssl.SSLCertVerificationError):
        reason = (seen.verify_message or "unknown reason").rstrip(".")
        return f"certificate verify failed: {reason}; {_VERIFY_ADVICE.get(seen.verify_code, _UNTRUSTED)}"
    reason = seen.reason or ""
    if reason in _PLAIN:
        return _NOT_TLS
    if "CERTIFICATE_REQUIRED" in reason:
        return _CLIENT_CERTIFICATE
    if "UNKNOWN_CA" in reason or "BAD_CERTIFICATE" in reason:
        return "the receiver does not trust the certificate in tls-client-cert-path"
    return None


def grpc_handshake_problem(details: str) -> str | None:
    """The same, out of what the gRPC library says of a connection that cannot be made."""
    failed = _GRPC_VERIFY.search(details)
    if failed is not None:
        reason = (failed[1] or "").strip()
        advice = next((text for sign, text in _GRPC_REASONS if sign in reason), _UNTRUSTED)
        return f"certificate verify failed{f': {reason}' if reason else ''}; {advice}"
    return next((text for sign, text in _GRPC_SIGNS if sign in details), None)


_GRPC_REASONS = (
    ("expired", _VERIFY_ADVICE[10]),
    ("not yet valid", _VERIFY_ADVICE[9]),
    ("revoked", _VERIFY_ADVICE[23]),
)
_GRPC_SIGNS = (
    ("Hostname Verification Check failed", f"certificate verify failed: host name mismatch; {_WRONG_NAME}"),
    ("CERTIFICATE_REQUIRED", _CLIENT_CERTIFICATE),
    ("WRONG_VERSION_NUMBER", "TLS is not spoken there: write grpc:// instead of grpcs://"),
    ("missing selected ALPN", "gRPC is not spoken there: https:// is for OTLP/HTTP, grpcs:// for port 4317"),
)


def _who(settings: OtlpSettings) -> str:
    if settings.organization_id:
        return f"organization {settings.organization_id!r}"
    return "traces without an organization (--levoai-org-id)"


def _ssl_error(error: BaseException | None) -> ssl.SSLError | None:
    """The standard library's error in a chain of causes (urllib3 wraps it twice)."""
    for _ in range(6):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        nested = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((each for each in nested if isinstance(each, BaseException)), None)
    return None
