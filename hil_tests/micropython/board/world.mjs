// Time and ends: what every wait of the device goes through.
//
// Real time sleeps in the kernel. Virtual time costs nothing: a wait jumps to its end, or to the
// next byte that is due, after the network has been quiet for a moment of real time.
import fs from "node:fs";

const RESTING_SLICE_MS = 20;
const TTY_SLICE_MS = 0.2;
// What one look at the network costs in virtual time, so that a flood cannot stop the clock.
const LATENCY_US = 1000;

/** Monotonic microseconds since power-on, and the real-time clock that the device may set. */
export class Clock {
  constructor({ virtual = false, rtc_unix_ms = 946684800000, ticks_start_ms = 0 }) {
    this.virtual = virtual;
    this.usNow = 0;
    this.startedMs = performance.now();
    this.ticksStartMs = ticks_start_ms;
    this.rtcAtZeroMs = rtc_unix_ms ?? Date.now();
  }

  us() {
    return this.virtual ? this.usNow : Math.floor((performance.now() - this.startedMs) * 1000);
  }

  ms() {
    return Math.floor(this.us() / 1000);
  }

  ticksMs() {
    return (this.ticksStartMs + this.ms()) % 2 ** 30;
  }

  ticksUs() {
    return (this.ticksStartMs * 1000 + this.us()) % 2 ** 30;
  }

  wallMs() {
    return this.rtcAtZeroMs + this.ms();
  }

  setWallMs(unixMs) {
    this.rtcAtZeroMs = unixMs - this.ms();
  }
}

export class World {
  constructor(plan, clock) {
    this.clock = clock;
    this.endUs = plan.stop_after_ms === undefined ? Infinity : plan.stop_after_ms * 1000;
    this.quietMs = plan.quiet_ms ?? 20;
    this.hasTty = false;
    this.nextArrivalUs = () => Infinity; // the virtual bus sets it
    this.events = new Int32Array(new SharedArrayBuffer(4)); // of all sockets
    this.lastTrafficMs = -Infinity;
    this.rests = 0; // waits of the program
    this.waitedUs = 0; // what the program has asked to wait, however long it took
    this.checks = [];
    this.atEnd = [];
    this.input = "";
    this.commands = {
      stop: () => this.end("stopped"),
      cut: () => this.end("power_cut"),
      hang: () => (this.hanging = true),
    };
  }

  say(event) {
    fs.writeSync(1, `${JSON.stringify(event)}\n`);
  }

  /** The process is the device: its end is a reset or the loss of power. */
  end(reason, more = {}) {
    const last = { event: "end", reason, up_ms: this.clock.ms(), rests: this.rests, ...more };
    if (reason !== "power_cut") for (const add of this.atEnd) Object.assign(last, add());
    this.say(last);
    process.exit(0);
  }

  /** True once `ready()` is, false after `us` microseconds. */
  rest(us, ready = () => false) {
    this.rests += 1;
    const begun = this.clock.us();
    const until = begun + us;
    for (;;) {
      const seen = Atomics.load(this.events, 0);
      this.check();
      const isReady = ready();
      const left = until - this.clock.us();
      if (isReady || (left <= 0 && !this.hanging)) {
        this.waitedUs += Math.min(us, this.clock.us() - begun);
        return isReady;
      }
      if (this.clock.virtual) this.jump(seen, left);
      else this.sleep(seen, left);
    }
  }

  sleep(seen, leftUs) {
    const slice = this.hasTty ? TTY_SLICE_MS : RESTING_SLICE_MS;
    Atomics.wait(this.events, 0, seen, this.hanging ? slice : Math.min(leftUs / 1000, slice));
  }

  jump(seen, leftUs) {
    const quiet = performance.now() - this.lastTrafficMs;
    if (quiet < this.quietMs) {
      if (Atomics.wait(this.events, 0, seen, this.quietMs - quiet) !== "timed-out") {
        this.lastTrafficMs = performance.now();
        this.clock.usNow += LATENCY_US;
      }
      return;
    }
    const arrival = Math.max(this.nextArrivalUs() - this.clock.us(), 0) || leftUs;
    this.clock.usNow += this.hanging ? 1_000_000 : Math.max(1, Math.min(leftUs, arrival));
  }

  check() {
    if (this.clock.us() >= this.endUs) this.end("time");
    for (const check of this.checks) check();
    this.takeCommands();
  }

  /** Lines from standard input, as {"command": name, ...}; at most one look a millisecond. */
  takeCommands() {
    const now = performance.now();
    if (now - (this.lookedMs ?? 0) < 1) return;
    this.lookedMs = now;
    try {
      this.stdin ??= fs.openSync("/dev/stdin", fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
      const chunk = Buffer.alloc(4096);
      this.input += chunk.toString("utf8", 0, fs.readSync(this.stdin, chunk));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
    const lines = this.input.split("\n");
    this.input = lines.pop();
    for (const line of lines) {
      const { command, ...options } = JSON.parse(line);
      this.commands[command](options);
    }
  }
}
