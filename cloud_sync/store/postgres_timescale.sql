-- In place of partitions, in a database that has TimescaleDB when its tables are made: the same
-- tables as hypertables, whose chunks of 30 days the extension makes. Chunks stand in a schema that
-- no reader may use.
CREATE SCHEMA carbontally_chunks;

CREATE FUNCTION make_hypertable(parted text, column_ms text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I SET (toast_tuple_target = 128)', parted);
    EXECUTE format(
        'SELECT %s.create_hypertable(%L, %L, chunk_time_interval => %s::bigint,'
        ' create_default_indexes => false, time_partitioning_func => %L,'
        ' associated_schema_name => %L, associated_table_prefix => %L)',
        (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'timescaledb'),
        parted, column_ms, 2592000000, 'sorted_ms', 'carbontally_chunks', parted);
END $$;

SELECT make_hypertable('record_rows', 'wall_ms');
SELECT make_hypertable('poll_blocks', 'start_ms');
SELECT make_hypertable('point_blocks', 'start_ms');

-- A chunk has the rights of its hypertable and none of its policies, and what is known of its rows
-- (pg_stats) is for whoever has rights. To be called by whoever may have made a chunk, before it
-- commits; how many there were.
CREATE FUNCTION guard_chunks() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    chunk regclass;
    found bigint := 0;
BEGIN
    FOR chunk IN
        SELECT c.oid
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('record_rows'::regclass, 'poll_blocks'::regclass,
                              'point_blocks'::regclass)
          AND NOT c.relrowsecurity
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', chunk);
        found := found + 1;
    END LOOP;
    RETURN found;
END $$;
