-- What people query: names, exact decimal text, UTC times. Readers outside the receiver know these
-- views alone. A file whose views are not these gets them when a receiver opens it.

-- One row a value. A damaged file has NULL where its text holds no integer.
CREATE VIEW readings AS
SELECT p.journal, p.seq, v.key AS point, p.device,
       CASE WHEN v.type = 'integer' THEN v.value END AS value,
       CASE WHEN p.qualities IS NULL THEN CASE WHEN v.type = 'integer' THEN 0 END
            WHEN json_valid(p.qualities)
                THEN json_extract(p.qualities, '$[' || v.key || ']') END AS quality
FROM polls p
CROSS JOIN json_each(CASE WHEN json_valid(p.mantissas) THEN p.mantissas ELSE '[]' END) v;

-- The record that fixes the time of a boot: the first CLOCK record of the best quality it had.
CREATE VIEW anchors AS
SELECT k.journal, k.boot, k.mono_ms, k.clock, k.wall_ms - k.mono_ms AS offset_ms
FROM records k
WHERE k.kind = 4 AND k.clock > 0 AND k.seq = (
    SELECT o.seq FROM records o
    WHERE o.kind = 4 AND o.journal = k.journal AND o.boot = k.boot
    ORDER BY o.clock DESC, o.seq LIMIT 1
);

-- When a record was made: one from before its boot had the time has it from the anchor, with clock
-- 'restamped' ('held' when the anchor is no better); every other has what it came with. A view of
-- records with times is made of both, in two selects, each by an index of its own: CROSS
-- JOIN keeps the few re-stamped ones first, the difference of times keeps to the boot.
-- Before the anchor is what its boot did before: retention may record it anew behind it.
CREATE VIEW stamped AS
SELECT x.journal, x.seq, x.wall_ms, c.name AS clock
FROM records x
JOIN clock_names c ON c.code = x.clock
WHERE x.clock = 2 OR NOT EXISTS (
    SELECT 1 FROM anchors a
    WHERE a.journal = x.journal AND a.boot = x.boot AND a.mono_ms - x.mono_ms >= 0 AND a.clock > x.clock
);

CREATE VIEW restamped AS
SELECT x.journal, x.seq, x.mono_ms + a.offset_ms AS wall_ms,
       CASE WHEN a.clock = 2 THEN 'restamped' ELSE 'held' END AS clock
FROM anchors a
CROSS JOIN records x
WHERE x.journal = a.journal AND x.boot = a.boot AND x.clock < 2 AND a.mono_ms - x.mono_ms >= 0 AND a.clock > x.clock;

CREATE VIEW v_gateways AS
SELECT g.tenant, g.gateway, g.state, lower(hex(j.epoch)) AS epoch, j.head_seq,
       lower(hex(j.head_hash)) AS head_hash,
       strftime('%Y-%m-%dT%H:%M:%SZ', j.last_seen_ms / 1000, 'unixepoch') AS last_seen,
       j.last_seen_ms
FROM journals j JOIN gateways g ON g.id = j.gateway;

-- A reading without its time. `value` is exact decimal text, `value_real` the nearest float to it.
CREATE VIEW named_readings AS
SELECT journal, tenant, gateway, epoch, seq, device, point, unit, class,
       CASE WHEN places = 0 THEN sign || digits
            ELSE sign || substr(digits, 1, length(digits) - places)
                 || '.' || substr(digits, -places) END AS value,
       CASE WHEN places = 0 THEN CAST(sign || digits AS REAL)
            ELSE CAST(sign || substr(digits, 1, length(digits) - places)
                 || '.' || substr(digits, -places) AS REAL) END AS value_real,
       quality
FROM (
    SELECT r.journal, g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, r.seq,
           d.name AS device, p.name AS point, p.unit, p.class, p.places,
           CASE WHEN r.value < 0 THEN '-' ELSE '' END AS sign,
           substr(s.zeros, length(ltrim(r.value, '-')) + 1) || ltrim(r.value, '-') AS digits,
           coalesce(q.name, 'unknown') AS quality
    FROM readings r
    JOIN journals j ON j.id = r.journal
    JOIN gateways g ON g.id = j.gateway
    JOIN devices d ON d.journal = r.journal AND d.number = r.device
    JOIN points p ON p.journal = r.journal AND p.device = r.device AND p.number = r.point
    JOIN scales s ON s.places = p.places
    LEFT JOIN quality_names q ON q.code = r.quality
);

