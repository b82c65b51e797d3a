// Prints the polls of a gateway: node consumer.mjs HOST PORT TOPIC KEY_HEX
// npm install mqtt @msgpack/msgpack. A line is seq, wall_ms, device and the values of its points; what
// they mean is in the gateway's table record, see batch.md. TOPIC: carbontally/v1/TENANT/GATEWAY/batch
import { createHmac, timingSafeEqual } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { decode } from "@msgpack/msgpack";
import mqtt from "mqtt";

const [host, port, topic, key] = process.argv.slice(2);
const unpack = (...parts) => decode(Buffer.concat(parts), { useBigInt64: true });
// A delta is modulo 2^64; where there is no value there is no delta, and the last value stays.
const column = (deltas, last = 0n) => deltas.map((d) => d === null ? "None" : (last = BigInt.asIntN(64, last + BigInt(d))));

mqtt.connect(`mqtt://${host}:${port}`).subscribe(topic, { qos: 1 }).on("message", (_, payload) => {
  const mac = createHmac("sha256", Buffer.from(key, "hex")).update("carbontally batch 1").update(payload.subarray(0, -34)).digest();
  if (payload.length < 34 || !timingSafeEqual(mac, payload.subarray(-32))) return console.error("refused: not authentic");
  let fields = unpack(payload);
  // Deflated without its MAC, for which any 34 bytes stand.
  if (fields[0] === 2) fields = unpack(inflateRawSync(fields[3], { maxOutputLength: 65502 }), payload.subarray(-34));
  const [first, , clocks, times, order, polls] = fields.slice(3);
  const offsets = clocks.flatMap((records, at) => (at % 4 ? [] : Array(records).fill(Number(clocks[at + 2]))));
  const columns = new Map(polls.map(([device, points, deltas]) =>
    [device, Array.from({ length: points }, (_, point) => column(deltas.filter((_, at) => at % points === point)))]));
  const wall_ms = (at) => times.slice(0, at + 1).reduce((sum, ms) => sum + Number(ms), offsets[at]);
  for (const [at, device] of order.entries()) if (device >= 0)
    console.log([Number(first) + at, wall_ms(at), device, ...columns.get(device).map((values) => values.shift())].join(" "));
});
