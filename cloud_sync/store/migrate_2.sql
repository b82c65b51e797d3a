-- From version 1 to version 2: no row is lost, what the first form does not say is NULL.
ALTER TABLE streams ADD COLUMN basis TEXT;
ALTER TABLE streams ADD COLUMN place TEXT;
ALTER TABLE streams ADD COLUMN details BLOB;
ALTER TABLE intervals ADD COLUMN green_wh INTEGER;
ALTER TABLE intervals ADD COLUMN storage_wh INTEGER;
ALTER TABLE interval_streams ADD COLUMN flags INTEGER;
ALTER TABLE interval_streams ADD COLUMN substituted INTEGER;
ALTER TABLE interval_streams ADD COLUMN state BLOB;

-- A stream's further bases, in the order of `interval_emissions`.
CREATE TABLE stream_rates (
    journal INTEGER NOT NULL REFERENCES journals (id),
    stream INTEGER NOT NULL,
    position INTEGER NOT NULL,
    basis TEXT NOT NULL,
    numerator INTEGER NOT NULL,
    denominator INTEGER NOT NULL,
    factor TEXT NOT NULL,
    factor_digest BLOB NOT NULL,
    PRIMARY KEY (journal, stream, position)
) WITHOUT ROWID;

-- What an operator confirmed: a register's step that was no flow. Integers of the point.
CREATE TABLE swaps (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    device TEXT NOT NULL,
    point TEXT NOT NULL,
    old INTEGER,                    -- last register before it; NULL: the last one read
    new INTEGER NOT NULL,           -- first register after it
    at TEXT NOT NULL,               -- when, as the operator wrote it
    why TEXT NOT NULL,              -- 'meter', 'ratio' or 'reset'
    note TEXT NOT NULL,             -- who and what: serial numbers, document
    PRIMARY KEY (journal, seq, device, point)
) WITHOUT ROWID;

-- Facts from outside the meters: what intensities are divided by, certificates.
CREATE TABLE facts (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,             -- 'product', 'floor_area', 'value_added' or 'certificate'
    value INTEGER NOT NULL,         -- value x 10^-places in unit
    places INTEGER NOT NULL,
    unit TEXT NOT NULL,
    period TEXT NOT NULL,           -- '2026' or '2026-11': what it is of
    vintage TEXT NOT NULL,          -- day on which it was stated
    source TEXT NOT NULL,
    PRIMARY KEY (journal, seq, name)
) WITHOUT ROWID;

-- The same totals on the further bases.
CREATE TABLE interval_bases (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    basis TEXT NOT NULL,
    scope1_mg INTEGER,
    scope2_mg INTEGER,
    electricity_mg INTEGER,
    intensity_mg_per_kwh INTEGER,
    PRIMARY KEY (journal, seq, basis)
) WITHOUT ROWID;

-- A stream's emission on its further bases; position as in `stream_rates`.
CREATE TABLE interval_emissions (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    position INTEGER NOT NULL,
    emission_mg INTEGER,
    PRIMARY KEY (journal, seq, stream, position)
) WITHOUT ROWID;