-- One line a reading.
CREATE VIEW v_readings AS
SELECT tenant, gateway, epoch, seq, device, point, unit, class, value, value_real, quality,
       CASE WHEN wall_ms >= 0 THEN
           strftime('%Y-%m-%dT%H:%M:%S', wall_ms / 1000, 'unixepoch')
           || printf('.%03dZ', wall_ms % 1000) END AS time,
       wall_ms, clock
FROM (
    SELECT n.*, x.wall_ms, x.clock
    FROM stamped x
    JOIN named_readings n ON n.journal = x.journal AND n.seq = x.seq
    UNION ALL
    SELECT n.*, x.wall_ms, x.clock
    FROM restamped x
    CROSS JOIN named_readings n WHERE n.journal = x.journal AND n.seq = x.seq
) at;

CREATE VIEW v_intervals AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, i.seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.end_ms / 1000, 'unixepoch') AS end,
       CASE WHEN i.scope1_mg IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN i.scope1_mg < 0 THEN '-' ELSE '' END,
           abs(i.scope1_mg / 1000000), abs(i.scope1_mg % 1000000)) END AS scope1_kg,
       CASE WHEN i.scope2_mg IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN i.scope2_mg < 0 THEN '-' ELSE '' END,
           abs(i.scope2_mg / 1000000), abs(i.scope2_mg % 1000000)) END AS scope2_kg,
       CASE WHEN i.consumption_wh IS NOT NULL THEN printf('%s%d.%03d',
           CASE WHEN i.consumption_wh < 0 THEN '-' ELSE '' END,
           abs(i.consumption_wh / 1000), abs(i.consumption_wh % 1000)) END AS consumption_kwh,
       CASE WHEN i.intensity_mg_per_kwh IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN i.intensity_mg_per_kwh < 0 THEN '-' ELSE '' END,
           abs(i.intensity_mg_per_kwh / 1000000), abs(i.intensity_mg_per_kwh % 1000000)) END AS intensity_kg_per_kwh,
       i.green_wh, i.storage_wh, i.start_ms, i.end_ms, i.consumption_wh, i.electricity_mg
FROM intervals i
JOIN journals j ON j.id = i.journal
JOIN gateways g ON g.id = j.gateway;

CREATE VIEW v_streams AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, i.seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.end_ms / 1000, 'unixepoch') AS end,
       s.name AS stream, s.kind, s.scope, t.activity, s.unit,
       CASE WHEN t.emission_mg IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN t.emission_mg < 0 THEN '-' ELSE '' END,
           abs(t.emission_mg / 1000000), abs(t.emission_mg % 1000000)) END AS emission_kg,
       t.good, t.expected, s.factor, s.method, i.start_ms, i.end_ms, s.basis, s.place,
       t.flags, t.substituted, t.emission_mg, t.cumulative, t.rest, t.stream AS number
FROM interval_streams t
JOIN intervals i ON i.journal = t.journal AND i.seq = t.seq
JOIN journals j ON j.id = t.journal
JOIN gateways g ON g.id = j.gateway
JOIN streams s ON s.journal = t.journal AND s.number = t.stream;

-- Every stream of an interval on every basis, the main one included.
CREATE VIEW v_emissions AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, e.seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.end_ms / 1000, 'unixepoch') AS end,
       s.name AS stream, s.kind, s.scope, s.place, e.basis, e.factor,
       CASE WHEN e.emission_mg IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN e.emission_mg < 0 THEN '-' ELSE '' END,
           abs(e.emission_mg / 1000000), abs(e.emission_mg % 1000000)) END AS emission_kg, e.emission_mg, i.start_ms, i.end_ms
FROM (
    SELECT t.journal, t.seq, t.stream, s.basis, s.factor, t.emission_mg
    FROM interval_streams t
    JOIN streams s ON s.journal = t.journal AND s.number = t.stream
    UNION ALL
    SELECT t.journal, t.seq, t.stream, r.basis, r.factor, t.emission_mg
    FROM interval_emissions t
    JOIN stream_rates r ON r.journal = t.journal AND r.stream = t.stream
         AND r.position = t.position
) e
JOIN intervals i ON i.journal = e.journal AND i.seq = e.seq
JOIN journals j ON j.id = e.journal
JOIN gateways g ON g.id = j.gateway
JOIN streams s ON s.journal = e.journal AND s.number = e.stream;

-- The totals of an interval on every basis; the main one has the name of its streams' basis.
CREATE VIEW v_bases AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, b.seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.end_ms / 1000, 'unixepoch') AS end,
       b.basis, b.scope1_mg, b.scope2_mg, b.electricity_mg, b.intensity_mg_per_kwh,
       i.consumption_wh, i.start_ms, i.end_ms
