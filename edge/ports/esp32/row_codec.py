"""Records in few bytes: each number as a digit of its own radix, all in one large number.

A meter's values move within the range they have moved in lately. A record of a kind and shape
seen before is told by how far each of its numbers moved: one digit of as many values as that range
has, so that what stands still takes no space. What moves further is an exception, told after the
digits. Writer and reader keep the same models. They begin anew in every segment, where the first
record of a shape brings what the writer expects of it, told by how it differs from the model
before it: meters of a kind are alike.
"""

from edge.core.journal.record import Kind, Record, decode_record
from edge.ports.esp32.digits import Digits
from edge.ports.esp32.row_model import (
    PollModel,
    SleepingModel,
    low_of,
    make_span,
    new_model,
    width_of,
)
from edge.ports.esp32.row_shape import HEADER, put_together, take_apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Model: TypeAlias = PollModel | SleepingModel

#: Shapes remembered in one segment; each takes about half a kilobyte of memory at 30 points.
MODELS_MAX = 24

#: A poll that is older than the one before it by so much was recorded before, and thinned.
OLD_MS = 300_000

#: Kinds whose numbers repeat; the rest is told as it is.
_REPEATED = (Kind.POLL, Kind.INTERVAL)

#: Numbers taken at once of those that may be any.
_AT_ONCE = 32

#: How a row begins: what followed last time with or without exceptions, or something else.
_FOLLOWS, _FOLLOWS_FURTHER, _OTHER = range(3)

#: What else it may be, behind the models: the first of a shape, or a record as it is.
_NEW, _WHOLE = range(2)


