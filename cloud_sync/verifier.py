"""Proof of a carbontally evidence file, offline: this one file and Python 3.10 or newer.

    python3 verifier.py evidence.ndjson [--key-file device.key] [--head SEQ HASH] [--json]

The format is docs/contract/evidence.md. Nothing that the file says of itself is believed: every
record is hashed again. Only the seal, which takes the device key, tells a file written anew.

Exit status: 0 proven, 3 incomplete, 65 broken, 2 wrong use, 74 the file cannot be read.
"""

import argparse
import gzip
import hashlib
import hmac
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FORMAT = "carbontally evidence 1"
LINE_MAX_BYTES, DEPTH_MAX = 1 << 20, 8
STATUSES = {"proven": 0, "incomplete": 3, "broken": 65}

#: code | English | Chinese
_TEXTS = """\
proven|every record holds|所有记录均成立
incomplete|what is here holds, but records are missing|现有记录成立，但缺少记录
line|line {line} does not have the form of this format|第 {line} 行不符合本格式
order|another record stands where {seq} belongs|记录 {seq} 的位置上是另一条记录
record|record {seq} says that it is another|记录 {seq} 自称是另一条记录
hash|record {seq} does not hash to what stands beside it|记录 {seq} 与所附哈希不符
genesis|the chain does not start from this gateway and epoch|哈希链起点与网关和纪元不符
tombstone|the chain does not fit the tombstone of record {seq}|哈希链与记录 {seq} 的墓碑不符
cut|the file ends too early, at record {seq}|文件在记录 {seq} 处过早结束
digest|the file is not the one that was written|文件与写出时不同
seal|the seal is missing or not that of the device key|没有封印，或封印与设备密钥不符
anchor|record {seq} is not the one noted elsewhere|记录 {seq} 与别处记下的不是同一条"""
TEXTS = {code: texts for code, *texts in (row.split("|") for row in _TEXTS.splitlines())}


class BrokenError(Exception):
    """What does not hold: (a code of TEXTS, the record it is about)."""


def unpack(data: bytes) -> Any:
    """The one value of nil, bool, int, bin, str and arrays in `data`; ValueError for others."""
    stream = io.BytesIO(data)
    value = _value(stream, 0)
    if stream.read(1):
        raise ValueError("bytes after the end")
    return value


def _take(stream: io.BytesIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise ValueError("ends too early")
    return data


_SIZES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4}


def _value(stream: io.BytesIO, depth: int) -> Any:
    code = _take(stream, 1)[0]
    if code < 0x80 or code >= 0xE0:
        return code if code < 0x80 else code - 0x100
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code]
    if 0xCC <= code <= 0xD3:
        return int.from_bytes(_take(stream, 1 << (code & 3)), "big", signed=code >= 0xD0)
    if 0x90 <= code < 0xC0:
        length = code & (0x0F if code < 0xA0 else 0x1F)
    elif code in _SIZES:
        length = int.from_bytes(_take(stream, _SIZES[code]), "big")
    else:
        raise ValueError("a format that records do not have")
    if not (code < 0xA0 or code >= 0xDC):
        raw = _take(stream, length)
        return raw if 0xC4 <= code <= 0xC6 else raw.decode("utf-8")
    if depth >= DEPTH_MAX:
        raise ValueError("nested too deep")
    return [_value(stream, depth + 1) for _ in range(length)]


