-- The cloud's database, version 1. Whoever writes it checks PRAGMA user_version first.
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

-- Every record as it came: `body` is what the hash chain hashes.
CREATE TABLE records (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,          -- 0 table, 1 poll, 2 interval, 3 event, 4 clock, 5 tombstone
    boot INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,       -- since that boot
    wall_ms INTEGER NOT NULL,
    clock INTEGER NOT NULL,         -- trust in wall_ms: 0 unset, 1 held, 2 synced
    hash BLOB NOT NULL,
    body BLOB NOT NULL,             -- canonical bytes
    PRIMARY KEY (journal, seq)
) WITHOUT ROWID;
CREATE INDEX records_time ON records (wall_ms);

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
    PRIMARY KEY (journal, number)
) WITHOUT ROWID;

-- Time and clock of a reading are those of its record.
CREATE TABLE readings (
    journal INTEGER NOT NULL REFERENCES journals (id),
    seq INTEGER NOT NULL,
    point INTEGER NOT NULL,
    device INTEGER NOT NULL,
    value INTEGER,                  -- NULL: not read, quality says why
    quality INTEGER,                -- 0 good; NULL: no value and no reason given
    PRIMARY KEY (journal, seq, point)
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
    PRIMARY KEY (journal, seq)
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
    PRIMARY KEY (journal, seq, stream)
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

CREATE VIEW v_gateways AS
SELECT g.tenant, g.gateway, g.state, lower(hex(j.epoch)) AS epoch, j.head_seq,
       lower(hex(j.head_hash)) AS head_hash,
       strftime('%Y-%m-%dT%H:%M:%SZ', j.last_seen_ms / 1000, 'unixepoch') AS last_seen
FROM journals j JOIN gateways g ON g.id = j.gateway;

-- One line a reading. `value` is exact decimal text, `value_real` the nearest float to it.
CREATE VIEW v_readings AS
SELECT tenant, gateway, epoch, seq, device, point, unit, class,
       CASE WHEN places = 0 THEN sign || digits
            ELSE sign || substr(digits, 1, length(digits) - places)
                 || '.' || substr(digits, -places) END AS value,
       CASE WHEN places = 0 THEN CAST(sign || digits AS REAL)
            ELSE CAST(sign || substr(digits, 1, length(digits) - places)
                 || '.' || substr(digits, -places) AS REAL) END AS value_real,
       quality, time, wall_ms, clock
FROM (
    SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, r.seq, d.name AS device,
           p.name AS point, p.unit, p.class, p.places,
           CASE WHEN r.value < 0 THEN '-' ELSE '' END AS sign,
           substr(s.zeros, length(ltrim(r.value, '-')) + 1) || ltrim(r.value, '-') AS digits,
           coalesce(q.name, 'unknown') AS quality,
           CASE WHEN x.wall_ms >= 0 THEN
               strftime('%Y-%m-%dT%H:%M:%S', x.wall_ms / 1000, 'unixepoch')
               || printf('.%03dZ', x.wall_ms % 1000) END AS time,
           x.wall_ms, c.name AS clock
    FROM readings r
    JOIN records x ON x.journal = r.journal AND x.seq = r.seq
    JOIN journals j ON j.id = r.journal
    JOIN gateways g ON g.id = j.gateway
    JOIN devices d ON d.journal = r.journal AND d.number = r.device
    JOIN points p ON p.journal = r.journal AND p.device = r.device AND p.number = r.point
    JOIN scales s ON s.places = p.places
    JOIN clock_names c ON c.code = x.clock
    LEFT JOIN quality_names q ON q.code = r.quality
);

CREATE VIEW v_intervals AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, i.seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.end_ms / 1000, 'unixepoch') AS end,
       CASE WHEN i.scope1_mg IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN i.scope1_mg < 0 THEN '-' ELSE '' END,
           abs(i.scope1_mg / 1000000), abs(i.scope1_mg % 1000000)) END AS scope1_kg,
       CASE WHEN i.scope2_mg IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN i.scope2_mg < 0 THEN '-' ELSE '' END,
           abs(i.scope2_mg / 1000000), abs(i.scope2_mg % 1000000)) END AS scope2_kg,
       CASE WHEN i.consumption_wh IS NOT NULL THEN printf('%s%d.%03d',
           CASE WHEN i.consumption_wh < 0 THEN '-' ELSE '' END,
           abs(i.consumption_wh / 1000), abs(i.consumption_wh % 1000)) END AS consumption_kwh,
       CASE WHEN i.intensity_mg_per_kwh IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN i.intensity_mg_per_kwh < 0 THEN '-' ELSE '' END,
           abs(i.intensity_mg_per_kwh / 1000000), abs(i.intensity_mg_per_kwh % 1000000)) END AS intensity_kg_per_kwh,
       i.start_ms, i.end_ms
FROM intervals i
JOIN journals j ON j.id = i.journal
JOIN gateways g ON g.id = j.gateway;

CREATE VIEW v_streams AS
SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, i.seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.start_ms / 1000, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', i.end_ms / 1000, 'unixepoch') AS end,
       s.name AS stream, s.kind, s.scope, t.activity, s.unit,
       CASE WHEN t.emission_mg IS NOT NULL THEN printf('%s%d.%06d',
           CASE WHEN t.emission_mg < 0 THEN '-' ELSE '' END,
           abs(t.emission_mg / 1000000), abs(t.emission_mg % 1000000)) END AS emission_kg,
       t.good, t.expected, s.factor, s.method, i.start_ms, i.end_ms
FROM interval_streams t
JOIN intervals i ON i.journal = t.journal AND i.seq = t.seq
JOIN journals j ON j.id = t.journal
JOIN gateways g ON g.id = j.gateway
JOIN streams s ON s.journal = t.journal AND s.number = t.stream;
