-- From version 5 to version 6: polls may be compacted, which leaves their evidence as the body.
CREATE INDEX records_whole ON records (journal, wall_ms)
    WHERE kind = 1 AND body >= x'97' AND body < x'98';
