// One simulated ESP32: node device.mjs PLAN.json. Runs boot.py and main.py as they are, until a
// reset, a power cut, a command or its time ends the process. Tells what happens as JSON lines on
// standard output, what the program prints included; takes commands on standard input.
import fs from "node:fs";
import os from "node:os";
import { Console } from "./console.mjs";
import { Flash } from "./flash.mjs";
import { copyIn, Mirror } from "./files.mjs";
import { mountRom, start } from "./interpreter.mjs";
import { Serial } from "./serial.mjs";
import { Sockets } from "./socket.mjs";
import { Clock, World } from "./world.mjs";

// newlib's numbers, which are not Linux's, for what sockets raise on the ESP32.
const NEWLIB = { ECONNABORTED: 113, ETIMEDOUT: 116, EHOSTUNREACH: 118, EINPROGRESS: 119, ENOTCONN: 128 };
const LINUX = os.constants.errno;
const ERRNO = { ...LINUX, ...NEWLIB };
const TO_NEWLIB = new Map(Object.entries(NEWLIB).map(([name, number]) => [LINUX[name], number]));

/** A host function must not throw: an exception through wasm frames breaks the interpreter. */
const guarded = (call) => (...values) => {
  try {
    const result = call(...values);
    return result < 0 ? -(TO_NEWLIB.get(-result) ?? -result) : result;
  } catch (error) {
    return -(error.errno ? Math.abs(error.errno) : ERRNO.EIO);
  }
};

const plan = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const clock = new Clock(plan.clock ?? {});
const world = new World(plan, clock);
const flash = plan.flash ? new Flash(plan.flash, world) : null;
const serial = new Serial(plan.uarts ?? {}, world);
const sockets = new Sockets(plan.network ?? {}, world);
const terminal = plan.console ? new Console(plan.console, world) : null;

let mirror = null;
let printed = []; // what mem_info prints is for us
let capturing = false;
const print = (said) => {
  if (capturing) printed.push(terminal ? Buffer.from(said).toString() : said);
  else if (terminal) terminal.write(said);
  else world.say({ event: "print", line: said });
};
const { mp, view } = await start({
  npmPackage: plan.package,
  build: plan.build,
  heapBytes: plan.heap_bytes,
  pystackWords: plan.pystack_words ?? 2048,
  clock,
  isRaw: terminal !== null,
  print,
  onFileChange: (synced) => mirror?.save(synced),
  isWritten: (descriptor) => mirror?.isWritten(descriptor),
});

const host = {};
mp.registerJsModule("_host", host);

mp.runPython("import gc as _gc\nimport micropython as _mi\n");
mp.runPython("_names = (_gc.collect, _gc.mem_alloc, _mi.mem_info)\n");
const [collectGarbage, allocated, memoryInfo] = [0, 1, 2].map((at) => {
  mp.runPython(`_name = _names[${at}]`);
  return mp.globals.get("_name");
});
mp.runPython("del _gc, _mi, _names, _name\n");

const heap = { live_bytes: 0, most_live_bytes: 0 };

/** Live bytes, and the largest free block in bytes, after a collection. */
function heapNow() {
  collectGarbage();
  heap.live_bytes = allocated();
  heap.most_live_bytes = Math.max(heap.most_live_bytes, heap.live_bytes);
  capturing = true;
  memoryInfo();
  capturing = false;
  const largest = /max free sz: (\d+)/.exec(printed.join(terminal ? "" : " "));
  printed = [];
  return { heap: { ...heap, largest_free_bytes: largest ? Number(largest[1]) * 16 : null } };
}
world.atEnd.push(heapNow, () => serial.summary(), () => sockets.summary());
if (flash) world.atEnd.push(() => flash.summary());
world.commands.heap = () => world.say({ event: "heap", up_ms: clock.ms(), ...heapNow().heap });
if (plan.heap_sample_ms) {
  let dueMs = plan.heap_sample_ms;
  world.checks.push(() => {
    if (clock.ms() < dueMs) return;
    dueMs += plan.heap_sample_ms;
    world.commands.heap();
  });
}

