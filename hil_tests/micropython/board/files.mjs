// The device's file system: copied in at power-on, written back when a change is for good.
//
// As on littlefs, what a program writes to a file is there after a power cut only once the file
// was closed or synced; renaming and removing are atomic.
import fs from "node:fs";
import path from "node:path";

export function copyIn(fileSystem, source, target) {
  fileSystem.mkdirTree(target);
  for (const entry of fs.readdirSync(source, { withFileTypes: true })) {
    const from = path.join(source, entry.name);
    const to = path.posix.join(target, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== "__pycache__") copyIn(fileSystem, from, to);
    } else {
      fileSystem.writeFile(to, fs.readFileSync(from));
    }
  }
}

/** Keeps `folder` on the host the same as the device's root, apart from what is `shielded`. */
export class Mirror {
  constructor(fileSystem, folder, shielded) {
    Object.assign(this, { fileSystem, folder, shielded });
    this.known = new Map();
    this.walk("/", (name, data) => this.known.set(name, data));
  }

  walk(directory, onFile) {
    for (const name of this.fileSystem.readdir(directory)) {
      const full = path.posix.join(directory, name);
      if (name === "." || name === ".." || this.shielded.includes(full)) continue;
      if (this.fileSystem.isDir(this.fileSystem.stat(full).mode)) this.walk(full, onFile);
      else onFile(full, Buffer.from(this.fileSystem.readFile(full)));
    }
  }

  /** Files that are being written, but for the one of descriptor `synced`. */
  unfinished(synced) {
    const open = this.fileSystem.streams.filter((stream) => stream && stream.fd !== synced);
    return new Set(open.filter((stream) => stream.flags & 3).map((stream) => stream.path));
  }

  isWritten(descriptor) {
    return (this.fileSystem.streams[descriptor]?.flags & 3) !== 0;
  }

  save(synced) {
    const now = new Map();
    const unfinished = this.unfinished(synced);
    this.walk("/", (name, data) => now.set(name, data));
    for (const [name, data] of now) {
      const before = this.known.get(name);
      if (unfinished.has(name)) {
        if (before) now.set(name, before);
        else now.delete(name);
        continue;
      }
      if (before && before.equals(data)) continue;
      const target = path.join(this.folder, name);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.writeFileSync(target, data);
    }
    for (const name of this.known.keys()) {
      if (!now.has(name)) fs.rmSync(path.join(this.folder, name), { force: true });
    }
    this.known = now;
  }
}
