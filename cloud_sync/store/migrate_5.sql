-- From version 4 to version 5: the values of a poll are one row.
CREATE TABLE polls (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    device INTEGER NOT NULL,
    mantissas TEXT NOT NULL,        -- JSON array in point order; null: not read, quality says why
    qualities TEXT,                 -- JSON array of codes; NULL: each value that is there is good
    PRIMARY KEY (journal, seq)
) WITHOUT ROWID;

INSERT INTO polls
SELECT journal, seq, min(device), json_group_array(value),
       CASE WHEN sum(quality IS NOT CASE WHEN value IS NOT NULL THEN 0 END)
            THEN json_group_array(quality) END
FROM (SELECT * FROM readings ORDER BY journal, seq, point)
GROUP BY journal, seq;

DROP TABLE readings;
