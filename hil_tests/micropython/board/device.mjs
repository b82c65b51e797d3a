// One simulated ESP32: node device.mjs PLAN.json. Runs boot.py and main.py as they are, until a
// reset, a power cut, a command or its time ends the process. Tells what happens as JSON lines on
// standard output, what the program prints included; takes commands on standard input.
import fs from "node:fs";
import os from "node:os";
import { Flash } from "./flash.mjs";
import { copyIn, Mirror } from "./files.mjs";
import { Collector, start } from "./interpreter.mjs";
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

let mirror = null;
let printed = []; // what mem_info prints is for us
let capturing = false;
const { mp, view, words } = await start({
  heapBytes: plan.heap_bytes,
  pystackWords: plan.pystack_words ?? 2048,
  clock,
  print: (line) => (capturing ? printed.push(line) : world.say({ event: "print", line })),
  onFileChange: (synced) => mirror?.save(synced),
});

const host = {};
mp.registerJsModule("_host", host);
const collector = new Collector(mp, words);
collector.calibrate(host);

const heap = { collections: 0, most_bytes: 0, live_bytes: 0, most_live_bytes: 0 };
mp.runPython("import micropython as _mi\n_mem_info = _mi.mem_info\n");
const memoryInfo = mp.globals.get("_mem_info");
mp.runPython("_gc_alloc = _gc.mem_alloc\n");
const allocated = mp.globals.get("_gc_alloc");

function collect() {
  const before = allocated();
  collector.collect();
  heap.collections += 1;
  heap.most_bytes = Math.max(heap.most_bytes, before);
  heap.live_bytes = allocated();
  heap.most_live_bytes = Math.max(heap.most_live_bytes, heap.live_bytes);
  return 0;
}

/** Live bytes, and the largest free block in bytes, after a collection. */
function heapNow() {
  collect();
  capturing = true;
  memoryInfo();
  capturing = false;
  const largest = /max free sz: (\d+)/.exec(printed.join(" "));
  printed = [];
  return { heap: { ...heap, largest_free_bytes: largest ? Number(largest[1]) * 16 : null } };
}
world.atEnd.push(heapNow, () => serial.summary(), () => sockets.summary());
if (flash) world.atEnd.push(() => flash.summary());
world.commands.heap = () => world.say({ event: "heap", up_ms: clock.ms(), ...heapNow().heap });

// A program asleep is collected: always before a long sleep, else every so many short ones.
const LONG_SLEEP_US = 5_000;
const SHORT_SLEEPS = 16;
let shortSleeps = 0;
const sample = { everyMs: plan.heap_sample_ms ?? Infinity, dueMs: plan.heap_sample_ms ?? Infinity };
function asleep(us) {
  shortSleeps += 1;
  if (us >= LONG_SLEEP_US || shortSleeps >= SHORT_SLEEPS) {
    shortSleeps = 0;
    collect();
  }
  if (clock.ms() >= sample.dueMs) {
    sample.dueMs += sample.everyMs;
    world.commands.heap();
  }
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
  set_wall_s: (unixS) => {
    clock.setWallMs(unixS * 1000);
    return 0;
  },
  sleep_us: guarded((us) => {
    asleep(us);
    world.rest(us);
    return 0;
  }),
  sleep_ms: guarded((ms) => {
    asleep(ms * 1000);
    world.rest(ms * 1000);
    return 0;
  }),
  // select.poll: wait for any event of a socket or a tty, at most `ms`.
  rest_ms: guarded((ms, seen) => {
    asleep(ms * 1000);
    world.rest(ms * 1000, () => Atomics.load(world.events, 0) !== seen || serial.hasInput());
    return 0;
  }),
  events: () => Atomics.load(world.events, 0),
  collect: guarded(collect),
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
  partitions: () => JSON.stringify(flash?.partitions ?? []),
  random: () => Math.floor(Math.random() * 256),
  ...serial.functions(view, ERRNO, guarded),
  ...sockets.functions(view, ERRNO, guarded),
  ...(flash ? flash.functions(view, ERRNO) : {}),
});

copyIn(mp.FS, plan.shim, "/shim");
copyIn(mp.FS, plan.root, "/");
const ofTheBuild = ["shim", "dev", "proc", "home", "tmp"].map((name) => `/${name}`);
mirror = new Mirror(mp.FS, plan.root, ofTheBuild);

const RUN = `
import sys
sys.path[:] = ["/shim", "", "/lib"]
import _device
_device.prepare()
`;
mp.runPython(RUN);
world.say({ event: "ready", ...heapNow() });
world.lastTrafficMs = -Infinity;
for (const name of plan.programs ?? ["boot.py", "main.py"]) {
  const trouble = mp.globals.get("_device").run(name);
  if (trouble) world.end("exception", { program: name, traceback: trouble });
}
world.end("finished");
