// Processor time of loops on one interpreter: node esp32_loops.mjs PACKAGE BUILD SOURCE. BUILD: what
// `collecting_interpreter` made, "" for the package as it is shipped. Prints {loop: least us}.
import fs from "node:fs";
import { start } from "../micropython/board/interpreter.mjs";

const HEAP_BYTES = 400 * 1024;
const TIMES = 25;

const [npmPackage, build, source] = process.argv.slice(2);

/** Of user and system: the sum is exact, what is whose is estimated by ticks. */
function processorUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function shipped() {
  const { loadMicroPython } = await import(`${npmPackage}/micropython.mjs`);
  return loadMicroPython({ heapsize: HEAP_BYTES, pystack: 2048 });
}

async function changed() {
  const clock = { ticksMs: () => 0, wallMs: () => 0 };
  const rest = { clock, print: () => {}, isRaw: false, onFileChange: () => {}, isWritten: () => false };
  return (await start({ npmPackage, build, heapBytes: HEAP_BYTES, pystackWords: 2048, ...rest })).mp;
}

const mp = await (build ? changed() : shipped());
mp.runPython(fs.readFileSync(source, "utf8"));
mp.runPython("NAMES = ' '.join(LOOPS)");
const least = {};
// Each for some milliseconds, again and again: between what else the machine does.
for (let time = 0; time < TIMES; time++) {
  for (const name of mp.globals.get("NAMES").split(" ")) {
    const begunUs = processorUs();
    mp.runPython(`turn("${name}")`);
    least[name] = Math.min(least[name] ?? Infinity, processorUs() - begunUs);
  }
}
process.stdout.write(JSON.stringify(least));
process.exit(0);
