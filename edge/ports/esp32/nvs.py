"""What an ESP32 keeps in NVS: secrets, and where the journal ends. Never in a file."""

from edge.core.errors import ConfigError, DataError
from edge.core.journal.chain import KEY_BYTES
from edge.core.numbers import pack

NAMESPACE = "tally"

_VALUE_BYTES = 128


class Vault:
    """Blobs of one NVS namespace. nvs: an `esp32.NVS`."""

    def __init__(self, nvs: object) -> None:
        self._nvs = nvs

    def read(self, name: str) -> bytes | None:
        """A value, None when it was never written."""
        buffer = bytearray(_VALUE_BYTES)
        try:
            size = self._nvs.get_blob(name, buffer)  # type: ignore[attr-defined]
        except OSError:
            return None
        return bytes(buffer[:size])

    def write(self, name: str, value: bytes) -> None:
        """Keep a value; it is there when this returns."""
        self._nvs.set_blob(name, value)  # type: ignore[attr-defined]
        self._nvs.commit()  # type: ignore[attr-defined]

    def note(self, name: str, value: bytes) -> None:
        """Keep what only helps: an NVS that takes no more ends no start."""
        try:
            self.write(name, value)
        except OSError:
            pass

    def device_key(self) -> bytes:
        """The key that batches are sealed with; raises ConfigError "config.secret"."""
        key = self.read("key")
        if key is None or len(key) != KEY_BYTES:
            raise ConfigError("config.secret", file="NVS", reason="no device key of 32 bytes")
        return key

    def text(self, name: str) -> str | None:
        """A value as text: a password; None also for what is no text."""
        value = self.read(name)
        try:
            return None if value is None else value.decode()
        except ValueError:  # a text that was cut within a letter
            return None


class JournalMark:
    """A second memory of where the journal ends, for a flash that was lost or put back.

    It is written when the journal is opened, begun anew or closed: NVS is flash as well.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def read(self) -> tuple[bytes, int, int, int] | None:
        """(epoch, seq, boot, acked), None when there is none that can be read."""
        data = self._vault.read("mark")
        try:
            fields = pack.decode(data) if data else None
        except DataError:
            return None
        if not isinstance(fields, list) or len(fields) != 4:
            return None
        return fields[0], fields[1], fields[2], fields[3]

    def write(self, mark: tuple[bytes, int, int, int]) -> None:
        """Keep a mark; without one a check is missing, no data, so nothing is raised."""
        self._vault.note("mark", pack.encode(list(mark)))
