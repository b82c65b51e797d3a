"""The error taxonomy: one root, a stable dotted code, fields instead of prose.

The words a person reads are in `table`, keyed by code; code here never formats text.
"""


class TallyError(Exception):
    """Root of every failure that is not a bug.

    code: stable dotted name, a key of `errors.table.TABLE`.
    fields: what happened, as names and plain values; never a secret.
    """

    def __init__(self, code: str, **fields: object) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields


class UsageError(TallyError):
    """The command line or the machine does not allow what was asked; nothing was started."""


class ConfigError(TallyError):
    """Rejected before any I/O: a file, a key or a value that cannot be used."""


class ProfileError(ConfigError):
    """A device profile that contradicts itself or the Modbus limits."""


class BusError(TallyError):
    """On the RS-485 pair and ours to detect: silence, noise, echo, a wrong frame."""


class DeviceError(TallyError):
    """The station answered, with a Modbus exception."""


class DataError(TallyError):
    """Well-formed but unusable: a value, a packed object or a record out of its limits."""


class StoreError(TallyError):
    """The local journal cannot do what was asked."""


class SyncError(TallyError):
    """Between gateway and cloud: transport, authenticity, order."""
