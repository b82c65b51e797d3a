// NOR flash in a host file: programming clears bits, erasing sets 4 KiB, and the power may fail in
// the middle of either. What is in the file is what the chip holds, at any moment.
import fs from "node:fs";

export const SECTOR_BYTES = 4096;
// Typical figures of a 4 MB SPI NOR (W25Q32JV data sheet): 45 ms a sector, 0.4 ms a page of 256.
const ERASE_US = 45_000;
const PROGRAM_PAGE_US = 400;

/** Deterministic noise: xorshift32. */
function noise(seed) {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state & 0xff;
  };
}

export class Flash {
  /** plan: {file, partitions: [{name, type, subtype, offset, size}], cut: {at, mode}}. */
  constructor(plan, world) {
    this.world = world;
    this.partitions = plan.partitions;
    this.cut = plan.cut ?? { at: -1, mode: "atomic" };
    this.file = fs.openSync(plan.file, "r+");
    this.operations = 0;
    this.counts = { programs: 0, erases: 0, programmed_bytes: 0, unerased_bytes: 0 };
    this.wear = new Map();
  }

  /** Erase or program [offset, +length); operation number `cut.at` (from 1) meets the power cut. */
  change(offset, wanted, isErase) {
    this.operations += 1;
    const old = Buffer.alloc(wanted.length);
    fs.readSync(this.file, old, 0, wanted.length, offset);
    let result = Buffer.from(wanted);
    if (!isErase) {
      for (let at = 0; at < result.length; at++) {
        if (result[at] & ~old[at]) this.counts.unerased_bytes += 1;
        result[at] &= old[at];
      }
    }
    const isCut = this.operations === this.cut.at;
    if (isCut) result = this.torn(old, result);
    fs.writeSync(this.file, result, 0, result.length, offset);
    if (isCut) this.world.end("power_cut", { operation: isErase ? "erase" : "program" });
  }

  /** What the cells hold when the power fails: nothing done, the first half, or a mixture. */
  torn(old, result) {
    if (this.cut.mode === "atomic") return old;
    const torn = Buffer.from(result);
    const next = noise(this.cut.at);
    const half = result.length >> 1;
    for (let at = 0; at < torn.length; at++) {
      const mask = this.cut.mode === "half" ? (at < half ? 0xff : 0) : next();
      torn[at] = (result[at] & mask) | (old[at] & ~mask);
    }
    return torn;
  }

  erase(offset, length) {
    for (let at = offset; at < offset + length; at += SECTOR_BYTES) {
      this.counts.erases += 1;
      this.wear.set(at, (this.wear.get(at) ?? 0) + 1);
      this.charge(ERASE_US);
      this.change(at, Buffer.alloc(SECTOR_BYTES, 0xff), true);
    }
  }

  program(offset, data) {
    this.counts.programs += 1;
    this.counts.programmed_bytes += data.length;
    this.charge(PROGRAM_PAGE_US * Math.ceil(data.length / 256));
    this.change(offset, data, false);
  }

  charge(us) {
    if (this.world.clock.virtual) this.world.clock.usNow += us;
  }

  summary() {
    const most = Math.max(0, ...this.wear.values());
    return { flash: { operations: this.operations, most_erased: most, ...this.counts } };
  }

  /** The functions of shim/esp32.py; offsets are within the partition `index`. */
  functions(view, errno) {
    const inside = (index, offset, length) => {
      const { size } = this.partitions[index];
      return offset >= 0 && offset + length <= size;
    };
    return {
      flash_read: (index, offset, address, length) => {
        if (!inside(index, offset, length)) return -errno.EINVAL;
        const at = this.partitions[index].offset + offset;
        return fs.readSync(this.file, view(address, length), 0, length, at);
      },
      flash_program: (index, offset, address, length) => {
        if (!inside(index, offset, length)) return -errno.EINVAL;
        this.program(this.partitions[index].offset + offset, view(address, length));
        return length;
      },
      flash_erase: (index, offset, length) => {
        if (!inside(index, offset, length)) return -errno.EINVAL;
        if (offset % SECTOR_BYTES || length % SECTOR_BYTES) return -errno.EINVAL;
        this.erase(this.partitions[index].offset + offset, length);
        return 0;
      },
    };
  }
}
