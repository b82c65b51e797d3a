"""The register of a monitoring plan: instruments as the gateways recorded and their owners stated.

Device, profile and rate are records of the journal. Location, class and calibration are text of
gateway.toml; its SHA-256 is in the journal, so a file that is given here is one that was in force,
or it is said that it was not.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from cloud_sync.reading.database import Database
from edge.core.errors import ConfigError

_DEVICES = """
    SELECT gateway, epoch, device, bus, station, profile, poll_ms FROM v_devices
    WHERE tenant = :tenant ORDER BY gateway, number"""
_CONFIGS = "SELECT gateway, epoch, seq, digest FROM v_configs WHERE tenant = :tenant ORDER BY seq"

#: What `[device.instrument]` may say.
STATED = (
    *("location", "serial", "accuracy_class", "calibrated", "calibration_due"),
    *("certificate", "responsible"),
)
_FILE_MAX_BYTES = 1_000_000


class SiteFile(NamedTuple):
    """A gateway.toml. instruments: device name -> what it states."""

    name: str
    tenant: str
    gateway: str
    digest: str
    instruments: dict[str, dict[str, str]]


def read_site_file(path: Path) -> SiteFile:
    """The statements of one configuration; ConfigError "config.file", "config.syntax"."""
    try:
        if path.stat().st_size > _FILE_MAX_BYTES:
            raise ConfigError("config.file", file=str(path), reason="larger than 1 MB")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError("config.file", file=str(path), reason=str(error.strerror)) from error
    try:
        document = tomllib.loads(data.decode("utf-8"))
        identity = document["gateway"]
        instruments = {
            str(device["name"]): {
                key: str(device.get("instrument", {}).get(key, "")) for key in STATED
            }
            for device in document["device"]
        }
        names = (str(identity["tenant"]), str(identity["id"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"no configuration of a gateway: {error}"
        raise ConfigError("config.syntax", file=str(path), reason=reason) from error
    return SiteFile(path.name, *names, hashlib.sha256(data).hexdigest(), instruments)


def read_register(database: Database, tenant: str, files: list[SiteFile]) -> list[dict[str, Any]]:
    """One object an instrument, of the newest journal of its gateway.

    proof: the record that has the digest of the file which states it, None where none has;
    file: its name, None where no file was given for the gateway.
    """
    given = {file.gateway: file for file in files if file.tenant == tenant}
    recorded = {(row[0], row[3]): row[1:3] for row in database.rows(_CONFIGS, tenant=tenant)}
    newest = _newest(database, tenant)
    found = []
    for gateway, epoch, device, bus, station, profile, poll_ms in database.rows(
        _DEVICES, tenant=tenant
    ):
        if newest.get(gateway) != epoch:
            continue
        file = given.get(gateway)
        proof = None if file is None else recorded.get((gateway, file.digest))
        found.append(
            {
                "gateway": gateway,
                "instrument": device,
                "profile": profile,
                "address": f"{bus}/{station}",
                "poll_ms": poll_ms,
                **dict.fromkeys(STATED, ""),
                **_stated(file, device),
                "file": None if file is None else file.name,
                "proof": None if proof is None else {"epoch": proof[0], "record": proof[1]},
            }
        )
    return found


def _newest(database: Database, tenant: str) -> dict[str, str]:
    rows = database.rows(
        "SELECT gateway, epoch FROM v_gateways WHERE tenant = :tenant ORDER BY last_seen_ms",
        tenant=tenant,
    )
    return dict(rows)


def _stated(file: SiteFile | None, device: str) -> dict[str, str]:
    """A group of points is recorded as NAME-GROUP and is the instrument NAME."""
    if file is None:
        return {}
    owners = [name for name in file.instruments if device == name or device.startswith(name + "-")]
    return file.instruments[max(owners, key=len)] if owners else {}
