-- How PostgreSQL keeps records and readings, and the functions of SQLite that views call.
-- A record is one row as it comes, a poll with its values as an array. Polls of the past are
-- compacted: one row a device for the record columns (poll_blocks), one row a point for the values
-- (point_blocks), as arrays that are compressed out of line. `records` and `readings` are views
-- over both, with the columns that the tables have in schema.sql.

CREATE TABLE carbontally_schema (version bigint NOT NULL, views text NOT NULL);
COMMENT ON TABLE carbontally_schema IS 'version of the tables; digest of the views';

CREATE DOMAIN blob AS bytea;

CREATE FUNCTION hex(bytes bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(bytes, 'hex');

CREATE FUNCTION strftime(format text, seconds bigint, kind text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN seconds BETWEEN -62135596800 AND 253402300799 THEN
    to_char(timestamp '1970-01-01' + make_interval(secs => seconds), 'YYYY-MM-DD"T"HH24:MI:SS')
    || CASE WHEN right(format, 1) = 'Z' THEN 'Z' ELSE '' END END;

-- '%s%d.%0Nd' and '.%03dZ' are the formats that views use.
CREATE FUNCTION printf(format text, sign text, whole bigint, part bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN sign || whole || '.' || lpad(part::text, substr(format, 8, 1)::integer, '0');

CREATE FUNCTION printf(format text, part bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '.' || lpad(part::text, 3, '0') || 'Z';

CREATE TABLE record_rows (
    seq bigint NOT NULL,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    wall_ms bigint NOT NULL,
    device bigint,
    journal bigint NOT NULL,
    kind smallint NOT NULL,
    clock smallint NOT NULL,
    hash bytea NOT NULL,
    body bytea NOT NULL,
    mantissas bigint[],
    qualities bigint[],
    PRIMARY KEY (journal, seq, wall_ms)
) PARTITION BY RANGE (wall_ms);
CREATE INDEX record_rows_time ON record_rows USING brin (wall_ms) WITH (pages_per_range = 32);
CREATE INDEX record_rows_clock ON record_rows (journal, boot) WHERE kind = 4;
CREATE INDEX record_rows_untrusted ON record_rows (journal, boot, seq) WHERE clock < 2;
COMMENT ON TABLE record_rows IS 'records as they came, a poll with its values as an array';
COMMENT ON COLUMN record_rows.mono_ms IS 'milliseconds since boot';
COMMENT ON COLUMN record_rows.wall_ms IS 'Unix milliseconds, as received';
COMMENT ON COLUMN record_rows.body IS 'canonical bytes: what the hash chain hashes';
COMMENT ON COLUMN record_rows.mantissas IS
    'of a poll: value x 10^places in the unit of the point, in the order of the points';
COMMENT ON COLUMN record_rows.qualities IS
    'of a poll: a code for each value; NULL: each value that is there is good';

CREATE TABLE poll_blocks (
    journal bigint NOT NULL,
    device bigint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL,
    polls integer NOT NULL,
    seqs bigint[] NOT NULL,
    boots bigint[] NOT NULL,
    monos bigint[] NOT NULL,
    walls bigint[] NOT NULL,
    hashes bytea[] NOT NULL,
    bodies bytea[] NOT NULL,
    PRIMARY KEY (journal, device, first, start_ms)
) PARTITION BY RANGE (start_ms);
CREATE INDEX poll_blocks_last ON poll_blocks (journal, last);
COMMENT ON TABLE poll_blocks IS 'polls of one device with a trusted clock, ascending by seq';
COMMENT ON COLUMN poll_blocks.start_ms IS 'Unix milliseconds of the earliest poll';
COMMENT ON COLUMN poll_blocks.end_ms IS 'Unix milliseconds of the latest poll';
COMMENT ON COLUMN poll_blocks.monos IS 'milliseconds since boot';
COMMENT ON COLUMN poll_blocks.walls IS 'Unix milliseconds';
COMMENT ON COLUMN poll_blocks.bodies IS 'canonical bytes: what the hash chain hashes';

-- A value is origin + its offset, in the narrowest array that holds the block's values.
CREATE TABLE point_blocks (
    journal bigint NOT NULL,
    device bigint NOT NULL,
    point bigint NOT NULL,
    first bigint NOT NULL,
    start_ms bigint NOT NULL,
    origin bigint NOT NULL,
    narrow smallint[],
    medium integer[],
    wide bigint[],
    qualities bigint[],
    PRIMARY KEY (journal, device, point, first, start_ms)
) PARTITION BY RANGE (start_ms);
COMMENT ON TABLE point_blocks IS 'values of one point, in the order of the poll block';
COMMENT ON COLUMN point_blocks.start_ms IS 'Unix milliseconds of the earliest poll';
COMMENT ON COLUMN point_blocks.origin IS 'value x 10^places in the unit of the point';
COMMENT ON COLUMN point_blocks.qualities IS
    'a code for each value; NULL: each value that is there is good';

-- A partition of each table for the month that a time is in; early and late are for clocks that
-- cannot be right.
CREATE FUNCTION add_partition(low bigint, high bigint, suffix text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(1667331197);
    FOREACH parent IN ARRAY ARRAY['record_rows', 'poll_blocks', 'point_blocks'] LOOP
        part := parent || '_' || suffix;
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES)', part, parent);
        EXECUTE format('ALTER TABLE %I SET (toast_tuple_target = 128)', part);
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, part,
            coalesce(low::text, 'MINVALUE'), coalesce(high::text, 'MAXVALUE'));
    END LOOP;
END $$;

CREATE FUNCTION records_within(of_journal bigint, low bigint, high bigint)
RETURNS TABLE (
    journal bigint, seq bigint, kind bigint, boot bigint, mono_ms bigint, wall_ms bigint,
    clock bigint, hash bytea, body bytea)
LANGUAGE sql STABLE AS $$
    SELECT r.journal, r.seq, r.kind::bigint, r.boot, r.mono_ms, r.wall_ms,
           r.clock::bigint, r.hash, r.body
    FROM record_rows r
    WHERE r.journal = of_journal AND r.seq BETWEEN low AND high
    UNION ALL
    SELECT b.journal, u.seq, 1::bigint, u.boot, u.mono_ms, u.wall_ms, 2::bigint, u.hash,
           u.body
    FROM poll_blocks b
    CROSS JOIN LATERAL unnest(b.seqs, b.boots, b.monos, b.walls, b.hashes, b.bodies)
        AS u (seq, boot, mono_ms, wall_ms, hash, body)
    WHERE b.journal = of_journal AND b.first <= high AND b.last >= low
      AND u.seq BETWEEN low AND high
$$;

CREATE VIEW records AS
SELECT journal, seq, kind::bigint AS kind, boot, mono_ms, wall_ms,
       clock::bigint AS clock, hash, body
FROM record_rows
UNION ALL
SELECT b.journal, u.seq, 1::bigint, u.boot, u.mono_ms, u.wall_ms, 2::bigint, u.hash, u.body
FROM poll_blocks b
CROSS JOIN LATERAL unnest(b.seqs, b.boots, b.monos, b.walls, b.hashes, b.bodies)
    AS u (seq, boot, mono_ms, wall_ms, hash, body);

-- Readings with what their times are made of, from rows and from blocks.
CREATE VIEW row_readings AS
SELECT r.journal AS journal, r.seq, u.at - 1 AS point, r.device, u.value,
       CASE WHEN r.qualities IS NOT NULL THEN r.qualities[u.at]
            WHEN u.value IS NOT NULL THEN 0::bigint END AS quality,
       r.boot, r.mono_ms, r.wall_ms, r.clock::bigint AS clock
FROM record_rows r
CROSS JOIN LATERAL unnest(r.mantissas) WITH ORDINALITY AS u (value, at)
WHERE r.mantissas IS NOT NULL;

CREATE VIEW block_readings AS
SELECT b.journal AS journal, u.seq, p.point, b.device,
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
