-- How PostgreSQL keeps records and readings, and the functions of SQLite that views call.
-- A record is one row as it comes, a poll with its values as an array. Polls of the past are
-- compacted: one row a device for the record columns (poll_blocks), one row a point for the values
-- (point_blocks), as arrays that are compressed out of line. `records` and `readings` are views
-- over both, in postgres_views.sql, with the columns that SQLite's have.

CREATE TABLE carbontally_schema (version bigint NOT NULL, views text NOT NULL);
COMMENT ON TABLE carbontally_schema IS 'version of the tables; digest of the views and comments';

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
