-- From version 6 to version 7: results of other factors stand beside those that were recorded.
-- What `recompute` made of the same activity with other factors: a named result of a journal, beside
-- what was recorded. Rows are added, never changed.
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    journal INTEGER NOT NULL REFERENCES journals (id),
    name TEXT NOT NULL,
    factor_set TEXT NOT NULL,       -- id of the set
    factor_digest BLOB NOT NULL,
    made_ms INTEGER,                -- NULL: it is not whole yet
    UNIQUE (journal, name)
);

CREATE TABLE result_emissions (
    journal INTEGER NOT NULL REFERENCES journals (id),
    result INTEGER NOT NULL,
    seq INTEGER NOT NULL,           -- the interval record that it stands beside
    stream INTEGER NOT NULL,
    position INTEGER NOT NULL,      -- as in `stream_rates`, -1 for the main basis
    factor_digest BLOB NOT NULL,    -- of another set where the result's has not this factor
    emission_mg INTEGER,
    PRIMARY KEY (journal, result, seq, stream, position)
) WITHOUT ROWID;

CREATE TABLE result_totals (
    journal INTEGER NOT NULL REFERENCES journals (id),
    result INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    basis TEXT NOT NULL,
    scope1_mg INTEGER,
    scope2_mg INTEGER,
    electricity_mg INTEGER,
    intensity_mg_per_kwh INTEGER,
    PRIMARY KEY (journal, result, seq, basis)
) WITHOUT ROWID;
