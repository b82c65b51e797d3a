-- Who may read what: a role reads the tenants that `readers` names for it, through row security on
-- every table and views that ask for the rights of whoever reads them. The owner sees all.

CREATE TABLE readers (
    role oid NOT NULL,
    tenant text,
    UNIQUE NULLS NOT DISTINCT (role, tenant)
);
COMMENT ON TABLE readers IS 'roles that may read, and their members';

-- SELECT for every reader on everything that is no partition: rows are what policies guard.
CREATE FUNCTION grant_readers() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    reader text;
    relation regclass;
BEGIN
    DELETE FROM readers WHERE role NOT IN (SELECT oid FROM pg_roles);
    FOR reader IN SELECT DISTINCT pg_get_userbyid(role) FROM readers LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), reader);
        FOR relation IN
            SELECT oid FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
              AND NOT relispartition
        LOOP
            EXECUTE format('GRANT SELECT ON %s TO %I', relation, reader);
        END LOOP;
    END LOOP;
END $$;

-- For the owner: let a role that is there read a tenant, or all of them when it is NULL.
CREATE FUNCTION add_reader(reader text, of_tenant text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO readers SELECT oid, of_tenant FROM pg_roles WHERE rolname = reader
    ON CONFLICT DO NOTHING;
    PERFORM oid FROM pg_roles WHERE rolname = reader;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role % does not exist', reader;
    END IF;
    PERFORM grant_readers();
END $$;

-- Row security on every table that has none yet, by what ties it to a tenant.
CREATE FUNCTION guard_tables() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    relation regclass;
    condition text;
BEGIN
    FOR relation, condition IN
        SELECT c.oid, CASE
            WHEN c.relname = 'readers' THEN 'pg_has_role(current_user, role, ''USAGE'')'
            WHEN c.relname = 'gateways' THEN
                'EXISTS (SELECT 1 FROM readers r WHERE coalesce(r.tenant, gateways.tenant)'
                || ' = gateways.tenant)'
            WHEN a.attname = 'journal' THEN 'journal IN (SELECT id FROM journals)'
            WHEN a.attname = 'gateway' THEN 'gateway IN (SELECT id FROM gateways)'
            ELSE 'owner IN (SELECT tenant || ''/'' || gateway FROM gateways)' END
        FROM pg_class c
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
             AND (a.attname IN ('journal', 'owner')
                  OR a.attname = 'gateway' AND c.relname <> 'gateways')
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND NOT c.relrowsecurity
          AND (a.attname IS NOT NULL OR c.relname IN ('readers', 'gateways'))
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('CREATE POLICY of_tenant ON %s FOR SELECT USING (%s)', relation,
                       condition);
    END LOOP;
    FOR relation IN
        SELECT oid FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v'
    LOOP
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', relation);
    END LOOP;
END $$;
