// UARTs: a real tty, or the virtual bus. Both know how long the wire is busy and who may talk.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { VirtualBus } from "./virtual_bus.mjs";

const { O_RDWR, O_NOCTTY, O_NONBLOCK } = fs.constants;

// A station answers after so many characters of silence, 1.75 ms above 19,200 baud (Modbus over
// serial line V1.02, 2.5.1.1): nothing can have come to a driver that was let go before.
const SILENT_CHARACTERS = 3.5;
const SILENT_US = 1750;

/** One open UART. pins: the levels that Pin has set; a DE pin rules transmitter and receiver. */
class Port {
  constructor(plan, world, pins, baud, bits, bufferBytes) {
    Object.assign(this, { plan, world, pins, baud, bits, bufferBytes });
    this.received = [];
    this.busyUntilUs = 0;
    this.aloneUntilUs = 0;
    if (plan.bus) {
      this.bus = new VirtualBus(plan.bus, world.clock, baud, bits);
      world.nextArrivalUs = () => this.bus.nextArrivalUs();
    } else {
      execFileSync("stty", ["-F", plan.tty, "raw", "-echo", String(baud), "min", "0", "time", "0"]);
      this.fd = fs.openSync(plan.tty, O_RDWR | O_NOCTTY | O_NONBLOCK);
      world.hasTty = true;
    }
  }

  get drives() {
    const { de_pin: pin, de_active: active = 1 } = this.plan;
    return pin === undefined || this.pins.get(pin) === active;
  }

  write(bytes, counts) {
    if (this.drives && !this.bus) fs.writeSync(this.fd, bytes);
    const start = Math.max(this.world.clock.us(), this.busyUntilUs);
    this.busyUntilUs = start + Math.ceil((bytes.length * this.bits * 1e6) / this.baud);
    const characterUs = (this.bits * 1e6) / this.baud;
    const silenceUs = this.baud > 19_200 ? SILENT_US : SILENT_CHARACTERS * characterUs;
    const wireUs = this.busyUntilUs - this.world.clock.us();
    this.aloneUntilUs = this.world.waitedUs + wireUs + silenceUs;
    counts.frames += 1;
    if (!this.drives) {
      counts.sent_without_de += 1; // the transceiver listens: nothing reaches the wire
    } else if (this.bus) {
      this.bus.hear(Buffer.from(bytes), this.busyUntilUs);
    }
    return bytes.length;
  }

  /**
   * Take what has arrived; a transceiver that drives the wire, or a full buffer, loses it.
   *
   * A tty has no wire: a reply may be there while this machine lets the program wait longer than
   * it asked for. How long the driver was held is judged by what the program asked for.
   */
  collect(counts) {
    const isAlone = !this.bus && this.world.waitedUs < this.aloneUntilUs;
    if (this.plan.de_pin !== undefined && this.drives && isAlone) return this.received.length;
    const fresh = this.bus ? this.bus.arrived() : this.readTty();
    const hasDe = this.plan.de_pin !== undefined;
    for (const byte of fresh) {
      if (hasDe && this.drives) counts.lost_while_driving += 1;
      else if (this.received.length >= this.bufferBytes) counts.overruns += 1;
      else this.received.push(byte);
    }
    return this.received.length;
  }

  readTty() {
    const chunk = Buffer.alloc(512);
    try {
      return chunk.subarray(0, fs.readSync(this.fd, chunk));
    } catch (error) {
      // Who hung up may have said something before.
      if (error.code === "EAGAIN" || this.received.length) return [];
      throw error;
    }
  }

  take(target) {
    const part = this.received.splice(0, target.length);
    target.set(part);
    return part.length;
  }
}

export class Serial {
  constructor(plans, world) {
    this.plans = plans;
    this.world = world;
    this.ports = new Map();
    this.pins = new Map();
    this.counts = {
      frames: 0, sent_without_de: 0, de_released_early: 0, lost_while_driving: 0, overruns: 0,
    };
  }

  summary() {
    const bus = [...this.ports.values()].find((port) => port.bus)?.bus;
    return { serial: { ...this.counts, ...(bus ? { requests: bus.requests } : {}) } };
  }

  hasInput() {
    return [...this.ports.values()].some((port) => port.collect(this.counts) > 0);
  }

  setPin(pin, level) {
    const before = this.pins.get(pin);
    for (const port of this.ports.values()) {
      if (port.plan.de_pin !== pin || before === level) continue;
      port.collect(this.counts);
      const released = level !== (port.plan.de_active ?? 1);
      const isEarly = this.world.clock.us() < port.busyUntilUs;
      if (released && isEarly && before !== undefined) this.counts.de_released_early += 1;
    }
    this.pins.set(pin, level);
    return 0;
  }

  functions(view, errno, guarded) {
    const port = (id) => this.ports.get(id);
    return {
      uart_open: guarded((id, baud, bits, bufferBytes) => {
        if (this.plans[id] === undefined) return -errno.ENODEV;
        const made = new Port(this.plans[id], this.world, this.pins, baud, bits, bufferBytes);
        this.ports.set(id, made);
        return 0;
      }),
      uart_close: guarded((id) => {
        if (port(id)?.fd !== undefined) fs.closeSync(port(id).fd);
        this.ports.delete(id);
        return 0;
      }),
      uart_write: guarded((id, address, n) => port(id).write(view(address, n), this.counts)),
      uart_any: guarded((id) => port(id).collect(this.counts)),
      uart_take: guarded((id, address, n) => port(id).take(view(address, n))),
      uart_wait: guarded((id, ms) => {
        const has = () => port(id).collect(this.counts) > 0;
        return this.world.rest(ms * 1000, has) ? 1 : 0;
      }),
      uart_busy_us: (id) => Math.max(0, port(id).busyUntilUs - this.world.clock.us()),
      pin_set: (pin, level) => this.setPin(pin, level),
      pin_get: (pin) => this.pins.get(pin) ?? 0,
    };
  }
}
