// One MicroPython in this process: a heap that cannot grow, the ESP32's error numbers for files,
// our clock, and garbage collection while a program that never ends is asleep.
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";

// gc_get_max_new_split() compiles to one constant, 128 MiB. It becomes a load of the word at
// GROWTH_ADDRESS, which stays 0: the heap is what was asked for and never more.
const STOCK_GROWTH = Buffer.from([0x08, 0x00, 0x41, 0x80, 0x80, 0x80, 0xc0, 0x00, 0x0b]);
const OUR_GROWTH = Buffer.from([0x08, 0x00, 0x41, 0x80, 0x04, 0x28, 0x02, 0x00, 0x0b]);
const GROWTH_ADDRESS = 512;

// WASI's error numbers -> those of newlib and Linux, which agree on all of these.
const WASI_ERRNO = {
  2: 13, 6: 11, 8: 9, 10: 16, 20: 17, 28: 22, 29: 5, 31: 21, 33: 24, 37: 36, 44: 2, 48: 12,
  51: 28, 52: 38, 54: 20, 55: 39, 59: 25, 63: 1, 64: 32, 69: 30, 70: 29, 75: 18,
};

function patchGrowth(binary) {
  const at = binary.indexOf(STOCK_GROWTH);
  if (at < 0 || binary.indexOf(STOCK_GROWTH, at + 1) >= 0) {
    throw new Error("the heap growth function is not where it was: another MicroPython?");
  }
  OUR_GROWTH.copy(binary, at);
}

function translateErrors(imports) {
  const wrap = (functions, name, sign) => {
    const original = functions[name];
    functions[name] = (...values) => {
      const result = original(...values);
      return sign * result > 0 ? sign * (WASI_ERRNO[sign * result] ?? sign * result) : result;
    };
  };
  for (const name of Object.keys(imports.env)) {
    if (name.startsWith("__syscall_")) wrap(imports.env, name, -1);
  }
  for (const name of Object.keys(imports.wasi_snapshot_preview1)) {
    if (name.startsWith("fd_")) wrap(imports.wasi_snapshot_preview1, name, 1);
  }
}

/**
 * Start the interpreter. Returns {mp, view, words}.
 *
 * view(address, length): bytes of Python's memory; take it anew in each call.
 * words(): the same memory as 32-bit words.
 * onFileChange(synced): called after each system call that may have changed a file for good;
 * synced: the descriptor of a file that was synced, else -1.
 */
export async function start({ heapBytes, pystackWords, clock, print, onFileChange }) {
  let memory = null;
  const stock = WebAssembly.instantiate;
  WebAssembly.instantiate = async (source, imports) => {
    const binary = Buffer.from(source);
    patchGrowth(binary);
    imports.env.mp_js_ticks_ms = () => clock.ticksMs();
    imports.env.mp_js_time_ms = () => clock.wallMs();
    translateErrors(imports);
    watchFiles(imports, onFileChange);
    const made = await stock(binary, imports);
    memory = made.instance.exports.memory;
    return made;
  };
  const options = { heapsize: heapBytes, pystack: pystackWords, linebuffer: true };
  const mp = await loadMicroPython({ ...options, stdout: print, stderr: print });
  WebAssembly.instantiate = stock;
  new Uint32Array(memory.buffer)[GROWTH_ADDRESS >> 2] = 0;
  const view = (address, length) => new Uint8Array(memory.buffer, address >>> 0, length);
  return { mp, view, words: () => new Uint32Array(memory.buffer) };
}

function watchFiles(imports, onFileChange) {
  const watch = (functions, name) => {
    const original = functions[name];
    functions[name] = (...values) => {
      const result = original(...values);
      if (result === 0) onFileChange(name === "fd_sync" ? values[0] : -1);
      return result;
    };
  };
  for (const name of ["fd_close", "fd_sync"]) watch(imports.wasi_snapshot_preview1, name);
  for (const name of ["renameat", "unlinkat", "mkdirat", "rmdir"]) {
    watch(imports.env, `__syscall_${name}`);
  }
}

/**
 * This build collects garbage only when the outermost Python call returns to JavaScript, which a
 * main.py that loops for ever never does. Its call depth is one word of memory: set to zero for a
 * moment while the program is asleep, it lets a call of gc.collect() collect. Python's own frames
 * are on the Python stack, which the collector scans; a sleep called from bytecode leaves nothing
 * that lives elsewhere only.
 */
export class Collector {
  constructor(mp, words) {
    this.mp = mp;
    this.words = words;
    mp.runPython("import gc as _gc\ndef _collect():\n    _gc.collect()\n");
    this.pythonCollect = mp.globals.get("_collect");
    this.depthWord = null;
  }

  /** Find the depth word: the one that counts 0, 1, 2 as host functions and Python nest. */
  calibrate(host) {
    const snapshots = [];
    const take = () => snapshots.push(Uint32Array.from(this.words().subarray(0, LOW_WORDS)));
    const back = { call: null };
    host.depth_probe = () => {
      take();
      if (back.call && snapshots.length < 4) back.call();
      return 0;
    };
    this.mp.runPython("import _host as _h\ndef _probe():\n    _h.depth_probe()\n");
    back.call = this.mp.globals.get("_probe");
    take();
    back.call();
    const [top, one, two, three] = snapshots;
    const found = [];
    for (let at = 0; at < LOW_WORDS; at++) {
      if (top[at] === 0 && one[at] === 1 && two[at] === 2 && three[at] === 3) found.push(at);
    }
    if (found.length !== 1) throw new Error(`${found.length} words count the call depth, not 1`);
    this.depthWord = found[0];
    delete host.depth_probe;
    this.mp.runPython("del _probe, _h");
  }

  collect() {
    const depth = this.words()[this.depthWord];
    this.words()[this.depthWord] = 0;
    this.pythonCollect();
    this.words()[this.depthWord] = depth;
  }
}

// Where the build keeps its static variables.
const LOW_WORDS = 0x40000;
