-- Merge ranges of a journal and set its head, in one trip; gives the lowest ranges there are then.
-- A statement sees ranges as they were before it: what it deletes is taken out by hand, and what it
-- puts in is added. Parameters: journal; first, last, before, hash of the merged range; gone, the
-- firsts of those it takes the place of; genesis; limit.
WITH put AS (
    INSERT INTO ranges VALUES (%(journal)s, %(first)s, %(last)s, %(before)s, %(hash)s)
    ON CONFLICT (journal, first) DO UPDATE SET last = excluded.last,
        hash_before = excluded.hash_before, hash_last = excluded.hash_last
    RETURNING first, last, hash_before, hash_last
), gone AS (
    DELETE FROM ranges WHERE journal = %(journal)s AND first = ANY(%(gone)s)
), lowest AS (
    SELECT first, last, hash_before, hash_last FROM put
    UNION ALL
    (SELECT first, last, hash_before, hash_last
     FROM ranges
     WHERE journal = %(journal)s AND first <> %(first)s AND first <> ALL(%(gone)s)
     ORDER BY first
     LIMIT %(limit)s)
    ORDER BY first
    LIMIT %(limit)s
), head AS (
    UPDATE journals SET head_seq = coalesce(l.last, -1),
        head_hash = coalesce(l.hash_last, %(genesis)s)
    FROM (SELECT 1) one
    LEFT JOIN lowest l ON l.first = 0
    WHERE id = %(journal)s
)
SELECT first, last, hash_before, hash_last FROM lowest