FROM (
    SELECT i.journal, i.seq,
           (SELECT s.basis FROM interval_streams t
            JOIN streams s ON s.journal = t.journal AND s.number = t.stream
            WHERE t.journal = i.journal AND t.seq = i.seq LIMIT 1) AS basis,
           i.scope1_mg, i.scope2_mg, i.electricity_mg, i.intensity_mg_per_kwh
    FROM intervals i
    UNION ALL
    SELECT journal, seq, basis, scope1_mg, scope2_mg, electricity_mg, intensity_mg_per_kwh
    FROM interval_bases
) b
JOIN intervals i ON i.journal = b.journal AND i.seq = b.seq
JOIN journals j ON j.id = b.journal
JOIN gateways g ON g.id = j.gateway;

-- Named results of other factors that are whole.
CREATE VIEW v_results AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, n.name AS result, n.factor_set,
       lower(hex(n.factor_digest)) AS factor_digest,
       strftime('%Y-%m-%dT%H:%M:%SZ', n.made_ms / 1000, 'unixepoch') AS made, n.made_ms
FROM results n
JOIN journals j ON j.id = n.journal
JOIN gateways g ON g.id = j.gateway
WHERE n.made_ms IS NOT NULL;

-- Every stream of an interval in every result, beside what was recorded on the same basis.
CREATE VIEW v_result_emissions AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, e.seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.end_ms / 1000, 'unixepoch') AS end,
       n.name AS result, s.name AS stream, s.kind, s.scope, s.place,
       CASE WHEN e.position < 0 THEN s.basis ELSE r.basis END AS basis,
       CASE WHEN e.position < 0 THEN s.factor ELSE r.factor END AS factor,
       lower(hex(e.factor_digest)) AS factor_digest,
       CASE WHEN e.emission_mg IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN e.emission_mg < 0 THEN '-' ELSE '' END,
           abs(e.emission_mg / 1000000), abs(e.emission_mg % 1000000)) END AS emission_kg, e.emission_mg,
       CASE WHEN e.position < 0 THEN t.emission_mg ELSE o.emission_mg END AS recorded_mg,
       i.start_ms, i.end_ms
FROM results n
JOIN result_emissions e ON e.journal = n.journal AND e.result = n.id
JOIN intervals i ON i.journal = e.journal AND i.seq = e.seq
JOIN journals j ON j.id = e.journal
JOIN gateways g ON g.id = j.gateway
JOIN streams s ON s.journal = e.journal AND s.number = e.stream
LEFT JOIN stream_rates r ON r.journal = e.journal AND r.stream = e.stream
     AND r.position = e.position
LEFT JOIN interval_streams t ON t.journal = e.journal AND t.seq = e.seq AND t.stream = e.stream
LEFT JOIN interval_emissions o ON o.journal = e.journal AND o.seq = e.seq
     AND o.stream = e.stream AND o.position = e.position
WHERE n.made_ms IS NOT NULL;

-- The totals of an interval in every result, on every basis.
CREATE VIEW v_result_totals AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, e.seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.end_ms / 1000, 'unixepoch') AS end,
       n.name AS result, e.basis, e.scope1_mg, e.scope2_mg, e.electricity_mg,
       e.intensity_mg_per_kwh, i.start_ms, i.end_ms
FROM results n
JOIN result_totals e ON e.journal = n.journal AND e.result = n.id
JOIN intervals i ON i.journal = e.journal AND i.seq = e.seq
JOIN journals j ON j.id = e.journal
JOIN gateways g ON g.id = j.gateway
WHERE n.made_ms IS NOT NULL;

-- What a stream's number means in its journal; `details` as in the table, the digests hexadecimal.
CREATE VIEW v_definitions AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, s.number, s.name AS stream, s.kind,
       s.scope, s.unit, s.numerator, s.denominator, s.factor,
       lower(hex(s.factor_digest)) AS factor_digest, s.method,
       lower(hex(s.source_digest)) AS source_digest, s.basis, s.place, s.details
FROM streams s
JOIN journals j ON j.id = s.journal
JOIN gateways g ON g.id = j.gateway;

CREATE VIEW v_devices AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, d.number, d.name AS device, d.bus,
       d.station, d.profile, lower(hex(d.profile_digest)) AS profile_digest, d.poll_ms
FROM devices d
JOIN journals j ON j.id = d.journal
JOIN gateways g ON g.id = j.gateway;

CREATE VIEW v_points AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, d.name AS device, p.name AS point,
       p.unit, p.places, p.class
FROM points p
JOIN devices d ON d.journal = p.journal AND d.number = p.device
JOIN journals j ON j.id = p.journal
JOIN gateways g ON g.id = j.gateway;

