-- Views that PostgreSQL has in a form of its own; every other is that of views.sql. Kinds and clocks
-- stay as narrow as they are stored: a cast would keep questions from the partial indexes.

CREATE VIEW records AS
SELECT journal, seq, kind, boot, mono_ms, wall_ms, clock, hash, body
FROM record_rows
UNION ALL
SELECT b.journal, u.seq, 1::smallint, u.boot, u.mono_ms, u.wall_ms, 2::smallint, u.hash, u.body
FROM poll_blocks b
CROSS JOIN LATERAL unnest(b.seqs, b.boots, b.monos, b.walls, b.hashes, b.bodies)
    AS u (seq, boot, mono_ms, wall_ms, hash, body);

CREATE FUNCTION records_within(of_journal bigint, low bigint, high bigint)
RETURNS TABLE (
    journal bigint, seq bigint, kind smallint, boot bigint, mono_ms bigint, wall_ms bigint,
    clock smallint, hash bytea, body bytea)
LANGUAGE sql STABLE AS $$
    SELECT r.journal, r.seq, r.kind, r.boot, r.mono_ms, r.wall_ms, r.clock, r.hash, r.body
    FROM record_rows r
    WHERE r.journal = of_journal AND r.seq BETWEEN low AND high
    UNION ALL
    SELECT b.journal, u.seq, 1::smallint, u.boot, u.mono_ms, u.wall_ms, 2::smallint, u.hash,
           u.body
    FROM poll_blocks b
    CROSS JOIN LATERAL unnest(b.seqs, b.boots, b.monos, b.walls, b.hashes, b.bodies)
        AS u (seq, boot, mono_ms, wall_ms, hash, body)
    WHERE b.journal = of_journal AND b.first <= high AND b.last >= low
      AND u.seq BETWEEN low AND high
$$;

-- Readings with what their times are made of, from rows and from blocks.
CREATE VIEW row_readings AS
SELECT r.journal, r.seq, u.at - 1 AS point, r.device, u.value,
       CASE WHEN r.qualities IS NOT NULL THEN r.qualities[u.at]
            WHEN u.value IS NOT NULL THEN 0::bigint END AS quality,
       r.boot, r.mono_ms, r.wall_ms, r.clock
FROM record_rows r
CROSS JOIN LATERAL unnest(r.mantissas) WITH ORDINALITY AS u (value, at)
WHERE r.mantissas IS NOT NULL;

CREATE VIEW block_readings AS
SELECT b.journal, u.seq, p.point, b.device,
       p.origin + u.value AS value,
       CASE WHEN p.qualities IS NOT NULL THEN u.quality
            WHEN u.value IS NOT NULL THEN 0::bigint END AS quality,
       u.wall_ms, b.first, b.last, b.start_ms, b.end_ms
FROM poll_blocks b
JOIN point_blocks p ON p.journal = b.journal AND p.device = b.device AND p.first = b.first
     AND p.start_ms = b.start_ms
CROSS JOIN LATERAL unnest(
    b.seqs, b.walls, coalesce(p.narrow::bigint[], p.medium::bigint[], p.wide), p.qualities
) AS u (seq, wall_ms, value, quality);

CREATE VIEW readings AS
SELECT journal, seq, point, device, value, quality FROM row_readings
UNION ALL
SELECT journal, seq, point, device, value, quality FROM block_readings;

CREATE FUNCTION readings_within(of_journal bigint, low bigint, high bigint)
RETURNS TABLE (
    journal bigint, seq bigint, point bigint, device bigint, value bigint, quality bigint)
LANGUAGE sql STABLE AS $$
    SELECT r.journal, r.seq, r.point, r.device, r.value, r.quality
    FROM row_readings r
    WHERE r.journal = of_journal AND r.seq BETWEEN low AND high
    UNION ALL
    SELECT b.journal, b.seq, b.point, b.device, b.value, b.quality
    FROM block_readings b
    WHERE b.journal = of_journal AND b.first <= high AND b.last >= low
      AND b.seq BETWEEN low AND high
$$;

CREATE VIEW anchors AS
SELECT k.journal, k.boot, k.mono_ms, k.clock, k.wall_ms - k.mono_ms AS offset_ms
FROM record_rows k
WHERE k.kind = 4 AND k.clock > 0 AND k.seq = (
    SELECT o.seq FROM record_rows o
    WHERE o.kind = 4 AND o.journal = k.journal AND o.boot = k.boot
    ORDER BY o.clock DESC, o.seq LIMIT 1
);

-- Blocks hold polls of a trusted clock: only rows can be re-stamped, and only rows are no polls.
CREATE VIEW stamped AS
SELECT x.journal, x.seq, x.wall_ms, c.name AS clock
FROM record_rows x
JOIN clock_names c ON c.code = x.clock
WHERE x.clock = 2 OR NOT EXISTS (
    SELECT 1 FROM anchors a
    WHERE a.journal = x.journal AND a.boot = x.boot AND a.mono_ms >= x.mono_ms AND a.clock > x.clock
);

