"""SunSpec: devices that describe themselves by a chain of models in their holding registers.

The marker "SunS" stands at one of three addresses; behind it each model has its number, its
length, and as many registers; model 0xFFFF ends the chain. Source: SunSpec Device Information
Model Specification 1.1, 6. The length is the device's word and is trusted over the definition.
"""

from collections import namedtuple

from edge.core.bus.profile import Profile, parse_profile
from edge.core.bus.rtu import READ_HOLDING, REGISTERS_MAX
from edge.core.field.device_id import printable_ascii

#: Where the marker may stand, in the order of how many devices put it there.
BASES = (40000, 0, 50000)

MARKER = (0x5375, 0x6E53)
END = 0xFFFF
COMMON = 1

#: A chain longer than this is a loop or noise.
MODELS_MAX = 64

#: One model on the device. address: of its number; length: registers after number and length.
Model = namedtuple("Model", ("number", "address", "length"))

#: What model 1 says.
Common = namedtuple("Common", ("manufacturer", "model", "version", "serial"))

#: (first offset from the model's start, registers) of the fields of model 1.
_COMMON_FIELDS = ((2, 16), (18, 16), (42, 8), (50, 16))

#: One register read that the walk wants: wire address and count, function 3.
Read = namedtuple("Read", ("address", "count"))


class Walk:
    """Finds the marker and walks the chain: ask `wanted()`, read it, `take` what came.

    state: "search", "chain", "common", "done" (models are there) or "none" (no SunSpec).
    models: tuple of Model in the order of the chain; common: Common or None.
    is_complete: the chain ended with its end mark.
    """

    def __init__(self) -> None:
        self.state = "search"
        self.base = 0
        self.models: tuple[Model, ...] = ()
        self.common: Common | None = None
        self.is_complete = False
        self._bases = list(BASES)
        self._address = 0

    def wanted(self) -> Read | None:
        """The next read, or None when the walk is over."""
        if self.state == "search":
            return Read(self._bases[0], 2)
        if self.state == "chain":
            return Read(self._address, 2)
        if self.state == "common":
            first = self.models[0]
            return Read(first.address, min(2 + first.length, _COMMON_FIELDS[-1][0] + 16))
        return None

    def take(self, registers: tuple[int, ...] | None) -> None:
        """What the wanted read brought; None when the station refused or did not answer it."""
        if self.state == "search":
            self._search(registers)
        elif self.state == "chain":
            self._chain(registers)
        elif self.state == "common":
            if registers is not None:
                self.common = decode_common(registers)
            self.state = "done"

    def _search(self, registers: tuple[int, ...] | None) -> None:
        found = self._bases[0]
        self._bases = self._bases[1:]
        if registers == MARKER:
            self.base = found
            self._address = found + 2
            self.state = "chain"
        elif not self._bases:
            self.state = "none"

    def _chain(self, registers: tuple[int, ...] | None) -> None:
        if registers is not None and registers[0] == END:
            self.is_complete = True
            self._leave_chain()
            return
        if registers is None or registers[0] == 0:
            self._leave_chain()
            return
        model = Model(registers[0], self._address, registers[1])
        following = self._address + 2 + model.length
        self.models += (model,)
        self._address = following
        if following > 65534 or len(self.models) >= MODELS_MAX:
            self._leave_chain()

    def _leave_chain(self) -> None:
        if not self.models:
            self.state = "none"
        elif self.models[0].number == COMMON:
            self.state = "common"
        else:
            self.state = "done"


def decode_common(registers: tuple[int, ...]) -> Common:
    """The texts of model 1, from its registers with number and length in front."""
    texts = []
    for first, count in _COMMON_FIELDS:
        data = b""
        for register in registers[first : first + count]:
            data += bytes((register >> 8, register & 0xFF))
        texts.append(printable_ascii(data))
    return Common(texts[0], texts[1], texts[2], texts[3])


def _shift(point: dict, start: int, prefix: str) -> dict:
    """A point of a model as a point of the device: offsets become wire addresses."""
    shifted = dict(point)
    shifted["name"] = prefix + str(point["name"])
    if "address" in point:
        shifted["address"] = start + point["address"]
    if "terms" in point:
        shifted["terms"] = [_move(term, start) for term in point["terms"]]
    if "scale_register" in point:
        shifted["scale_register"] = _move(point["scale_register"], start)
    return shifted


def _move(place: dict, start: int) -> dict:
    moved = dict(place)
    moved["address"] = start + place["address"]
    return moved


def _end_of(point: dict) -> int:
    """The first offset after every register that a point needs, at least."""
    places = [point] + list(point.get("terms", []))
    if "scale_register" in point:
        places.append(point["scale_register"])
    return int(max([place["address"] + 1 for place in places if "address" in place]))


def plan_document(models: tuple[Model, ...], documents: dict[int, dict]) -> dict | None:
    """The profile document of a device, from its chain and the definitions of known models.

    documents: model number -> document as `edge/profiles/sunspec` has them. Points beyond a
    model's own length are left out. The names of a second model of the device get its number in
    front, `m<number>_`, those of a repeated one its place in the chain too.
    Returns None when no model of the chain is known.
    """
    points: list[dict] = []
    sentinels: dict[str, set] = {}
    seen: list[int] = []
    for model in models:
        document = documents.get(model.number)
        if document is None:
            continue
        prefix = "m%d_" % model.number if seen else ""
        if model.number in seen:
            prefix += "%d_" % (seen.count(model.number) + 1)
        seen.append(model.number)
        for point in document["points"]:
            if _end_of(point) <= 2 + model.length:
                points.append(_shift(point, model.address, prefix))
        for kind in document.get("sentinels", {}):
            sentinels[kind] = sentinels.get(kind, set()) | set(document["sentinels"][kind])
    if not points:
        return None
    return {
        "id": "sunspec_" + "_".join([str(number) for number in seen]),
        "function": READ_HOLDING,
        "word_order": "big",
        "byte_order": "big",
        "max_block_registers": REGISTERS_MAX,
        "sentinels": {k: sorted(sentinels[k], key=lambda raw: (raw,)) for k in sentinels},
        "points": points,
    }


def plan_profile(models: tuple[Model, ...], documents: dict[int, dict]) -> Profile | None:
    """The Profile of a device from its chain; None when no model of it is known."""
    document = plan_document(models, documents)
    return None if document is None else parse_profile(document)
