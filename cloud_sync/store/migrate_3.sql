-- From version 2 to version 3: what the re-stamping of times looks up.
CREATE INDEX records_clock ON records
    (journal, boot, clock DESC, seq, mono_ms, wall_ms, kind) WHERE kind = 4;
CREATE INDEX records_untrusted ON records (journal, boot, seq, mono_ms, clock)
    WHERE clock < 2;