CREATE VIEW v_configs AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, c.seq, lower(hex(c.digest)) AS digest,
       c.version
FROM configs c
JOIN journals j ON j.id = c.journal
JOIN gateways g ON g.id = j.gateway;

-- A stated fact: value x 10^-places in its unit.
CREATE VIEW v_facts AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, f.seq, f.name, f.kind, f.value,
       f.places, f.unit, f.period, f.vintage, f.source
FROM facts f
JOIN journals j ON j.id = f.journal
JOIN gateways g ON g.id = j.gateway;

-- Every further figure of an interval, of a stream or ('') of all together; `value` is exact text.
CREATE VIEW v_figures AS
SELECT tenant, gateway, epoch, seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', end_ms / 1000, 'unixepoch') AS end,
       stream, name, subject, basis,
       CASE WHEN places = 0 THEN sign || digits
            ELSE sign || substr(digits, 1, length(digits) - CAST(places AS INT))
                 || '.' || substr(digits, length(digits) - CAST(places AS INT) + 1) END AS value,
       unit, start_ms, end_ms, named.position
FROM (
    SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, f.seq,
           coalesce(s.name, '') AS stream, f.name, f.subject, f.basis, f.places, f.unit,
           CASE WHEN f.value < 0 THEN '-' ELSE '' END AS sign,
           substr(z.zeros, length(ltrim(CAST(f.value AS TEXT), '-')) + 1)
               || ltrim(CAST(f.value AS TEXT), '-') AS digits,
           i.start_ms, i.end_ms, f.position
    FROM interval_figures f
    JOIN intervals i ON i.journal = f.journal AND i.seq = f.seq
    JOIN journals j ON j.id = f.journal
    JOIN gateways g ON g.id = j.gateway
    JOIN scales z ON z.places = f.places
    LEFT JOIN streams s ON s.journal = f.journal AND s.number = f.stream
) named;

-- Declared windows of stacks, as they were stated.
CREATE VIEW v_windows AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, w.seq, w.stream, w.flag, w.note,
       strftime('%Y-%m-%dT%H:%M:%SZ', w.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', w.end_ms / 1000, 'unixepoch') AS end,
       w.start_ms, w.end_ms
FROM windows w
JOIN journals j ON j.id = w.journal
JOIN gateways g ON g.id = j.gateway;

-- Serial numbers that meters told of themselves.
CREATE VIEW v_serials AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, n.seq, n.device, n.serial
FROM serials n
JOIN journals j ON j.id = n.journal
JOIN gateways g ON g.id = j.gateway;

-- Records that have not arrived, between others that have.
CREATE VIEW v_gaps AS
SELECT tenant, gateway, epoch, first_missing, last_missing
FROM (
    SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch,
           coalesce(lag(r.last) OVER (PARTITION BY r.journal ORDER BY r.first), -1) + 1
               AS first_missing,
           r.first - 1 AS last_missing
    FROM ranges r
    JOIN journals j ON j.id = r.journal
    JOIN gateways g ON g.id = j.gateway
) holes
WHERE last_missing >= first_missing;

CREATE VIEW v_events AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, e.seq, e.code, e.fields, x.wall_ms
FROM stamped x
JOIN events e ON e.journal = x.journal AND e.seq = x.seq
JOIN journals j ON j.id = e.journal
JOIN gateways g ON g.id = j.gateway
UNION ALL
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, e.seq, e.code, e.fields, x.wall_ms
FROM restamped x
CROSS JOIN events e
JOIN journals j ON j.id = e.journal
JOIN gateways g ON g.id = j.gateway
WHERE e.journal = x.journal AND e.seq = x.seq;

-- What a person should look at and what was refused, of gateways that are known.
CREATE VIEW v_alarms AS
SELECT g.tenant, g.gateway, a.what, a.code, a.fields, a.first_ms, a.last_ms, a.count
FROM (
    SELECT owner, 'alarm' AS what, code, fields, first_ms, last_ms, count FROM alarms
    UNION ALL
    SELECT owner, 'refusal' AS what, code, fields, first_ms, last_ms, count FROM quarantine
) a
JOIN gateways g ON g.tenant || '/' || g.gateway = a.owner;

-- Every record as it came, its time not re-stamped. `body` is what the chain hashes; in SQLite it is
-- only the evidence of a poll that was compacted, see schema.sql.
CREATE VIEW v_records AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, r.seq, r.kind, r.wall_ms, r.hash, r.body
FROM records r
JOIN journals j ON j.id = r.journal
JOIN gateways g ON g.id = j.gateway;
