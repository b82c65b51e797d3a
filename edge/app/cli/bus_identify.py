"""Ask a station what it is: function 43, SunSpec, identification registers, plausible values."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from edge.core.bus.plan import character_bits, line_timing
from edge.core.bus.profile import Profile, parse_profile
from edge.core.bus.rtu import READ_HOLDING, decode_read_reply, encode_read
from edge.core.errors import BusError, DeviceError
from edge.core.field import device_id, identify
from edge.core.field.sunspec import Model, Walk
from edge.ports.linux import files
from edge.ports.linux.serial_probe import PAUSE_S, ProbeLine, reply_missing

#: (function, address, count) -> registers, None for a refusal or silence.
Ask = Callable[[int, int, int], tuple[int, ...] | None]

SUNSPEC = files.PROFILES / "sunspec"

#: A reply takes this long at most while a station that is known to be there is asked.
_WAIT_MS = 250

#: Requests besides the identification registers and values: what it says of itself, and SunSpec.
_OTHER_REQUESTS = 30
_REQUEST_CHARACTERS = 8
_REPLY_CHARACTERS = 5

#: Registers that a refused read of two or more is not tried for again.
_SURE = 90


class Library(NamedTuple):
    """Every profile that comes with the package, as documents and as meanings."""

    documents: list[dict[str, Any]]
    profiles: list[Profile]

    def likely_stations(self) -> tuple[int, ...]:
        """The numbers that devices leave the factory with."""
        found = {d.get("serial", {}).get("station") for d in self.documents}
        return tuple(sorted(n for n in found if isinstance(n, int) and 1 <= n <= 247))


class Identity(NamedTuple):
    """What is known of a station; candidates: the best first; named: None where doubt is left."""

    named: str | None
    candidates: tuple[identify.Candidate, ...]
    says: str
    models: tuple[Model, ...]


def read_library() -> Library:
    """All profiles; ConfigError for the first that is wrong."""
    names = sorted(path.stem for path in files.PROFILES.glob("*.toml"))
    documents = [files.read_profile(name, "profiles", name) for name in names]
    return Library(documents, [parse_profile(document) for document in documents])


def read_sunspec_models() -> dict[int, dict[str, Any]]:
    """SunSpec model number -> its document."""
    schema = SUNSPEC / "sunspec.schema.json"
    documents = [files.read_document(path, schema) for path in sorted(SUNSPEC.glob("*.toml"))]
    return {document["model"]: document for document in documents}


def asker(line: ProbeLine, station: int) -> Ask:
    """Ask `station` for registers on `line`; a damaged reply is asked for once more."""

    def ask(function: int, address: int, count: int) -> tuple[int, ...] | None:
        request = encode_read(station, function, address, count)
        for _ in range(2):
            answer = line.exchange(request, _WAIT_MS, lambda data: reply_missing(request, data))
            data = answer.data[len(request) :] if answer.data.startswith(request) else answer.data
            try:
                return decode_read_reply(request, data)
            except DeviceError:
                return None
            except BusError:
                if not answer.data:
                    return None
        return None

    return ask


def read_device_id(line: ProbeLine, station: int) -> tuple[tuple[int, str], ...]:
    """The objects of function 43, mandatory and optional ones; () where it is not known."""
    objects: dict[int, str] = {}
    for access in (device_id.BASIC, device_id.REGULAR):
        following: int | None = 0
        while following is not None:
            request = device_id.encode_device_id(station, access, following)
            data = line.exchange(request, _WAIT_MS, lambda d, r=request: reply_missing(r, d)).data  # type: ignore[misc]
            data = data[len(request) :] if data.startswith(request) else data
            try:
                following, part = device_id.decode_device_id(request, data)
            except (BusError, DeviceError):
                return tuple(sorted(objects.items()))
            objects.update(dict(part))
    return tuple(sorted(objects.items()))


def walk_sunspec(ask: Ask) -> Walk:
    """Search the marker and walk the chain to its end."""
    walk = Walk()
    while (wanted := walk.wanted()) is not None:
        walk.take(ask(READ_HOLDING, wanted.address, wanted.count))
    return walk


def naming_us(library: Library, baud: int, serial_format: str) -> int:
    """What naming one station takes at most where no reply comes damaged: none comes in time."""
    questions = identify.plan_questions(library.documents, library.profiles)
    timing = line_timing(baud, character_bits(serial_format))
    characters = _REQUEST_CHARACTERS + _REPLY_CHARACTERS + 2 * max(q.count for q in questions)
    wire_us = characters * timing.character_us + 2 * timing.silence_us
    each_us = wire_us + int(PAUSE_S * 1e6) + _WAIT_MS * 1000
    return int((len(questions) + _OTHER_REQUESTS) * each_us)


def identify_station(line: ProbeLine, station: int, library: Library) -> Identity:
    """Name the station, or rank what it may be; reads only."""
    ask = asker(line, station)
    said = " ".join(text for _, text in read_device_id(line, station) if text)
    walk = walk_sunspec(ask)
    candidates: list[identify.Candidate] = []
    if walk.state == "done":
        numbers = ", ".join(str(model.number) for model in walk.models)
        candidates.append(identify.Candidate("sunspec", 97, "sunspec", numbers))
        if walk.common is not None:
            common = walk.common
            said = " ".join(t for t in (said, common.manufacturer, common.model) if t)
    if said:
        told = [identify.judge_text(document, said) for document in library.documents]
        candidates += [candidate for candidate in told if candidate is not None]
    if not any(candidate.score >= _SURE for candidate in candidates):
        candidates += _judge_by_registers(ask, library)
    ranked = identify.rank(candidates)
    return Identity(identify.named(ranked), ranked, said, walk.models)


def _judge_by_registers(ask: Ask, library: Library) -> list[identify.Candidate]:
    answers = {
        question: ask(*question)
        for question in identify.plan_questions(library.documents, library.profiles)
    }
    pairs = zip(library.documents, library.profiles)
    return [identify.judge(document, profile, answers) for document, profile in pairs]


def describe(identity: Identity) -> dict[str, Any]:
    """An identity as plain data."""
    result: dict[str, Any] = {
        "profile": identity.named,
        "candidates": [c._asdict() for c in identity.candidates[:5]],
        "says": identity.says,
        "sunspec": [model.number for model in identity.models],
    }
    json.dumps(result)
    return result
