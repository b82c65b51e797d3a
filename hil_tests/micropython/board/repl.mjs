// MicroPython's prompt on standard input and output: what a board says on its USB port.
import fs from "node:fs";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";
import { translateErrors } from "./interpreter.mjs";

// This build can't take a paste with flow control; a board without it says so.
const PASTE = Buffer.from([0x05, 0x41, 0x01]);
const NO_PASTE = Buffer.from("R\x00");

const stock = WebAssembly.instantiate;
WebAssembly.instantiate = (binary, imports) => {
  translateErrors(imports);
  return stock(binary, imports);
};

const write = (bytes) => fs.writeSync(1, bytes);
const mp = await loadMicroPython({ heapsize: 1 << 20, stdout: write, linebuffer: false });
mp.replInit();
process.stdin.on("data", (chunk) => {
  const at = chunk.indexOf(PASTE);
  const typed = at < 0 ? chunk : chunk.subarray(0, at);
  for (const character of typed) mp.replProcessChar(character);
  if (at >= 0) write(NO_PASTE);
});