class Part:
    """One journal of the file: what it claims, and how far that holds."""

    def __init__(self, head: dict[str, Any], anchors: Iterable[tuple[int, bytes]]) -> None:
        self.tenant, self.gateway = head["tenant"], head["gateway"]
        self.epoch = _bytes(head["epoch"], 8)
        self.first, self.last = head["first"], head["last"]
        self.anchors = dict(anchors)
        seed = b"carbontally" + self.gateway.encode("utf-8") + self.epoch
        self.genesis = hashlib.sha256(seed).digest()
        self.at: int = self.first  # the seq that comes next
        self.hash = self.genesis if self.first == 0 else None  # before it; None: not known
        self.records = self.unproven = self.lost = 0
        self.is_begun = self.is_over = self.is_sealed = False
        self.holes: list[tuple[int, int, bytes | None, bytes | None]] = []
        self.tombs: list[tuple[int, int, bytes, bytes]] = []
        self.missing: list[list[int]] = []

    def begin(self, first: int, before: bytes | None) -> None:
        """A run of records starts; before: chain hash before it, None inside of a removal."""
        if not self.at <= first <= self.last or (first == self.at and self.is_begun):
            raise BrokenError("order", self.at)
        if first == 0 and before != self.genesis:
            raise BrokenError("genesis", 0)
        if first > self.at:
            self.holes.append((self.at, first - 1, self.hash, before))
        elif before is None:
            raise BrokenError("order", self.at)
        self.at, self.hash, self.is_begun = first, before, True

    def take(self, seq: int, digest: bytes, record: bytes) -> None:
        """One record, with the hash that is written beside it."""
        if seq != self.at or not self.is_begun or seq > self.last:
            raise BrokenError("order", self.at)
        if self.hash is None:
            self.unproven += 1
        elif hashlib.sha256(self.hash + record).digest() != digest:
            raise BrokenError("hash", seq)
        fields = unpack(record)  # kind 5 is a tombstone
        if not isinstance(fields, list) or len(fields) != 7 or fields[1] != seq:
            raise BrokenError("record", seq)
        if fields[0] == 5 and fields[6][0] is not None and fields[6][1] < seq:
            self.tombs.append((*fields[6][:2], *fields[6][6:8]))
        if self.anchors.pop(seq, digest) != digest:
            raise BrokenError("anchor", seq)
        self.at, self.hash = seq + 1, digest
        self.records += 1

    def end(self, records: int) -> None:
        """All records are here: look at what is not."""
        if self.at != self.last + 1:
            raise BrokenError("cut", self.at)
        if records != self.records:
            raise BrokenError("digest", self.last)
        for seq in self.anchors:
            raise BrokenError("anchor", seq)
        for hole in self.holes:
            self._explain(*hole)
        self.is_over = True

    def _explain(self, at: int, last: int, before: bytes | None, after: bytes | None) -> None:
        """A hole: removed with a tombstone that fits the chain on both sides, or missing."""
        while at <= last:
            fitting = [tomb for tomb in self.tombs if tomb[0] <= at <= tomb[1]]
            if not fitting:
                later = [tomb[0] - 1 for tomb in self.tombs if tomb[0] > at]
                self.missing.append([at, min([last, *later])])
                at, before = self.missing[-1][1] + 1, None
                continue
            first, end, start_hash, end_hash = max(fitting, key=lambda tomb: tomb[1])
            if first == at and before not in (None, start_hash):
                raise BrokenError("tombstone", at)
            self.lost += min(end, last) - at + 1
            at, before = end + 1, end_hash
        if at == last + 1 and (after is None or before not in (None, after)):
            raise BrokenError("tombstone", last)


def _bytes(text: str, size: int | None = None) -> bytes:
    data = bytes.fromhex(text)
    if data.hex() != text or size not in (None, len(data)):
        raise ValueError("not hexadecimal text of this length")
    return data


_HEAD = ["format", "part", "parts", "tenant", "gateway", "epoch", "first", "last"]
_BODY = (["from", "hash"], ["seq", "hash", "record"], ["records", "seal"], ["sha256"])


def _object(raw: bytes, forms: Iterable[list[str]]) -> dict[str, Any]:
    """The object of a line: these names in this order, no blanks, one way to write it."""
    found: dict[str, Any] = json.loads(raw.decode("utf-8"))
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"
    if list(found) not in forms or text.encode("utf-8") != raw:
        raise ValueError("another form")
    for name in ("part", "parts", "first", "last", "from", "seq", "records"):
        if name in found and type(found[name]) is not int:
            raise ValueError("no number")
    return found


