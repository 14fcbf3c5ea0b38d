"""The sensor's configuration: one frozen :class:`SensorConfig` out of flags, variables, a file, defaults."""

from levo.config.merge import Merged, Origin, check_file, load
from levo.config.options import BY_NAME, DEFAULT_PATH, OPTIONS, Option, Surroundings
from levo.config.rules import IpFilter, IpRule, Redaction, UrlFilter, UrlRule
from levo.config.sensor_config import SensorConfig
from levo.config.values import BadValue, HostPort, OutputSpec, Pattern, PortRange, ProxyUrl, SatelliteUrl

__all__ = [
    "BY_NAME",
    "DEFAULT_PATH",
    "OPTIONS",
    "BadValue",
    "HostPort",
    "IpFilter",
    "IpRule",
    "Merged",
    "Option",
    "Origin",
    "OutputSpec",
    "Pattern",
    "PortRange",
    "ProxyUrl",
    "Redaction",
    "SatelliteUrl",
    "SensorConfig",
    "Surroundings",
    "UrlFilter",
    "UrlRule",
    "check_file",
    "load",
]
