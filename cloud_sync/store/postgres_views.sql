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
