-- Turn one run of polls of a journal into blocks: all of it or nothing, as it is one statement.
-- Parameters: journal, before_ms, polls_max.
WITH unit AS (
    SELECT journal, seq, wall_ms
    FROM record_rows
    WHERE journal = %(journal)s AND kind = 1 AND clock = 2 AND mantissas IS NOT NULL
      AND wall_ms < %(before_ms)s
    ORDER BY seq
    LIMIT %(polls_max)s
), gone AS (
    DELETE FROM record_rows r
    USING unit u
    WHERE r.journal = u.journal AND r.seq = u.seq AND r.wall_ms = u.wall_ms
    RETURNING r.*
), grouped AS (
    -- Polls of one device with the same number of points share a block.
    SELECT *, min(seq) OVER same AS first, min(wall_ms) OVER same AS start_ms
    FROM gone
    WINDOW same AS (PARTITION BY device, cardinality(mantissas))
), stored AS (
    INSERT INTO poll_blocks
    SELECT journal, device, first, max(seq), start_ms, max(wall_ms), count(*),
           array_agg(seq ORDER BY seq), array_agg(boot ORDER BY seq),
           array_agg(mono_ms ORDER BY seq), array_agg(wall_ms ORDER BY seq),
           array_agg(hash ORDER BY seq), array_agg(body ORDER BY seq)
    FROM grouped
    GROUP BY journal, device, first, start_ms
    RETURNING polls
), valued AS (
    SELECT g.journal, g.device, g.first, g.start_ms, g.seq, u.at - 1 AS point, u.value,
           CASE WHEN g.qualities IS NOT NULL THEN g.qualities[u.at]
                WHEN u.value IS NOT NULL THEN 0::bigint END AS quality
    FROM grouped g
    CROSS JOIN LATERAL unnest(g.mantissas) WITH ORDINALITY AS u (value, at)
), pointed AS (
    SELECT journal, device, point, first, start_ms, coalesce(min(value), 0) AS origin,
           coalesce(max(value)::numeric - min(value), 0) AS spread,
           array_agg(value ORDER BY seq) AS mantissas,
           CASE WHEN bool_or(quality IS DISTINCT FROM CASE WHEN value IS NOT NULL THEN 0 END)
                THEN array_agg(quality ORDER BY seq) END AS qualities
    FROM valued
    GROUP BY journal, device, point, first, start_ms
), kept AS (
    INSERT INTO point_blocks
    SELECT journal, device, point, first, start_ms,
           CASE WHEN spread < 2147483648 THEN origin ELSE 0 END,
           CASE WHEN spread < 32768 THEN
               ARRAY(SELECT (u.v - origin)::smallint
                     FROM unnest(mantissas) WITH ORDINALITY AS u (v, at) ORDER BY u.at) END,
           CASE WHEN spread >= 32768 AND spread < 2147483648 THEN
               ARRAY(SELECT (u.v - origin)::integer
                     FROM unnest(mantissas) WITH ORDINALITY AS u (v, at) ORDER BY u.at) END,
           CASE WHEN spread >= 2147483648 THEN mantissas END,
           qualities
    FROM pointed
)
SELECT coalesce(sum(polls), 0) FROM stored
