// MicroPython's end of the sockets that the worker owns.
import { Worker } from "node:worker_threads";
import {
  FLUSHED, PAUSED, READ, REASON, RING_BYTES, STATE, State, WROTE,
} from "./socket_words.mjs";

// lwIP's send buffer on the ESP32: four segments of 1440 bytes. More is a short write.
const SEND_BUFFER_BYTES = 5760;
// mbedTLS: MBEDTLS_ERR_X509_CERT_VERIFY_FAILED; MicroPython raises OSError(-0x2700).
const TLS_FAILURE = 0x2700;

class Channel {
  constructor(id) {
    this.id = id;
    this.shared = new SharedArrayBuffer(64 + RING_BYTES);
    this.words = new Int32Array(this.shared, 0, 16);
    this.ring = new Uint8Array(this.shared, 64);
    this.posted = 0;
    this.isOpen = false;
  }

  get state() {
    return Atomics.load(this.words, STATE);
  }

  get waiting() {
    return (Atomics.load(this.words, WROTE) - Atomics.load(this.words, READ)) | 0;
  }

  get room() {
    const flushed = Atomics.load(this.words, FLUSHED);
    return Math.max(0, SEND_BUFFER_BYTES - ((this.posted - flushed) | 0));
  }

  take(target) {
    const from = Atomics.load(this.words, READ);
    const count = Math.min(this.waiting, target.length);
    for (let at = 0; at < count; at++) target[at] = this.ring[(from + at) & (RING_BYTES - 1)];
    Atomics.store(this.words, READ, (from + count) | 0);
    return count;
  }
}

export class Sockets {
  constructor(plan, world) {
    this.plan = plan;
    this.world = world;
    this.channels = new Map();
    this.next = 1;
    this.isUp = plan.up ?? true;
    this.counts = { connects: 0, sent_bytes: 0, received_bytes: 0, writes: 0 };
    world.commands.network = ({ up }) => this.setUp(up);
  }

  get worker() {
    if (!this.started) {
      const data = { events: this.world.events.buffer, tlsFailure: TLS_FAILURE };
      const file = new URL("./socket_worker.mjs", import.meta.url);
      this.started = new Worker(file, { workerData: data });
      this.started.unref();
    }
    return this.started;
  }

  post(message) {
    this.worker.postMessage(message);
    if (message.action !== "open") this.world.lastTrafficMs = performance.now();
  }

  summary() {
    return { network: this.counts };
  }

  /** Wi-Fi went or came: what was connected is silent from then on, as out of range. */
  setUp(up) {
    this.isUp = up;
  }

  send(channel, bytes, errno) {
    if (channel.state === State.FAILED) return -Atomics.load(channel.words, REASON);
    if (channel.state !== State.CONNECTED) return -errno.ENOTCONN;
    const count = Math.min(bytes.length, channel.room);
    if (count === 0) return -errno.EAGAIN;
    channel.posted += count;
    this.counts.sent_bytes += count;
    this.counts.writes += 1;
    this.post({ action: "write", id: channel.id, bytes: bytes.slice(0, count) });
    return count;
  }

  receive(channel, target, errno) {
    if (channel.waiting > 0 && this.isUp) {
      const count = channel.take(target);
      this.counts.received_bytes += count;
      if (Atomics.load(channel.words, PAUSED)) this.post({ action: "resume", id: channel.id });
      return count;
    }
    if (channel.state === State.ENDED) return 0;
    if (channel.state === State.FAILED) return -Atomics.load(channel.words, REASON);
    return channel.isOpen ? -errno.EAGAIN : -errno.ENOTCONN;
  }

  /** Bits of MP_STREAM_POLL: readable 1, writable 4, error 8, hang-up 16. */
  readiness(channel) {
    const { state } = channel;
    if (state === State.FAILED) return 1 | 4 | 8;
    if (state === State.ENDED) return 1 | 4 | 16;
    const readable = channel.waiting > 0 && this.isUp ? 1 : 0;
    return readable | (state === State.CONNECTED && channel.room > 0 ? 4 : 0);
  }

  datagram(channel, target) {
    if (channel.waiting < 2) return -1;
    const size = new Uint8Array(2);
    channel.take(size);
    const message = new Uint8Array((size[0] << 8) | size[1]);
    channel.take(message);
    target.set(message.subarray(0, target.length));
    return Math.min(message.length, target.length);
  }

  functions(view, errno, guarded) {
    const at = (id) => this.channels.get(id);
    const open = (channel, message) => {
      channel.isOpen = true;
      this.counts.connects += 1;
      this.post({ id: channel.id, noDelay: !this.plan.nagle, ...message });
      return 0;
    };
    return {
      net_up: () => (this.isUp ? 1 : 0),
      sock_new: guarded(() => {
        const channel = new Channel(this.next++);
        this.channels.set(channel.id, channel);
        this.post({ action: "open", id: channel.id, shared: channel.shared });
        return channel.id;
      }),
      sock_connect: guarded((id, host, port) => {
        if (!this.isUp) return -errno.EHOSTUNREACH;
        return open(at(id), { action: "connect", host, port });
      }),
      sock_secure: guarded((id, ca, host) => {
        const nowMs = this.world.clock.wallMs();
        this.post({ action: "secure", id, ca: ca || undefined, host, nowMs });
        Atomics.store(at(id).words, STATE, State.NEW);
        return 0;
      }),
      sock_state: (id) => at(id).state,
      sock_reason: (id) => -guarded(() => -Atomics.load(at(id).words, REASON))(),
      sock_ready: (id) => this.readiness(at(id)),
      sock_send: guarded((id, address, n) => this.send(at(id), view(address, n), errno)),
      sock_recv: guarded((id, address, n) => this.receive(at(id), view(address, n), errno)),
      sock_option: guarded((id, noDelay) => {
        this.post({ action: "option", id, noDelay: noDelay !== 0 });
        return 0;
      }),
      sock_wait: guarded((id, mask, ms) => {
        const us = ms < 0 ? Infinity : ms * 1000;
        return this.world.rest(us, () => (this.readiness(at(id)) & (mask | 24)) !== 0) ? 1 : 0;
      }),
      sock_sendto: guarded((id, host, port, address, n) => {
        if (!this.isUp) return -errno.EHOSTUNREACH;
        this.post({ action: "datagram", id, host, port, bytes: view(address, n).slice() });
        return n;
      }),
      sock_recvfrom: guarded((id, address, n) => this.datagram(at(id), view(address, n))),
      sock_close: guarded((id) => {
        if (this.channels.delete(id)) this.post({ action: "close", id });
        return 0;
      }),
    };
  }
}
