-- Where a hypertable sorts a time in: times of clocks that were never set share one chunk, times
-- that no clock means another. In order, and as fine as a chunk's width allows, because TimescaleDB
-- leaves out everything where both bounds of a question sort in at the same place: steps of a
-- second from 1970 to 2020, of 16 s from 2100 to 2239, of a year beyond. Whoever asks for less than
-- a step says BETWEEN, since bounds that both belong to what is asked for may be equal.
CREATE OR REPLACE FUNCTION sorted_ms(ms bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN ms < 0 THEN 1576295943749 - ((-1 - ms) >> 35)
    WHEN ms < 1577836800000 THEN 1577836799999 - ((1577836799999 - ms) >> 10)
    WHEN ms < 4102444800000 THEN ms
    WHEN ms < 8500491311104 THEN 4102444800000 + ((ms - 4102444800000) >> 14)
    ELSE 4102713235456 + ((ms - 8500491311104) >> 35) END;