class RowCodec:
    """The models of one segment, of its writer or of one reader."""

    def __init__(self, before: "RowCodec | None" = None, is_read: bool = False) -> None:
        """before: of the segment before, of which a writer keeps what it expects.

        is_read: nothing will be put.
        """
        self._is_read = is_read
        self._models: list[Model] = []
        self._known: list[Model] = [] if before is None else before._models  # not told here yet
        self._newest = -1
        self._boot = 0
        self._mono_ms = 0

    def put(self, digits: Digits, data: bytes, is_kept: bool = False) -> Record:
        """Tell a record by its canonical bytes; return it, without what is told as numbers.

        is_kept: out of its order.
        """
        record = decode_record(data)
        if record.kind not in _REPEATED:
            self._put_other(digits, len(self._models) + _WHOLE)
            digits.put_bytes(data)
            return record
        shape, numbers = take_apart(record, is_kept or self._is_old(record))
        kind, seq, boot, mono_ms, wall_ms, clock, _ = record
        record = Record(kind, seq, boot, mono_ms, wall_ms, clock, None)
        for index in range(len(self._models)):
            if _is_of(self._models[index], shape, numbers):
                self._put_moves(digits, index, numbers)
                return record
        if len(self._models) == MODELS_MAX:
            self._put_other(digits, MODELS_MAX + _WHOLE)
            digits.put_bytes(data)
        else:
            self._put_other(digits, len(self._models) + _NEW)
            self._put_new(digits, shape, numbers)
        return record

    def _put_other(self, digits: Digits, index: int) -> None:
        digits.put(_OTHER, 3)
        digits.put(index, len(self._models) + 2)

    def _put_moves(self, digits: Digits, index: int, numbers: list[int]) -> None:
        model = self._models[index]
        if index == self._expected():
            digits.reserve(3)  # _FOLLOWS, or one more
        else:
            self._put_other(digits, index)
            digits.reserve(2)
        further: list[int] = []
        for first in range(0, model.count, model.piece):
            part = model.part(first)
            moves = numbers[first : first + model.piece]
            last, spans = part.last, part.spans
            for at in range(len(moves)):
                move = moves[at] = moves[at] - last[at]
                span = spans[at]
                width = width_of(span) if span & 0xFFFF else 0
                offset = move - (span >> 16)
                if offset < 0 or offset > width:
                    further.append(first + at)
                    further.append(move)
                    offset = 0
                if width:
                    digits.put(offset, width + 1)
            part.note(moves)
            model.keep(first, part)
        if further:
            digits.raise_one()
            digits.put(len(further) >> 1, model.count + 1)
            for at in range(0, len(further), 2):
                digits.put(further[at], model.count)
                digits.put_any(further[at + 1])
        self._follow(index)

    def _put_new(self, digits: Digits, shape: bytes, numbers: list[int]) -> None:
        """The first of a shape in this segment, with what is known of its spans."""
        like = self._like(shape)
        digits.put(0 if like is None else 1 + self._models.index(like), len(self._models) + 1)
        if like is None:
            digits.put_bytes(shape)
            digits.put_any(len(numbers))
            like = new_model(shape, len(numbers))
        known = None
        for model in self._known:
            if _is_of(model, shape, numbers):
                known = model
        for first in range(0, like.count, like.piece):
            last = like.part(first).last
            for at in range(len(last)):
                digits.put_any(numbers[first + at] - last[at])
        digits.put(0 if known is None else 1, 2)
        made = new_model(like.shape, like.count) if known is None else known
        for first in range(0, like.count, like.piece):
            part = made.part(first)
            if known is None:
                part.last = numbers[first : first + like.piece]
            else:
                for span, other in zip(part.spans, like.part(first).spans):
                    digits.put_any(low_of(span) - low_of(other))
                    digits.put_any(width_of(span) - width_of(other))
                part.restart(numbers[first : first + like.piece], part.spans)
            made.keep(first, part)
        if known is not None:
            self._known.remove(known)
            known.shape = like.shape  # of which there may be one for several models
        self._add(made)

    def take(self, digits: Digits, seq: int, is_kept: bool = False) -> tuple[Record, bytes]:
        """(the next record, without what is told as numbers; its canonical bytes).

        Its seq is known from where it is.
        """
        how = digits.take(3)
        index, has_further = self._expected(), how == _FOLLOWS_FURTHER
        if how == _OTHER:
            index = digits.take(len(self._models) + 2)
            if index == len(self._models) + _WHOLE:
                data = digits.take_bytes()
                return decode_record(data), data
            if index < len(self._models):
                has_further = bool(digits.take(2))
        if index == len(self._models):
            self._take_new(digits)
        else:
            self._take_moves(digits, index, has_further)
        model = self._models[index]
        return put_together(model.shape, model.numbers(), seq)

    def _take_moves(self, digits: Digits, index: int, has_further: bool) -> None:
        model = self._models[index]
        each: list[list[int]] = []
        for first in range(0, model.count, model.piece):
            part = model.part(first)
            spans = part.spans
            moves = [1] * len(spans)
            for at in range(len(spans)):
                if spans[at] & 0xFFFF:
                    moves[at] = width_of(spans[at]) + 1
            digits.take_each(moves)
            for at in range(len(moves)):
                moves[at] += low_of(spans[at])
            each.append(moves)
        if has_further:
            count = digits.take(model.count + 1)
            found = digits.take_any_each(count, model.count)
            for at in range(0, len(found), 2):
                each[found[at] // model.piece][found[at] % model.piece] = found[at + 1]
        for at in range(len(each)):
            if len(each) > 1:  # else it is awake
                part = model.part(at * model.piece)
            part.note(each[at])
            model.keep(at * model.piece, part)
        self._follow(index)

    def _take_new(self, digits: Digits) -> None:
        like_at = digits.take(len(self._models) + 1)
        if like_at:
            like = self._models[like_at - 1]
        else:
            like = new_model(digits.take_bytes(), digits.take_any(), self._is_read)
        model = new_model(like.shape, like.count, self._is_read)
        for first in range(0, like.count, like.piece):
            part, other = model.part(first), like.part(first)
            for begin in range(0, len(part.last), _AT_ONCE):
                found = digits.take_any_each(min(_AT_ONCE, len(part.last) - begin))
                for at in range(len(found)):
                    part.last[begin + at] = other.last[begin + at] + found[at]
            model.keep(first, part)
        if digits.take(2):
            for first in range(0, like.count, like.piece):
                part, other = model.part(first), like.part(first)
                _take_spans(digits, part.spans, other.spans)
                part.restart(part.last, part.spans)
                model.keep(first, part)
        self._add(model)

    def _is_old(self, record: Record) -> bool:
        """True for a poll that is told again: its numbers are not those that move now."""
        if record.kind != Kind.POLL:
            return False
        is_old: bool = record.boot < self._boot or record.mono_ms + OLD_MS < self._mono_ms
        if not is_old:
            self._boot, self._mono_ms = record.boot, record.mono_ms
        return is_old

    def _like(self, shape: bytes) -> "Model | None":
        """The newest model of a shape."""
        found = None
        for model in self._models:
            if model.shape == shape:
                found = model
        return found

    def _expected(self) -> int:
        return self._models[self._newest].follower if self._newest >= 0 else 0

    def _follow(self, index: int) -> None:
        if self._newest >= 0:
            self._models[self._newest].follower = index
        self._newest = index

    def _add(self, model: "Model") -> None:
        model.follower = 0
        self._models.append(model)
        self._follow(len(self._models) - 1)


def _is_of(model: "Model", shape: bytes, numbers: list[int]) -> bool:
    """True for a record of that shape, and of that device if it is a poll."""
    if model.shape != shape:
        return False
    return not isinstance(model, PollModel) or model.last[HEADER] == numbers[HEADER]


def _take_spans(digits: Digits, spans: list[int], others: list[int]) -> None:
    """Take spans, told by how they differ from others."""
    for first in range(0, len(spans), _AT_ONCE):
        found = digits.take_any_each(2 * min(_AT_ONCE, len(spans) - first))
        for at in range(first, first + len(found) // 2):
            low = low_of(others[at]) + found[2 * (at - first)]
            width = width_of(others[at]) + found[2 * (at - first) + 1]
            spans[at] = make_span(low, width)
