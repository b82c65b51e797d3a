// One MicroPython in this process: the build of interpreter.py, with the ESP32's error numbers for
// files, our clock, and a look at what happens to files.
import fs from "node:fs";

// WASI's error numbers -> those of newlib and Linux, which agree on all of these.
const WASI_ERRNO = {
  2: 13, 6: 11, 8: 9, 10: 16, 20: 17, 28: 22, 29: 5, 31: 21, 33: 24, 37: 36, 44: 2, 48: 12,
  51: 28, 52: 38, 54: 20, 55: 39, 59: 25, 63: 1, 64: 32, 69: 30, 70: 29, 75: 18,
};

export function translateErrors(imports) {
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
 * Start the interpreter. Returns {mp, view}.
 *
 * print(line): without its end; print(bytes) as they come where `isRaw`.
 * npmPackage, build: of the release, and the file that `collecting_interpreter` made of it.
 * view(address, length): bytes of Python's memory; take it anew in each call.
 * onFileChange(synced): called after each system call that may have changed a file for good;
 * synced: the descriptor of a file that was synced, else -1.
 * isWritten(descriptor): whether an open file is one that is written; closing others changes nothing.
 */
export async function start(options) {
  const { npmPackage, build, heapBytes, pystackWords, clock, print, isRaw } = options;
  let memory = null;
  const stock = WebAssembly.instantiate;
  WebAssembly.instantiate = async (_, imports) => {
    imports.env.mp_js_ticks_ms = () => clock.ticksMs();
    imports.env.mp_js_time_ms = () => clock.wallMs();
    translateErrors(imports);
    watchFiles(imports, options);
    const made = await stock(fs.readFileSync(build), imports);
    memory = made.instance.exports.memory;
    rememberEntries(made.instance.exports.__indirect_function_table);
    return made;
  };
  const sizes = { heapsize: heapBytes, pystack: pystackWords, linebuffer: !isRaw };
  const { loadMicroPython } = await import(`${npmPackage}/micropython.mjs`);
  const mp = await loadMicroPython({ ...sizes, stdout: print, stderr: print });
  WebAssembly.instantiate = stock;
  // As on the board: collect when the heap is full, not after so many bytes.
  mp.runPython("import gc\ngc.threshold(-1)\ndel gc\n");
  const view = (address, length) => new Uint8Array(memory.buffer, address >>> 0, length);
  return { mp, view };
}

/**
 * Mount a ROMFS image as the firmware does at its start: beside the heap, at /rom, on sys.path.
 *
 * Runs after sys.path is set. `vfs.rom_ioctl` gives the image, as on the board.
 */
export function mountRom(mp, view, image) {
  const address = mp._module._malloc(image.length);
  view(address, image.length).set(image);
  mp.runPython(`import _rom\n_rom.mount(${address}, ${image.length})\ndel _rom\n`);
}

/**
 * Look each function of the table up once.
 *
 * The build asserts on each call through JavaScript, so on nearly every call of a Python function,
 * that what it has remembered of the table is still there: a third of all time.
 */
function rememberEntries(table) {
  const known = [];
  const { get, set } = WebAssembly.Table.prototype;
  table.get = (at) => (known[at] ??= get.call(table, at));
  table.set = (at, ...value) => {
    delete known[at];
    return set.call(table, at, ...value);
  };
}

function watchFiles(imports, { onFileChange, isWritten }) {
  const watch = (functions, name) => {
    const original = functions[name];
    functions[name] = (...values) => {
      const matters = name !== "fd_close" || isWritten(values[0]);
      const result = original(...values);
      if (result === 0 && matters) onFileChange(name === "fd_sync" ? values[0] : -1);
      return result;
    };
  };
  for (const name of ["fd_close", "fd_sync"]) watch(imports.wasi_snapshot_preview1, name);
  for (const name of ["renameat", "unlinkat", "mkdirat", "rmdir"]) {
    watch(imports.env, `__syscall_${name}`);
  }
}
