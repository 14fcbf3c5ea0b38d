"""Flags, variables, a file and defaults become one frozen value: the sensor's :class:`SensorConfig`, the
Satellite's ``SatelliteSettings``, the ``ClientConfig`` of a command that asks a Satellite.
"""

from levo.config.merge import Loaded, Merged, check_file, load, merge
from levo.config.options import BY_NAME, DEFAULT_PATH, OPTIONS, SENSOR
from levo.config.rules import IpFilter, IpRule, Redaction, UrlFilter, UrlRule
from levo.config.sensor_config import SensorConfig
from levo.config.table import Option, SettingOrigin, Surroundings, Table
from levo.config.values import BadValue, HostPort, OutputSpec, Pattern, PortRange, ProxyUrl, SatelliteUrl

__all__ = [
    "BY_NAME",
    "DEFAULT_PATH",
    "OPTIONS",
    "SENSOR",
    "BadValue",
    "HostPort",
    "IpFilter",
    "IpRule",
    "Loaded",
    "Merged",
    "Option",
    "OutputSpec",
    "Pattern",
    "PortRange",
    "ProxyUrl",
    "Redaction",
    "SatelliteUrl",
    "SensorConfig",
    "SettingOrigin",
    "Surroundings",
    "Table",
    "UrlFilter",
    "UrlRule",
    "check_file",
    "load",
    "merge",
]
