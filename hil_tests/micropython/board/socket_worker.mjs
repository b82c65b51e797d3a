// Owns the real sockets, because the main thread is inside of MicroPython and may not return.
// Bytes go to it through a ring in shared memory, everything else through control words.
import dgram from "node:dgram";
import net from "node:net";
import os from "node:os";
import tls from "node:tls";
import { parentPort, workerData } from "node:worker_threads";
import { EVENT, FLUSHED, PAUSED, READ, REASON, STATE, State, WROTE } from "./socket_words.mjs";

const events = new Int32Array(workerData.events);
const sockets = new Map();

class Socket {
  constructor(shared) {
    this.words = new Int32Array(shared, 0, 16);
    this.ring = new Uint8Array(shared, 64);
    this.backlog = [];
  }

  notify() {
    Atomics.add(this.words, EVENT, 1);
    Atomics.notify(this.words, EVENT);
    Atomics.add(events, 0, 1);
    Atomics.notify(events, 0);
  }

  become(state, reason = 0) {
    const now = Atomics.load(this.words, STATE);
    if (now === State.FAILED || (now === State.ENDED && state !== State.FAILED)) return;
    Atomics.store(this.words, REASON, reason);
    Atomics.store(this.words, STATE, state);
    this.notify();
  }

  fail(error) {
    const code = error.code ?? "";
    this.text = error.message;
    const number = os.constants.errno[code] ?? (code === "ENOTFOUND" ? -202 : 0);
    const isTls = number === 0 || code.startsWith("ERR_") || code.includes("CERT");
    this.become(State.FAILED, isTls ? workerData.tlsFailure : Math.abs(number));
  }

  store(chunk) {
    this.backlog.push(chunk);
    this.drain();
  }

  drain() {
    const mask = this.ring.length - 1;
    while (this.backlog.length) {
      const head = this.backlog[0];
      const wrote = Atomics.load(this.words, WROTE);
      const free = this.ring.length - ((wrote - Atomics.load(this.words, READ)) | 0);
      const count = Math.min(free, head.length);
      for (let at = 0; at < count; at++) this.ring[(wrote + at) & mask] = head[at];
      Atomics.store(this.words, WROTE, (wrote + count) | 0);
      if (count < head.length) {
        this.backlog[0] = head.subarray(count);
        this.pause(true);
        break;
      }
      this.backlog.shift();
    }
    if (!this.backlog.length) this.pause(false);
    this.notify();
  }

  pause(wanted) {
    Atomics.store(this.words, PAUSED, wanted ? 1 : 0);
    if (wanted) this.stream?.pause();
    else this.stream?.resume();
  }

  listen(stream, readyEvent) {
    this.stream = stream;
    stream.on(readyEvent, () => this.become(State.CONNECTED));
    stream.on("data", (chunk) => this.store(chunk));
    stream.on("end", () => this.become(State.ENDED));
    stream.on("close", () => this.become(State.ENDED));
    stream.on("error", (error) => this.fail(error));
  }
}

const actions = {
  connect(socket, { host, port, noDelay }) {
    // A half-closed connection is for the program to close.
    const stream = net.connect({ host, port, noDelay, allowHalfOpen: true, family: 4 });
    socket.listen(stream, "connect");
  },
  secure(socket, { ca, host, nowMs }) {
    const plain = socket.stream;
    plain.removeAllListeners();
    Atomics.store(socket.words, STATE, State.NEW);
    const options = { socket: plain, ca, servername: net.isIP(host) ? undefined : host, host };
    const stream = tls.connect({ ...options, rejectUnauthorized: ca !== undefined });
    socket.listen(stream, "tls");
    stream.on("secureConnect", () => {
      // The dates of the certificate are judged by the device's clock, not by this machine's.
      const { valid_from: from, valid_to: to } = stream.getPeerCertificate();
      const isValid = Date.parse(from) <= nowMs && nowMs <= Date.parse(to);
      if (ca === undefined || isValid) socket.become(State.CONNECTED);
      else stream.destroy(Object.assign(new Error("certificate dates"), { code: "CERT_DATES" }));
    });
  },
  write(socket, { bytes }) {
    socket.stream?.write(bytes, () => {
      Atomics.add(socket.words, FLUSHED, bytes.length);
      socket.notify();
    });
  },
  option(socket, { noDelay }) {
    socket.stream?.setNoDelay(noDelay);
  },
  resume(socket) {
    socket.drain();
  },
  datagram(socket, { host, port, bytes }) {
    if (!socket.datagrams) {
      socket.datagrams = dgram.createSocket("udp4");
      socket.datagrams.on("message", (message) => {
        socket.store(Buffer.concat([Buffer.from([message.length >> 8, message.length]), message]));
      });
      socket.datagrams.on("error", (error) => socket.fail(error));
    }
    socket.datagrams.send(bytes, port, host);
  },
  close(socket, { id }) {
    socket.stream?.destroy();
    socket.datagrams?.close();
    sockets.delete(id);
  },
};

parentPort.on("message", (message) => {
  if (message.action === "open") {
    sockets.set(message.id, new Socket(message.shared));
    return;
  }
  const socket = sockets.get(message.id);
  if (socket) actions[message.action](socket, message);
});
