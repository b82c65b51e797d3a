"""What the receiver tells the one who runs it: one JSON object a line, or a line of counts."""

import sys
import threading

from cloud_sync.json_text import as_json
from cloud_sync.tongue import as_lines, told
from edge.core.errors import TallyError
from edge.core.errors.table import printable


class Report:
    """Takes notices from the worker and writes them; counts for `line`.

    json: NDJSON on standard output, {"event": name, ...}; otherwise refusals, alarms and failures
    go to standard error as they come and the counts are the caller's to print.
    """

    def __init__(self, json: bool) -> None:
        self.json = json
        self._lock = threading.Lock()
        self._counts = {"stored": 0, "quarantined": 0, "alarm": 0}
        self._records = 0
        self._readings = 0
        self._gateways: set[object] = set()
        self._over: set[object] = set()
        self._broker = "not connected"

    def notice(self, name: str, fields: dict[str, object]) -> None:
        """Take one notice; fields are those of `Receiver` and `Service`."""
        error = fields.get("error")
        self._count(name, fields)
        if self.json:
            if isinstance(error, TallyError):
                fields = {"code": error.code, "text": told(error)[0], **error.fields}
            self._write(as_json({"event": name, **fields}))
        elif isinstance(error, TallyError):
            self._complain(as_lines(error))
        elif name in ("quarantined", "alarm"):
            code = str(fields["code"])
            plain = {field: value for field, value in fields.items() if field != "code"}
            self._complain(f"{name}[{code}]: {told(TallyError(code, **plain))[0]}")
        elif name == "within":
            counts = f"{fields['slowed']} messages had to wait, {fields['dropped']} to come again"
            self._write(f"{printable(str(fields['gateway']))} is within its rate again: {counts}")
        elif name == "store":
            self._write(_store_line(fields))
        elif name == "ready":
            self._write(f"ready on {printable(str(fields['broker']))}")

    def _count(self, name: str, fields: dict[str, object]) -> None:
        if name in self._counts:
            self._counts[name] += 1
        if name == "stored":
            self._records += _number(fields["new"])
            self._readings += _number(fields["readings"])
            self._gateways.add(fields["gateway"])
        if name == "ready":
            self._broker = "connected"
        error = fields.get("error")
        if name == "failing" and isinstance(error, TallyError) and error.code.startswith("sync."):
            self._broker = "not connected"
        if name == "over" and isinstance(error, TallyError):
            self._over.add(error.fields["gateway"])
        if name == "within":
            self._over.discard(fields["gateway"])

    def line(self, dropped: int) -> None:
        """Write the counts since the start as one line."""
        counts = self._counts
        self._write(
            f"{self._broker}  gateways {len(self._gateways)}  batches {counts['stored']}"
            f"  records {self._records}  readings {self._readings}"
            f"  quarantined {counts['quarantined']}  alarms {counts['alarm']}  dropped {dropped}"
            + (f"  over their rate {len(self._over)}" if self._over else "")
        )

    def _write(self, text: str) -> None:
        with self._lock:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def _complain(self, text: str) -> None:
        with self._lock:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def _store_line(fields: dict[str, object]) -> str:
    """What is written to; of TimescaleDB that is there and unused too."""
    extension = fields.get("timescaledb")
    if extension is None:
        beside = ""
    elif fields["layout"] == "hypertables":
        beside = f" of timescaledb {extension}"
    else:
        beside = f", made without timescaledb {extension}"
    return f"store {fields['store']}: {fields['layout']}{beside}"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
