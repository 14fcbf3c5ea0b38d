"""How a command asks a running Satellite: its flags, one request, and one line for each way it can fail."""

from __future__ import annotations

import json
import os
import urllib.parse
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import urllib3
from urllib3.exceptions import HTTPError, LocationValueError, MaxRetryError, SSLError

from levo.cli.table_options import table_flags, table_options
from levo.config import ProxyUrl
from levo.config.client import CLIENT, ClientConfig
from levo.config.merge import Loaded, merge
from levo.config.values import shown
from levo.errors import LevoError

Function = TypeVar("Function", bound=Callable[..., Any])

_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_MOST_NAMED = 8
PLACE = (("organization", "levoai_org_id"), ("environment", "levo_env"))
"""Parameters of the REST interface that narrow the catalog, and the settings they are taken from."""


class SatelliteError(LevoError):
    """The Satellite cannot be asked, or does not answer what was asked for."""

    exit_status = 2


def client_options(function: Function) -> Function:
    """Add the flags by which a command finds its Satellite and is let in."""
    return table_options(function, CLIENT)


def satellite_client(given: Mapping[str, Any]) -> SatelliteClient:
    """A client from what click collected and the process's environment.

    Raises:
        ConfigError: a value cannot be used.
    """
    loaded = merge(CLIENT, table_flags(given, CLIENT), os.environ)
    for warning in loaded.warnings:
        click.echo(f"levo: warning: {warning}", err=True)
    return SatelliteClient(loaded)


class SatelliteClient:
    """Asks one Satellite. Every failure is a :class:`SatelliteError` with the place and the fix in it."""

    def __init__(self, loaded: Loaded[ClientConfig]) -> None:
        self._config = loaded.config
        self._loaded = loaded
        url = loaded.config.satellite_url
        self.address = f"{'https' if url.tls else 'http'}://{url.authority}{url.prefix}"

    @property
    def place(self) -> dict[str, str]:
        """The organization and environment that were chosen, as parameters of a request."""
        chosen = {parameter: getattr(self._config, field) for parameter, field in PLACE}
        return {parameter: value for parameter, value in chosen.items() if value}

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON document at *path*.

        Raises:
            SatelliteError: there is none.
        """
        status, document = self._ask(path, query or {})
        if status == 200:
            return document
        raise SatelliteError(self._refused(status, document))

    def application(self, application: str, path: str, query: Mapping[str, str]) -> Any:
        """The JSON document at *path* about one application, named by the user.

        Raises:
            SatelliteError: there is none; where none or several fit, the text names those that exist.
        """
        wanted = {"application": application, **self.place}
        status, document = self._ask(path, {**wanted, **query})
        if status == 200:
            return document
        if status not in (400, 404):
            raise SatelliteError(self._refused(status, document))
        known = self.get("/api/applications", {"limit": "1000"}).get("applications", [])
        fitting = [each for each in known if all(each.get(key) == value for key, value in wanted.items())]
        if len(fitting) > 1:
            raise SatelliteError(
                f"{len(fitting)} applications fit: {_names(fitting)}; choose with --levoai-org-id "
                "and --levo-env"
            )
        if fitting:
            raise SatelliteError(self._refused(status, document))
        same = [each for each in known if each.get("application") == application]
        where = " and ".join(f"{key} {shown(value)}" for key, value in self.place.items())
        there = _names(same or known) or "none yet"
        raise SatelliteError(
            f"no application {shown(application)}{' in ' + where if where else ''} at {self.address}; "
            f"there {'is' if len(same or known) < 2 else 'are'} {there}"
        )

    def _ask(self, path: str, query: Mapping[str, str]) -> tuple[int, Any]:
        url = self.address + path
        if query:
            url += "?" + urllib.parse.urlencode(query)
        try:
            with self._pool() as pool, warnings.catch_warnings():
                # Whoever set ignore-ssl-verify knows.
                warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
                response = pool.request(
                    "GET", url, headers=self._headers(), timeout=_TIMEOUT, retries=False, redirect=False
                )
        except (HTTPError, LocationValueError, OSError) as error:
            raise SatelliteError(self._unreachable(error)) from None
        try:
            document = json.loads(response.data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise SatelliteError(self._not_pages(response.status))
        return response.status, document

    def _headers(self) -> dict[str, str]:
        headers = {"accept": "application/json"}
        if self._config.satellite_token:
            headers["authorization"] = f"Bearer {self._config.satellite_token}"
        if self._config.levoai_org_id:
            headers["x-levo-organization-id"] = self._config.levoai_org_id
        return headers

    def _pool(self) -> urllib3.PoolManager:
        config = self._config
        tls: dict[str, Any] = {}
        if config.satellite_url.tls:
            tls = {"cert_reqs": "CERT_NONE" if config.ignore_ssl_verify else "CERT_REQUIRED"}
            if config.tls_ca_cert_path:
                tls["ca_certs"] = config.tls_ca_cert_path
            if config.tls_client_cert_path:
                tls |= {"cert_file": config.tls_client_cert_path, "key_file": config.tls_client_key_path}
        proxy: ProxyUrl | None = config.https_proxy if config.satellite_url.tls else config.http_proxy
        if proxy is None:
            return urllib3.PoolManager(**tls)
        headers = urllib3.make_headers(proxy_basic_auth=proxy.credentials) if proxy.credentials else None
        return urllib3.ProxyManager(proxy.url, proxy_headers=headers, **tls)

    def _unreachable(self, error: BaseException) -> str:
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(reason, SSLError):
            if "CERTIFICATE_VERIFY_FAILED" in str(reason):
                return (
                    f"the certificate of {self.address} cannot be verified; name its authority with "
                    "--tls-ca-cert-path or LEVO_TLS_CA_CERT_PATH"
                )
            return f"{self.address} does not speak TLS as expected; is it http:// rather than https://?"
        if isinstance(reason, urllib3.exceptions.ProtocolError):
            return (
                f"{self.address} does not answer with HTTP; give the address of the Satellite's pages "
                f"(port 9999 by default) {self._source()}"
            )
        return f"no Satellite answers at {self.address}; start it there, or give its address {self._source()}"

    def _source(self) -> str:
        origin = self._loaded.origins["satellite-url"]
        if origin.kind == "environment":
            return f"in {origin.detail} or with --satellite-url"
        return "with --satellite-url or LEVO_SATELLITE_URL"

    def _not_pages(self, status: int) -> str:
        return (
            f"{self.address} answers (status {status}), but not as a Satellite's pages do; give their "
            f"address (port 9999 by default) {self._source()}"
        )

    def _refused(self, status: int, document: dict[str, Any]) -> str:
        detail = str(document.get("detail") or f"the Satellite answered {status}")
        if status == 404 and detail == "Not Found":  # nothing at all is there, as on the port of OTLP/HTTP
            return self._not_pages(status)
        if status not in (401, 403):
            return detail
        where = f"an admin makes one at {self.address}/settings"
        origin = self._loaded.origins["satellite-token"]
        if self._config.satellite_token is None:
            return (
                f"the Satellite at {self.address} asks for a token; give it in LEVO_SATELLITE_TOKEN or with "
                f"--satellite-token ({where})"
            )
        if status == 401:
            return (
                f"the Satellite at {self.address} does not accept the token of {origin}: it must be one with "
                f"a role, not one for ingestion ({where})"
            )
        return f"the token of {origin} does not allow this: {detail}; {where}"


def _names(applications: list[dict[str, Any]]) -> str:
    keys = ("organization", "environment", "application")
    names = ["/".join(str(each.get(key, "")) for key in keys) for each in applications]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
