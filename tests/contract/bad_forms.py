"""Receivers that err in a form of version 2, or do without it, beside those of `bad_receivers`."""

import zlib
from typing import Any

import msgpack

from cloud_sync.receiver import Reply
from edge.core.journal import chain
from edge.core.journal.record import encode_record
from edge.core.sync.ack import Ack
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, decode_batch, encode_batch
from edge.core.sync.columns import decode_columns
from tests.contract.bad_receivers import Bad
from tests.unit.receiver_journal import KEY


class Inflating(Bad):
    """Has an opener of its own for the deflated form; the subclasses leave something out."""

    checks_mac = checks_size = checks_end = checks_within = True

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        try:
            fields: Any = msgpack.unpackb(payload, strict_map_key=False)
        except ValueError:
            fields = None
        if not isinstance(fields, list) or len(fields) != 5:
            return self.honest(topic, payload)
        _, gateway, epoch, body, seal = fields
        if self.checks_mac and seal != chain.mac(KEY, chain.BATCH_PURPOSE, payload[:-34]):
            return None
        maker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            plain = maker.decompress(body, PAYLOAD_MAX_BYTES if self.checks_size else 1 << 20)
        except zlib.error:
            return self.honest(topic, payload)
        if self.checks_end and (not maker.eof or maker.unused_data):
            return self.honest(topic, payload)
        if self.checks_within and not plain.startswith(msgpack.packb((1, gateway, epoch))[1:], 1):
            return self.honest(topic, payload)
        return self.take(topic, plain)

    def take(self, topic: str, plain: bytes) -> Reply | None:
        return self.honest(
            topic, plain + msgpack.packb(chain.mac(KEY, chain.BATCH_PURPOSE, plain))
        )


class InflatesUnproved(Inflating):
    """Looks for no MAC around what is deflated."""

    checks_mac = False


class InflatesAll(Inflating):
    """Inflates to any size and stores what comes out, part by part."""

    checks_size = False

    def take(self, topic: str, plain: bytes) -> Reply | None:
        if len(plain) <= PAYLOAD_MAX_BYTES - 34:
            return super().take(topic, plain)
        try:
            fields: Any = msgpack.unpackb(plain + b"\0", strict_map_key=False)
        except ValueError:
            return None
        records = decode_columns(fields[3], fields[5:10])
        digest, reply = fields[4], None
        for record in records:
            before, digest = digest, chain.link(digest, encode_record(record))
            part = encode_batch(fields[1], fields[2], before, (record,), digest, KEY)
            reply = self.honest(topic, part)
        return reply


class InflatesParts(Inflating):
    """Takes what deflate has given so far, whatever stands behind it."""

    checks_end = False


class InflatesStrangers(Inflating):
    """Compares what it finds within with nothing."""

    checks_within = False


class NoDeflate(Bad):
    """Knows the first form of a batch only."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        return None if payload[:1] == b"\x95" else self.honest(topic, payload)


class NoForks(Bad):
    """Knows the first form of an ack only."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        return self.ack(self.honest(topic, payload), lambda ack: ack._replace(fork=None))


class WrongForks(Bad):
    """Names the hash that the gateway sent."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        def wrong(ack: Ack) -> Ack:
            return ack._replace(
                fork=ack.fork and (ack.fork[0], decode_batch(payload, KEY).hashes[-1])
            )

        return self.ack(self.honest(topic, payload), wrong)


class ForksEverywhere(Bad):
    """Names a fork in each ack."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        def always(ack: Ack) -> Ack:
            return ack._replace(fork=ack.fork or (ack.seq, ack.hash))

        return self.ack(self.honest(topic, payload), always)
