-- The cloud's database, version 7. Whoever writes it checks PRAGMA user_version first; a file of an
-- older version is brought to this one when it is opened, see migrate_*.sql.
-- Times are Unix milliseconds, masses milligrams CO2, energies watt hours, hashes SHA-256.
-- A reading is an exact integer: value x 10^-places in the unit of its point.

CREATE TABLE gateways (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    gateway TEXT NOT NULL,
    state TEXT,                     -- 'online', 'offline', NULL before the broker said either
    last_seen_ms INTEGER NOT NULL,  -- last authentic batch or change of state
    UNIQUE (tenant, gateway)
);

-- One incarnation of a gateway's journal: seq numbers and definitions hold within it.
CREATE TABLE journals (
    id INTEGER PRIMARY KEY,
    gateway INTEGER NOT NULL REFERENCES gateways (id),
    epoch BLOB NOT NULL,            -- 8 random bytes
    head_seq INTEGER NOT NULL,      -- highest seq below which nothing is missing, -1 for none
    head_hash BLOB NOT NULL,        -- chain hash at it, the genesis hash for none
    last_seen_ms INTEGER NOT NULL,
    UNIQUE (gateway, epoch)
);

-- Runs of records without a hole. Two that meet are one row.
CREATE TABLE ranges (
    journal INTEGER NOT NULL REFERENCES journals (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    hash_before BLOB NOT NULL,
    hash_last BLOB NOT NULL,
    PRIMARY KEY (journal, first)
) WITHOUT ROWID;

-- Every record as it came: `body` is what the hash chain hashes. Of a poll that was compacted it is
-- the poll's evidence alone, a packed array; all else of its bytes is in its columns and in `polls`.
CREATE TABLE records (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,          -- 0 table, 1 poll, 2 interval, 3 event, 4 clock, 5 tombstone
    boot INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,       -- since that boot
    wall_ms INTEGER NOT NULL,       -- as received; views.sql re-stamps it
    clock INTEGER NOT NULL,         -- trust in wall_ms: 0 unset, 1 held, 2 synced
    hash BLOB NOT NULL,
    body BLOB NOT NULL,             -- canonical bytes
    PRIMARY KEY (journal, seq)
) WITHOUT ROWID;
CREATE INDEX records_time ON records (wall_ms);
CREATE INDEX records_clock ON records
    (journal, boot, clock DESC, seq, mono_ms, wall_ms, kind) WHERE kind = 4;
CREATE INDEX records_untrusted ON records (journal, boot, seq, mono_ms, clock)
    WHERE clock < 2;
CREATE INDEX records_whole ON records (journal, wall_ms)
    WHERE kind = 1 AND body >= x'97' AND body < x'98';

-- Definitions. The first one that arrives for a number holds; another meaning is an alarm.
CREATE TABLE configs (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    digest BLOB NOT NULL,
    version TEXT NOT NULL,          -- of the gateway's software
    PRIMARY KEY (journal, seq)
) WITHOUT ROWID;

CREATE TABLE devices (
    journal INTEGER NOT NULL REFERENCES journals (id),
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,           -- lowest record that defines it
    name TEXT NOT NULL,
    bus TEXT NOT NULL,
    station INTEGER NOT NULL,
    profile TEXT NOT NULL,
    profile_digest BLOB NOT NULL,
    poll_ms INTEGER NOT NULL,
    points BLOB NOT NULL,           -- canonical bytes of its point table
    PRIMARY KEY (journal, number)
) WITHOUT ROWID;

CREATE TABLE points (
    journal INTEGER NOT NULL REFERENCES journals (id),
    device INTEGER NOT NULL,
    number INTEGER NOT NULL,        -- position in the device's point table, from 0
    name TEXT NOT NULL,
    unit TEXT NOT NULL,             -- UCUM code
    places INTEGER NOT NULL,
    class TEXT NOT NULL,
    PRIMARY KEY (journal, device, number)
) WITHOUT ROWID;

CREATE TABLE factor_sets (
    journal INTEGER NOT NULL REFERENCES journals (id),
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (journal, name, digest)
) WITHOUT ROWID;

CREATE TABLE streams (
    journal INTEGER NOT NULL REFERENCES journals (id),
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,           -- lowest record that defines it
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    scope INTEGER NOT NULL,
    unit TEXT NOT NULL,
    numerator INTEGER NOT NULL,     -- cumulative x numerator / denominator = mg CO2
    denominator INTEGER NOT NULL,
    factor TEXT NOT NULL,
    factor_digest BLOB NOT NULL,
    method TEXT NOT NULL,
    source_digest BLOB NOT NULL,
    basis TEXT,                     -- name of the main basis; NULL: defined in the first form
    place TEXT,                     -- path in the tree of places, '' for none
    details BLOB,                   -- canonical bytes of [rates, limits, inputs, summands] and,
                                    -- of a stack or with coal, stack, coal
    PRIMARY KEY (journal, number)
) WITHOUT ROWID;

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

-- The values of a poll; the view `readings` makes a row of each. Time and clock are the record's.
CREATE TABLE polls (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    device INTEGER NOT NULL,
    mantissas TEXT NOT NULL,        -- JSON array in point order; null: not read, quality says why
    qualities TEXT,                 -- JSON array of codes; NULL: each value that is there is good
    PRIMARY KEY (journal, seq)
) WITHOUT ROWID;

CREATE TABLE intervals (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    scope1_mg INTEGER,
    scope2_mg INTEGER,
    electricity_mg INTEGER,
    consumption_wh INTEGER,
    intensity_mg_per_kwh INTEGER,
    green_wh INTEGER,               -- own green supply
    storage_wh INTEGER,             -- charged less discharged
    PRIMARY KEY (journal, seq)
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

CREATE TABLE interval_streams (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    cumulative INTEGER,             -- in the mantissa of the stream's source
    rest INTEGER NOT NULL,
    activity INTEGER,               -- in the stream's unit
    emission_mg INTEGER,
    good INTEGER NOT NULL,          -- polls that counted
    expected INTEGER NOT NULL,      -- polls that should have
    flags INTEGER,                  -- 1 gap, 2 late, 4 held, 8 step, 16 substituted
    substituted INTEGER,            -- part of the activity that was not measured
    state BLOB,                     -- canonical bytes of what the meter goes on with
    PRIMARY KEY (journal, seq, stream)
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

-- What else an interval tells: hours of a stack, standard coal, intensities; see the contract.
CREATE TABLE interval_figures (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,      -- in the record, from 0
    stream INTEGER,                 -- NULL: of all streams together
    name TEXT NOT NULL,
    subject TEXT NOT NULL,          -- what it is of: a flag, a rule, an accounting, a fact
    basis TEXT NOT NULL,            -- '' where it has none
    value INTEGER,                  -- value x 10^-places in unit; NULL: no figure
    places INTEGER NOT NULL,
    unit TEXT NOT NULL,
    PRIMARY KEY (journal, seq, position)
) WITHOUT ROWID;

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

-- Declared windows of stacks; those of the highest seq are in force.
CREATE TABLE windows (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    stream TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,        -- the first moment after it
    flag TEXT NOT NULL,             -- HJ 212-2017 Table 8, 'O': the source stands still
    note TEXT NOT NULL,
    PRIMARY KEY (journal, seq, position)
) WITHOUT ROWID;

-- Serial numbers that devices told of themselves; that of the highest seq is the meter's.
CREATE TABLE serials (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    device TEXT NOT NULL,
    serial INTEGER NOT NULL,
    PRIMARY KEY (journal, seq, device)
) WITHOUT ROWID;

CREATE TABLE events (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    code TEXT NOT NULL,
    fields TEXT NOT NULL,           -- JSON object; bytes as hexadecimal text
    PRIMARY KEY (journal, seq)
) WITHOUT ROWID;

-- What was refused. Bounded in rows; the same payload again only counts up.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,            -- 'tenant/gateway', '' when that is nobody we know
    topic TEXT NOT NULL,
    code TEXT NOT NULL,
    fields TEXT NOT NULL,           -- JSON object
    size_bytes INTEGER NOT NULL,
    digest BLOB NOT NULL,           -- SHA-256 of the whole payload
    payload BLOB,                   -- its first 64 KiB; NULL for an unknown owner
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    UNIQUE (owner, topic, digest)
);

-- What a person should look at. Bounded as quarantine is; the same again only counts up.
CREATE TABLE alarms (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,            -- 'tenant/gateway'
    epoch BLOB NOT NULL,
    code TEXT NOT NULL,
    seq INTEGER NOT NULL,           -- the record it is about
    fields TEXT NOT NULL,           -- JSON object
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    UNIQUE (owner, epoch, code, seq)
);

-- Code -> name, so that a view needs no program.
CREATE TABLE quality_names (code INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE clock_names (code INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE scales (
    places INTEGER PRIMARY KEY,     -- 0..18
    zeros TEXT NOT NULL             -- places + 1 zeros: what a short mantissa is padded with
);
