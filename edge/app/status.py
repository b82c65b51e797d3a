"""What a gateway knows of itself, as one plain object: the `--json` contract of `run`."""

from edge.app.gateway import Gateway
from edge.app.poller import Poller
from edge.app.station import Station
from edge.core.journal.clock import NAMES as CLOCK_NAMES
from edge.core.numbers.fixed import format_decimal
from edge.core.numbers.quality import NAMES as QUALITY_NAMES


def status_of(gateway: Gateway, now_ms: int) -> dict[str, object]:
    """The status object; values are decimal text in the unit the profile declares."""
    recorder = gateway.recorder
    store = recorder.store
    uploader = gateway.uploader
    error = recorder.failure or uploader.error
    return {
        "event": "status",
        "mono_ms": now_ms,
        "wall_ms": recorder.wall_ms(now_ms),
        "clock": CLOCK_NAMES[recorder.anchor.quality],
        "boot": recorder.boot,
        "epoch": store.epoch.hex(),
        "devices": [
            _device(gateway, poller, station, now_ms)
            for poller in gateway.pollers
            for station in poller.stations
        ],
        "account": {
            "intervals": gateway.intervals,
            "scope1_mg": gateway.scope1_mg,
            "scope2_mg": gateway.scope2_mg,
            "intensity_mg_per_kwh": gateway.intensity_mg_per_kwh,
        },
        "journal": {
            "head_seq": store.next_seq - 1,
            "acked_seq": store.acked_seq,
            "depth": store.next_seq - 1 - store.acked_seq,
            "uncommitted": recorder.waiting,
            "dropped_polls": recorder.dropped_polls,
        },
        "uplink": {
            "state": uploader.uplink.state,
            "batches_sent": uploader.batches_sent,
            "error": None if error is None else error.code,
        },
    }


def _device(gateway: Gateway, poller: Poller, station: Station, now_ms: int) -> dict[str, object]:
    poll, good_ms = (gateway.shown or {}).get(station.number, (None, None))
    values = {}
    quality = "none"
    if poll is not None:
        worst = 0
        for index, point in enumerate(station.device.points):
            value = poll.values[index]
            code = poll.qualities.get(index, 0)
            worst = code if worst == 0 else worst
            values[point.name] = None if value is None else format_decimal(value, point.places)
        quality = QUALITY_NAMES[worst]
    return {
        "name": station.device.name,
        "number": station.number,
        "station": station.device.station,
        "quality": quality,
        "age_ms": None if good_ms is None else now_ms - good_ms,
        "polls": station.polls,
        "failures": station.failures,
        "dead": poller.is_dead(station),
        "reply_timeout_ms": station.patience.timeout_ms(),
        "error": station.trouble,
        "values": values,
    }
