// The board's console at the end of a tty: what the program prints, Ctrl-C, and the prompt.
import { execFileSync } from "node:child_process";
import fs from "node:fs";

const { O_RDWR, O_NOCTTY, O_NONBLOCK } = fs.constants;
const CONTROL_C = 3;
const LOOK_MS = 1;
const IDLE_MS = 5;

// This build can't take a paste with flow control; a board without it says so.
const PASTE = Buffer.from([0x05, 0x41, 0x01]);
export const NO_PASTE = Buffer.from("R\x00");

// `time` of the shim, in a board that somebody may interrupt.
const INTERRUPTED = `
import time, _host
def _sleep_ms(ms):
    if _host.sleep_ms(ms) < 0: raise KeyboardInterrupt
time.sleep_ms = _sleep_ms
del time, _sleep_ms
`;

/** Take what was typed up to a paste; [characters, whether a paste was asked for]. */
export function split(chunk) {
  const at = chunk.indexOf(PASTE);
  return at < 0 ? [chunk, false] : [chunk.subarray(0, at), true];
}

export class Console {
  constructor(tty, world) {
    execFileSync("stty", ["-F", tty, "raw", "-echo", "min", "0", "time", "0"]);
    this.fd = fs.openSync(tty, O_RDWR | O_NOCTTY | O_NONBLOCK);
    this.world = world;
    this.typed = Buffer.alloc(0);
    this.isInterrupted = false;
    this.lookedMs = 0;
    world.checks.push(() => this.look());
  }

  write(bytes) {
    for (let at = 0; at < bytes.length; ) {
      try {
        at += fs.writeSync(this.fd, bytes, at);
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
      }
    }
  }

  look() {
    const now = performance.now();
    if (now - this.lookedMs < LOOK_MS) return;
    this.lookedMs = now;
    const chunk = Buffer.alloc(4096);
    try {
      const fresh = chunk.subarray(0, fs.readSync(this.fd, chunk));
      this.isInterrupted ||= fresh.includes(CONTROL_C);
      this.typed = Buffer.concat([this.typed, fresh]);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }

  /** Whether Ctrl-C has come since this was asked. */
  takeInterrupt() {
    const was = this.isInterrupted;
    this.isInterrupted = false;
    return was;
  }

  letInterrupt(mp) {
    mp.runPython(INTERRUPTED);
  }

  /** The prompt, until the board is reset or its power fails. */
  prompt(mp) {
    mp.replInit();
    for (;;) {
      this.world.rest(IDLE_MS * 1000, () => this.typed.length > 0);
      const [characters, isPaste] = split(this.typed);
      this.typed = this.typed.subarray(characters.length + (isPaste ? PASTE.length : 0));
      this.isInterrupted = false;
      for (const character of characters) mp.replProcessChar(character);
      if (isPaste) this.write(NO_PASTE);
    }
  }
}
