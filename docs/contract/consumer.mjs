// Prints the readings of a gateway: node consumer.mjs HOST PORT TENANT GATEWAY KEY_HEX
// npm install mqtt @msgpack/msgpack. What a value means is in the gateway's table record, see batch.md.
import { createHmac, timingSafeEqual } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { decode } from "@msgpack/msgpack";
import mqtt from "mqtt";

// [seq, wall_ms, device, [integer or null, ...]] of each poll in a batch; integers are BigInt.
export function* readings(payload, key) {
  const mac = createHmac("sha256", key).update("carbontally batch 1").update(payload.subarray(0, -34)).digest();
  if (payload.length > 65536 || payload.length < 34 || !timingSafeEqual(mac, payload.subarray(-32)))
    throw new Error("too large, or not authentic");
  let fields = decode(payload, { useBigInt64: true });
  if (fields.length === 5) { // deflated; any 34 bytes stand for the MAC that it has not
    const inner = inflateRawSync(fields[3], { maxOutputLength: 65502 });
    fields = decode(Buffer.concat([inner, payload.subarray(-34)]), { useBigInt64: true });
  }
  const [, , , first, , clocks, times, order, polls] = fields;
  const offsets = [];
  for (let at = 0; at < clocks.length; at += 4) for (let n = 0; n < clocks[at]; n++) offsets.push(clocks[at + 2]);
  const blocks = new Map(polls.map(([device, points, deltas]) => [device, [deltas.values(), Array(points).fill(0n)]]));
  let mono_ms = 0n;
  for (const [at, device] of order.entries()) {
    mono_ms += BigInt(times[at]);
    if (device < 0) continue;
    const [deltas, last] = blocks.get(device);
    const values = last.map((before, point) => {
      const delta = deltas.next().value;
      return delta === null ? null : (last[point] = BigInt.asIntN(64, before + BigInt(delta)));
    });
    yield [BigInt(first) + BigInt(at), mono_ms + BigInt(offsets[at]), device, values];
  }
}

const [host, port, tenant, gateway, key] = process.argv.slice(2);
if (host) {
  const client = mqtt.connect(`mqtt://${host}:${port}`);
  client.on("connect", () => client.subscribe(`carbontally/v1/${tenant}/${gateway}/batch`, { qos: 1 }, () => console.log("ready")));
  client.on("message", (topic, payload) => {
    for (const [seq, wall_ms, device, values] of readings(payload, Buffer.from(key, "hex")))
      console.log([seq, wall_ms, device, ...values.map((value) => value ?? "None")].join(" "));
  });
}
