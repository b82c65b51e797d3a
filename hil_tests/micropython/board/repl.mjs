// MicroPython's prompt on standard input and output: what a board says on its USB port.
// node repl.mjs [PLAN]: {shim, uarts}, JSON, gives it UARTs, pins and time as device.mjs has them.
import fs from "node:fs";
import os from "node:os";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";
import { NO_PASTE, split } from "./console.mjs";
import { copyIn } from "./files.mjs";
import { translateErrors } from "./interpreter.mjs";
import { Serial } from "./serial.mjs";
import { Clock, World } from "./world.mjs";

let memory = null;
const stock = WebAssembly.instantiate;
WebAssembly.instantiate = async (binary, imports) => {
  translateErrors(imports);
  const made = await stock(binary, imports);
  memory = made.instance.exports.memory;
  return made;
};

const write = (bytes) => fs.writeSync(1, bytes);
const mp = await loadMicroPython({ heapsize: 1 << 20, stdout: write, linebuffer: false });
if (process.argv[2]) addBoard(JSON.parse(process.argv[2]));
mp.replInit();
process.stdin.on("data", (chunk) => {
  const [characters, isPaste] = split(chunk);
  for (const character of characters) mp.replProcessChar(character);
  if (isPaste) write(NO_PASTE);
});

function addBoard({ shim, uarts }) {
  const errno = os.constants.errno;
  const guarded = (call) => (...values) => {
    try {
      return call(...values);
    } catch (error) {
      return -(error.errno ? Math.abs(error.errno) : errno.EIO);
    }
  };
  const view = (address, length) => new Uint8Array(memory.buffer, address >>> 0, length);
  const clock = new Clock({ rtc_unix_ms: null });
  const world = new World({}, clock);
  world.takeCommands = () => {}; // standard input is the prompt's
  const rest = (us) => (world.rest(us), 0);
  mp.registerJsModule("_host", {
    ticks_ms: () => clock.ticksMs(),
    ticks_us: () => clock.ticksUs(),
    sleep_us: guarded(rest),
    sleep_ms: guarded((ms) => rest(ms * 1000)),
    ...new Serial(uarts, world).functions(view, errno, guarded),
  });
  copyIn(mp.FS, shim, "/shim");
  mp.runPython('import sys\nsys.path.insert(0, "/shim")\ndel sys\n');
}
