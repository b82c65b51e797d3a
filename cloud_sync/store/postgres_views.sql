-- Views that PostgreSQL has in a form of its own; every other is that of views.sql.

-- Blocks hold polls of a trusted clock: only rows can be re-stamped, and only rows are no polls.
CREATE VIEW stamped AS
SELECT x.journal, x.seq, x.wall_ms, c.name AS clock
FROM record_rows x
JOIN clock_names c ON c.code = x.clock
WHERE x.clock = 2 OR NOT EXISTS (
    SELECT 1 FROM anchors a
    WHERE a.journal = x.journal AND a.boot = x.boot AND a.seq > x.seq AND a.clock > x.clock
);

CREATE VIEW restamped AS
SELECT x.journal, x.seq, x.mono_ms + a.offset_ms AS wall_ms,
       CASE WHEN a.clock = 2 THEN 'restamped' ELSE 'held' END AS clock
FROM anchors a
JOIN record_rows x ON x.journal = a.journal AND x.boot = a.boot AND x.clock < 2
     AND x.seq < a.seq AND x.clock < a.clock;

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

CREATE VIEW named_readings AS
SELECT n.journal, n.tenant, n.gateway, n.epoch, r.seq, n.device, n.point, n.unit, n.class,
       (r.value * n.step)::text AS value, (r.value * n.step)::double precision AS value_real,
       coalesce((SELECT q.name FROM quality_names q WHERE q.code = r.quality), 'unknown')
           AS quality,
       r.wall_ms, (SELECT c.name FROM clock_names c WHERE c.code = r.clock) AS clock
FROM row_readings r
JOIN named_points n ON n.journal = r.journal AND n.device_number = r.device
     AND n.point_number = r.point
WHERE r.clock = 2 OR NOT EXISTS (
    SELECT 1 FROM anchors a
    WHERE a.journal = r.journal AND a.boot = r.boot AND a.seq > r.seq AND a.clock > r.clock
)
UNION ALL
SELECT n.journal, n.tenant, n.gateway, n.epoch, r.seq, n.device, n.point, n.unit, n.class,
       (r.value * n.step)::text, (r.value * n.step)::double precision,
       coalesce((SELECT q.name FROM quality_names q WHERE q.code = r.quality), 'unknown'),
       r.mono_ms + a.offset_ms, CASE WHEN a.clock = 2 THEN 'restamped' ELSE 'held' END
FROM anchors a
JOIN row_readings r ON r.journal = a.journal AND r.boot = a.boot AND r.clock < 2
     AND r.seq < a.seq AND r.clock < a.clock
JOIN named_points n ON n.journal = r.journal AND n.device_number = r.device
     AND n.point_number = r.point
UNION ALL
SELECT n.journal, n.tenant, n.gateway, n.epoch, r.seq, n.device, n.point, n.unit, n.class,
       (r.value * n.step)::text, (r.value * n.step)::double precision,
       coalesce((SELECT q.name FROM quality_names q WHERE q.code = r.quality), 'unknown'),
       r.wall_ms, 'synced'
FROM named_points n
JOIN block_readings r ON r.journal = n.journal AND r.device = n.device_number
     AND r.point = n.point_number;

CREATE VIEW v_readings AS
SELECT tenant, gateway, epoch, seq, device, point, unit, class, value, value_real, quality,
       CASE WHEN wall_ms >= 0 THEN
           strftime('%Y-%m-%dT%H:%M:%S', wall_ms / 1000, 'unixepoch')
           || printf('.%03dZ', wall_ms % 1000) END AS time,
       wall_ms, clock
FROM named_readings;

-- As in views.sql; substr takes no bigint here.
CREATE VIEW v_figures AS
SELECT tenant, gateway, epoch, seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', end_ms / 1000, 'unixepoch') AS end,
       stream, name, subject, basis,
       CASE WHEN places = 0 THEN sign || digits
            ELSE sign || substr(digits, 1, length(digits) - places::integer)
                 || '.' || substr(digits, length(digits) - places::integer + 1) END AS value,
       unit, start_ms, end_ms, named.position
FROM (
    SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, f.seq,
           coalesce(s.name, '') AS stream, f.name, f.subject, f.basis, f.places, f.unit,
           CASE WHEN f.value < 0 THEN '-' ELSE '' END AS sign,
           substr(z.zeros, length(CAST(abs(f.value) AS TEXT)) + 1)
               || CAST(abs(f.value) AS TEXT) AS digits,
           i.start_ms, i.end_ms, f.position
    FROM interval_figures f
    JOIN intervals i ON i.journal = f.journal AND i.seq = f.seq
    JOIN journals j ON j.id = f.journal
    JOIN gateways g ON g.id = j.gateway
    JOIN scales z ON z.places = f.places
    LEFT JOIN streams s ON s.journal = f.journal AND s.number = f.stream
) named;
