"""Delivery of finished exchanges: one bounded queue, thread and destination per ``--output``.

Nothing here is called by the capture thread except ``Output.submit``, which never waits.
"""

from levo.sensor.export.batch import EncodedRequest, ExportBatch, RequestLimits
from levo.sensor.export.destination import Destination, Receipt
from levo.sensor.export.failure import ExportError, PermanentExportError, RetryableExportError, SpoolError
from levo.sensor.export.opening import open_destination
from levo.sensor.export.output import Output
from levo.sensor.export.queue import QueueLimits
from levo.sensor.export.retry import RetryPolicy
from levo.sensor.export.settings import OtlpSettings
from levo.sensor.export.spool import Spool
from levo.sensor.export.statistics import OutputStatistics

__all__ = [
    "Destination",
    "EncodedRequest",
    "ExportBatch",
    "ExportError",
    "OtlpSettings",
    "Output",
    "OutputStatistics",
    "PermanentExportError",
    "QueueLimits",
    "Receipt",
    "RequestLimits",
    "RetryPolicy",
    "RetryableExportError",
    "Spool",
    "SpoolError",
    "open_destination",
]