const watchdog = { limitUs: Infinity, periodUs: 0 };
world.checks.push(() => {
  if (clock.us() >= watchdog.limitUs) world.end("watchdog");
});
const persisted = fs.existsSync(plan.state) ? JSON.parse(fs.readFileSync(plan.state)) : {};
const nvs = persisted.nvs ?? {};
const saveState = () => fs.writeFileSync(plan.state, JSON.stringify(persisted));

Object.assign(host, {
  ticks_ms: () => clock.ticksMs(),
  ticks_us: () => clock.ticksUs(),
  // Integers cross as 32 bits.
  wall_s: () => Math.floor(clock.wallMs() / 1000),
  wall_part_ms: () => clock.wallMs() % 1000,
  set_wall: (unixS, partMs) => {
    clock.setWallMs(unixS * 1000 + partMs);
    return 0;
  },
  sleep_us: guarded((us) => {
    world.rest(us);
    return 0;
  }),
  sleep_ms: guarded((ms) => {
    world.rest(ms * 1000, () => terminal?.isInterrupted);
    return terminal?.takeInterrupt() ? -LINUX.EINTR : 0;
  }),
  // select.poll: wait for any event of a socket or a tty, at most `ms`.
  rest_ms: guarded((ms, seen) => {
    world.rest(ms * 1000, () => Atomics.load(world.events, 0) !== seen || serial.hasInput());
    return 0;
  }),
  events: () => Atomics.load(world.events, 0),
  watchdog: (ms) => {
    watchdog.periodUs = ms * 1000;
    watchdog.limitUs = clock.us() + watchdog.periodUs;
    return 0;
  },
  feed: () => {
    watchdog.limitUs = clock.us() + watchdog.periodUs;
    return 0;
  },
  reset: (kind) => world.end(kind),
  reset_cause: () => plan.reset_cause ?? 1,
  unique_id: () => plan.unique_id ?? "24dcc3aabbcc",
  nvs_get: (key) => nvs[key] ?? "",
  nvs_set: guarded((key, value) => {
    if (value === "") delete nvs[key];
    else nvs[key] = value;
    persisted.nvs = nvs;
    saveState();
    return 0;
  }),
  rtc_memory: () => (plan.reset_cause === 1 ? "" : (persisted.rtc ?? "")),
  set_rtc_memory: guarded((hex) => {
    persisted.rtc = hex;
    saveState();
    return 0;
  }),
  // Of the partition `romfs`: what is written is mounted at the next start.
  rom_write: guarded((offset, address, length) => {
    view(address, length).forEach((byte, at) => (rom[offset + at] = byte));
    return length;
  }),
  rom_erase: guarded((offset, length) => {
    rom.fill(0xff, offset, offset + length);
    return 0;
  }),
  rom_done: guarded(() => {
    fs.writeFileSync(plan.rom, rom);
    return 0;
  }),
  partitions: () => JSON.stringify(flash?.partitions ?? []),
  random: () => Math.floor(Math.random() * 256),
  ...serial.functions(view, ERRNO, guarded),
  ...sockets.functions(view, ERRNO, guarded),
  ...(flash ? flash.functions(view, ERRNO) : {}),
});

copyIn(mp.FS, plan.shim, "/shim");
copyIn(mp.FS, plan.root, "/");
// What is in /ram costs no time, and is gone with the power.
mp.FS.mkdirTree("/ram");
const ofTheBuild = ["shim", "dev", "proc", "home", "tmp", "ram"].map((name) => `/${name}`);
mirror = new Mirror(mp.FS, plan.root, ofTheBuild);

const RUN = `
import sys
sys.path[:] = ["/shim", "", "/lib"]
import _device
`;
mp.runPython(RUN);
const rom = plan.rom ? fs.readFileSync(plan.rom) : null;
if (rom) mountRom(mp, view, rom);
terminal?.letInterrupt(mp);
world.say({ event: "ready", ...heapNow() });
world.lastTrafficMs = -Infinity;
for (const name of plan.programs ?? ["boot.py", "main.py"]) {
  const trouble = mp.globals.get("_device").run(name);
  if (trouble && terminal) terminal.write(Buffer.from(trouble.replaceAll("\n", "\r\n")));
  else if (trouble) world.end("exception", { program: name, traceback: trouble });
  if (trouble) break;
}
if (terminal) terminal.prompt(mp);
world.end("finished");
