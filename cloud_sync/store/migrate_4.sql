-- From version 3 to version 4: figures, windows and serial numbers have tables of their own.
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