class Reader:
    """Reads an evidence file line by line."""

    def __init__(self, stream: Any, key: bytes | None, anchors: Any) -> None:
        self.lines = iter(lambda: stream.readline(LINE_MAX_BYTES), b"")
        self.key, self.anchors = key, anchors
        self.number, self.line, self.parts = 0, 0, 1
        self.part: Part | None = None

    def read_part(self) -> None:
        """Read the next part; raises BrokenError, or ValueError and its like for a bad line."""
        self.part, self.number = None, self.number + 1
        digest, seal = hashlib.sha256(), hmac.new(self.key or b"", FORMAT.encode(), "sha256")
        for raw in self.lines:
            self.line += 1
            found = _object(raw, (_HEAD,) if self.part is None else _BODY)
            if self.part is not None and self.part.is_over:
                if found["sha256"] != digest.hexdigest():
                    raise BrokenError("digest", self.part.last)
                return
            self._take(found, seal.hexdigest if self.key else None)
            digest.update(raw)
            seal.update(raw)
        raise BrokenError("cut", self.part.at if self.part else 0)

    def _take(self, found: dict[str, Any], sealed_with: Any) -> None:
        part = self.part
        if part is None:
            if found["format"] != FORMAT or found["part"] != self.number:
                raise ValueError("another format")
            self.part, self.parts = Part(found, self.anchors), found["parts"]
        elif "from" in found:
            part.begin(found["from"], found["hash"] and _bytes(found["hash"], 32))
        elif "seq" in found:
            part.take(found["seq"], _bytes(found["hash"], 32), _bytes(found["record"]))
        else:
            part.end(found["records"])
            if sealed_with and not hmac.compare_digest(str(found["seal"]), sealed_with()):
                raise BrokenError("seal", part.last)
            part.is_sealed = sealed_with is not None


def verify(
    stream: Any, key: bytes | None = None, anchors: Any = (), language: str = "en"
) -> Iterator[dict[str, Any]]:
    """A verdict for each part of an evidence file; ends with the first broken one.

    key: the device key, None to leave the seal; anchors: (seq, hash) pairs known from elsewhere.
    Raises OSError, EOFError or zlib.error when the file cannot be read.
    """
    reader, broken = Reader(stream, key, anchors), None
    while broken is None and reader.number < reader.parts:
        try:
            reader.read_part()
            if reader.number == reader.parts and next(reader.lines, None) is not None:
                reader.line += 1
                raise ValueError("bytes after the end")
        except BrokenError as error:
            broken = error.args
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            broken = ("line", reader.part.at if reader.part else 0)
        yield _verdict(reader.part, broken, reader.line, language == "zh")


def _verdict(part: Part | None, broken: Any, line: int, is_chinese: bool) -> dict[str, Any]:
    status = "broken" if broken else "incomplete" if part and part.missing else "proven"
    code, seq = broken or (status, None)
    text = TEXTS[code][is_chinese].format(seq=seq, line=line)
    found = {"status": status, "broken": seq, "code": code, "text": text}
    for name in ("tenant", "gateway", "first", "last", "records", "lost", "unproven", "missing"):
        found[name] = getattr(part, name, None)
    found["epoch"] = part and part.epoch.hex()
    found["head"] = part and part.hash and part.hash.hex()
    return {**found, "sealed": bool(part and part.is_sealed)}


def line_of(found: dict[str, Any]) -> str:
    """A verdict as one line of text."""
    form = "{tenant}/{gateway} {epoch}: records {first} to {last}, {records} here, "
    form += "{lost} lost with a tombstone, missing {missing}: "
    known = "" if found["epoch"] is None else form.format(**found)
    return f"{known}{found['status'].upper()}: {found['text']}"


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Proof of a carbontally evidence file.")
    parser.add_argument("file", type=Path, help="evidence file; .gz too")
    parser.add_argument("--key-file", type=Path, help="device key: 64 hexadecimal digits")
    parser.add_argument("--head", action="append", nargs=2, default=[], metavar=("SEQ", "HASH"))
    parser.add_argument("--json", action="store_true", help="one JSON object a part")
    parser.add_argument("--lang", default=os.environ.get("LANG", "")[:2], help="en or zh")
    asked, worst = parser.parse_args(), 0
    try:
        key = _bytes(asked.key_file.read_text().strip().lower(), 32) if asked.key_file else None
        anchors = [(int(seq), _bytes(digest.lower(), 32)) for seq, digest in asked.head]
        opener: Any = gzip.open if asked.file.suffix == ".gz" else Path.open
        with opener(asked.file, "rb") as file:
            for found in verify(file, key, anchors, asked.lang):
                worst = max(worst, STATUSES[found["status"]])
                print(json.dumps(found, ensure_ascii=False) if asked.json else line_of(found))
    except ValueError:
        parser.error("a key and a hash are 64 hexadecimal digits, SEQ is a number")
    except (OSError, EOFError, zlib.error) as error:
        parser.exit(74, f"error: {error}\n")
    return worst


if __name__ == "__main__":
    sys.exit(main())
