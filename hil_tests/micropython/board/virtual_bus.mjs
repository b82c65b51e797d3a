// Meters in virtual time: each answers a good read request of its station after its turnaround, a
// character at a time, with registers that are a function of the time. Everything else is silence.
// With a ledger every reply is one line of it, before its first byte is on the wire.
import fs from "node:fs";

export function crc16(bytes) {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return Buffer.from([crc & 0xff, crc >>> 8]);
}

/**
 * plan: {turnaround_ms, drop_every, ledger, meters: {station: {counter: [start, per_second]}}}.
 * A counter meter holds, in every two registers, a 32-bit number that grows by `per_second` plus
 * the register's own address, so that no two points are the same. ledger: path of a file of
 * [wall ms of the last byte, station, function, address, count, registers in hex].
 */
export class VirtualBus {
  constructor(plan, clock, baud, bits) {
    this.plan = plan;
    this.clock = clock;
    this.characterUs = (bits * 1e6) / baud;
    this.queue = []; // [arrival in us, byte]
    this.requests = { heard: 0, bad: 0, dropped: 0, answered: 0 };
  }

  nextArrivalUs() {
    return this.queue.length ? this.queue[0][0] : Infinity;
  }

  arrived() {
    const now = this.clock.us();
    let count = 0;
    while (count < this.queue.length && this.queue[count][0] <= now) count += 1;
    return this.queue.splice(0, count).map(([, byte]) => byte);
  }

  hear(frame, endUs) {
    this.requests.heard += 1;
    const body = frame.subarray(0, -2);
    const meter = this.plan.meters[frame[0]];
    const isRead = frame.length === 8 && (frame[1] === 3 || frame[1] === 4);
    if (!meter || !isRead || !crc16(body).equals(frame.subarray(-2))) {
      this.requests.bad += 1;
      return;
    }
    if (this.plan.drop_every && this.requests.heard % this.plan.drop_every === 0) {
      this.requests.dropped += 1;
      return;
    }
    this.requests.answered += 1;
    const reply = this.answer(meter, body, endUs);
    let at = endUs + this.plan.turnaround_ms * 1000;
    for (const byte of reply) {
      at += this.characterUs;
      this.queue.push([at, byte]);
    }
    if (this.plan.ledger) this.testify(body, reply, at);
  }

  testify(body, reply, endUs) {
    const wallMs = Math.floor(this.clock.rtcAtZeroMs + endUs / 1000);
    const asked = [body[0], body[1], body.readUInt16BE(2), body.readUInt16BE(4)];
    const line = JSON.stringify([wallMs, ...asked, reply.subarray(3, -2).toString("hex")]);
    fs.appendFileSync(this.plan.ledger, `${line}\n`);
  }

  answer(meter, body, endUs) {
    const address = body.readUInt16BE(2);
    const count = body.readUInt16BE(4);
    const reply = Buffer.alloc(3 + 2 * count);
    reply[0] = body[0];
    reply[1] = body[1];
    reply[2] = 2 * count;
    for (let at = 0; at < count; at++) {
      reply.writeUInt16BE(this.register(meter, address + at, endUs), 3 + 2 * at);
    }
    return Buffer.concat([reply, crc16(reply)]);
  }

  register(meter, address, us) {
    const [start, perSecond] = meter.counter;
    const point = address >> 1;
    const value = Math.floor(start + point * 1000 + ((perSecond + point) * us) / 1e6) % 2 ** 32;
    return address & 1 ? value % 65536 : Math.floor(value / 65536);
  }
}
