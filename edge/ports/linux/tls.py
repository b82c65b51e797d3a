"""TLS as a gateway wants it: chain, name and dates verified, and nothing offers a way around.

Dates are held against the system's clock. One that is before FLOOR_MS or after CEILING_MS was
never set, or is broken: TLS waits until it has been. Any other is believed, and a certificate
that it refuses is told together with what the clock said.
"""

import os
import socket
import ssl
import time

from edge.core.errors import ConfigError, SyncError
from edge.core.journal.clock import CEILING_MS, FLOOR_MS

#: OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_BEGINS_LATER, _HAS_ENDED = 9, 10


def check_clock(server: str) -> None:
    """Raises SyncError "sync.dates" while the clock cannot be right."""
    if not FLOOR_MS <= time.time_ns() // 1_000_000 < CEILING_MS:
        raise _wrong_dates(server, "this clock was never set")


def dates_error(server: str, error: Exception) -> SyncError | None:
    """The SyncError "sync.dates" for a handshake that failed for a certificate's dates."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return None
    if error.verify_code not in (_BEGINS_LATER, _HAS_ENDED):
        return None
    return _wrong_dates(server, error.verify_message)


def _wrong_dates(server: str, reason: str) -> SyncError:
    clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return SyncError("sync.dates", server=server, clock=clock, reason=reason)


def verifying_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a client context that checks chain, dates and host name, from TLS 1.2 on.

    Raises ConfigError "config.file".
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file)
    except OSError as error:
        raise ConfigError("config.file", file=ca_file, reason=describe_failure(error))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def describe_failure(error: Exception) -> str:
    """Say in a few words why the system or OpenSSL refused."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