CREATE VIEW restamped AS
SELECT x.journal, x.seq, x.mono_ms + a.offset_ms AS wall_ms,
       CASE WHEN a.clock = 2 THEN 'restamped' ELSE 'held' END AS clock
FROM anchors a
JOIN record_rows x ON x.journal = a.journal AND x.boot = a.boot AND x.clock < 2
     AND x.mono_ms <= a.mono_ms AND x.clock < a.clock;

-- Names are joined in each branch, so that a question about one point goes by the index of its
-- blocks; few tables are joined, so that the planner weighs every order.
CREATE VIEW named_points AS
SELECT d.journal, d.number AS device_number, p.number AS point_number, g.tenant, g.gateway,
       lower(hex(j.epoch)) AS epoch, d.name AS device, p.name AS point, p.unit, p.class,
       ('1e-' || p.places)::numeric AS step
FROM gateways g
JOIN journals j ON j.gateway = g.id
JOIN devices d ON d.journal = j.id
JOIN points p ON p.journal = d.journal AND p.device = d.number;

-- start_ms and end_ms: of the block that it is in.
CREATE VIEW named_readings AS
SELECT n.journal, n.tenant, n.gateway, n.epoch, r.seq, n.device, n.point, n.unit, n.class,
       (r.value * n.step)::text AS value, (r.value * n.step)::double precision AS value_real,
       coalesce((SELECT q.name FROM quality_names q WHERE q.code = r.quality), 'unknown')
           AS quality,
       r.wall_ms, (SELECT c.name FROM clock_names c WHERE c.code = r.clock) AS clock,
       r.wall_ms AS start_ms, r.wall_ms AS end_ms
FROM row_readings r
JOIN named_points n ON n.journal = r.journal AND n.device_number = r.device
     AND n.point_number = r.point
WHERE r.clock = 2 OR NOT EXISTS (
    SELECT 1 FROM anchors a
    WHERE a.journal = r.journal AND a.boot = r.boot AND a.mono_ms >= r.mono_ms AND a.clock > r.clock
)
UNION ALL
SELECT n.journal, n.tenant, n.gateway, n.epoch, r.seq, n.device, n.point, n.unit, n.class,
       (r.value * n.step)::text, (r.value * n.step)::double precision,
       coalesce((SELECT q.name FROM quality_names q WHERE q.code = r.quality), 'unknown'),
       r.mono_ms + a.offset_ms, CASE WHEN a.clock = 2 THEN 'restamped' ELSE 'held' END,
       r.mono_ms + a.offset_ms, r.mono_ms + a.offset_ms
FROM anchors a
JOIN row_readings r ON r.journal = a.journal AND r.boot = a.boot AND r.clock < 2
     AND r.mono_ms <= a.mono_ms AND r.clock < a.clock
JOIN named_points n ON n.journal = r.journal AND n.device_number = r.device
     AND n.point_number = r.point
UNION ALL
SELECT n.journal, n.tenant, n.gateway, n.epoch, r.seq, n.device, n.point, n.unit, n.class,
       (r.value * n.step)::text, (r.value * n.step)::double precision,
       coalesce((SELECT q.name FROM quality_names q WHERE q.code = r.quality), 'unknown'),
       r.wall_ms, 'synced', r.start_ms, r.end_ms
FROM named_points n
JOIN block_readings r ON r.journal = n.journal AND r.device = n.device_number
     AND r.point = n.point_number;

-- What v_readings has, and start_ms and end_ms.
CREATE VIEW timed_readings AS
SELECT *,
       CASE WHEN wall_ms >= 0 THEN
           strftime('%Y-%m-%dT%H:%M:%S', wall_ms / 1000, 'unixepoch')
           || printf('.%03dZ', wall_ms % 1000) END AS time
FROM named_readings;

-- The rows of v_readings with from_ms <= wall_ms < until_ms; blocks of other times stay unread,
-- which the same condition on v_readings cannot do. Its bounds belong to what is asked for, so
-- that hypertables find rows between two times that they sort in at one place.
CREATE FUNCTION v_readings_between(from_ms bigint, until_ms bigint)
RETURNS TABLE (
    tenant text, gateway text, epoch text, seq bigint, device text, point text, unit text,
    class text, value text, value_real double precision, quality text, "time" text,
    wall_ms bigint, clock text)
LANGUAGE sql STABLE AS $$
    SELECT t.tenant, t.gateway, t.epoch, t.seq, t.device, t.point, t.unit, t.class, t.value,
           t.value_real, t.quality, t.time, t.wall_ms, t.clock
    FROM timed_readings t
    WHERE t.wall_ms BETWEEN from_ms AND greatest(until_ms, -9223372036854775807) - 1
      AND t.start_ms <= greatest(until_ms, -9223372036854775807) - 1 AND t.end_ms >= from_ms
$$;

CREATE VIEW v_readings AS
SELECT tenant, gateway, epoch, seq, device, point, unit, class, value, value_real, quality, time,
       wall_ms, clock
FROM timed_readings;
