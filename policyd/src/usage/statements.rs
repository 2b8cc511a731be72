//! The statements over the tables of usage. Rows come as one JSON array of arrays: one statement
//! writes them all, on either engine.

store::statements! {
    /// A row for each applied record.
    pub(super) INSERT_DELTAS = {
        sqlite: "INSERT INTO usage_delta
            (session_id, received_at, journal, sequence, reported_at, session_time_s,
             download_octets, upload_octets, download_counter, upload_counter, counters)
        SELECT unhex(value->>0), value->>1, unhex(value->>2), value->>3, value->>4, value->>5,
            value->>6, value->>7, value->>8, value->>9, value->>10
        FROM json_each($1)",
        postgres: "INSERT INTO usage_delta
            (session_id, received_at, journal, sequence, reported_at, session_time_s,
             download_octets, upload_octets, download_counter, upload_counter, counters)
        SELECT (r->>0)::uuid, 'epoch'::timestamptz + (r->>1)::bigint * interval '1 us',
            (r->>2)::uuid, (r->>3)::bigint,
            'epoch'::timestamptz + (r->>4)::bigint * interval '1 us', (r->>5)::bigint,
            (r->>6)::bigint, (r->>7)::bigint, (r->>8)::bigint, (r->>9)::bigint, (r->>10)
        FROM jsonb_array_elements($1) r",
    };
    /// Adds to hours of services. Stays at the largest number there is, here and below.
    pub(super) ADD_HOURS = {
        sqlite: "INSERT INTO usage_hour
            (service_id, hour, download_octets, upload_octets, sessions_started,
             organisation_id, customer_id)
        SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4, unhex(value->>5),
            unhex(value->>6)
        FROM json_each($1) WHERE true
        ON CONFLICT (service_id, hour) DO UPDATE SET
            download_octets = CASE
                WHEN usage_hour.download_octets > 9223372036854775807 - excluded.download_octets
                THEN 9223372036854775807
                ELSE usage_hour.download_octets + excluded.download_octets END,
            upload_octets = CASE
                WHEN usage_hour.upload_octets > 9223372036854775807 - excluded.upload_octets
                THEN 9223372036854775807
                ELSE usage_hour.upload_octets + excluded.upload_octets END,
            sessions_started = usage_hour.sessions_started + excluded.sessions_started",
        postgres: "INSERT INTO usage_hour
            (service_id, hour, download_octets, upload_octets, sessions_started,
             organisation_id, customer_id)
        SELECT (r->>0)::uuid, 'epoch'::timestamptz + (r->>1)::bigint * interval '1 us',
            (r->>2)::bigint, (r->>3)::bigint, (r->>4)::bigint, (r->>5)::uuid, (r->>6)::uuid
        FROM jsonb_array_elements($1) r WHERE true
        ON CONFLICT (service_id, hour) DO UPDATE SET
            download_octets = CASE
                WHEN usage_hour.download_octets > 9223372036854775807 - excluded.download_octets
                THEN 9223372036854775807
                ELSE usage_hour.download_octets + excluded.download_octets END,
            upload_octets = CASE
                WHEN usage_hour.upload_octets > 9223372036854775807 - excluded.upload_octets
                THEN 9223372036854775807
                ELSE usage_hour.upload_octets + excluded.upload_octets END,
            sessions_started = usage_hour.sessions_started + excluded.sessions_started",
    };
    /// Adds to hours of NAS.
    pub(super) ADD_NAS_HOURS = {
        sqlite: "INSERT INTO usage_nas_hour
            (nas_id, hour, download_octets, upload_octets, sessions_started, partition)
        SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4, $2
        FROM json_each($1) WHERE true
        ON CONFLICT (nas_id, hour, partition) DO UPDATE SET
            download_octets = CASE
                WHEN usage_nas_hour.download_octets > 9223372036854775807 - excluded.download_octets
                THEN 9223372036854775807
                ELSE usage_nas_hour.download_octets + excluded.download_octets END,
            upload_octets = CASE
                WHEN usage_nas_hour.upload_octets > 9223372036854775807 - excluded.upload_octets
                THEN 9223372036854775807
                ELSE usage_nas_hour.upload_octets + excluded.upload_octets END,
            sessions_started = usage_nas_hour.sessions_started + excluded.sessions_started",
        postgres: "INSERT INTO usage_nas_hour
            (nas_id, hour, download_octets, upload_octets, sessions_started, partition)
        SELECT (r->>0)::uuid, 'epoch'::timestamptz + (r->>1)::bigint * interval '1 us',
            (r->>2)::bigint, (r->>3)::bigint, (r->>4)::bigint, $2::integer
        FROM jsonb_array_elements($1) r WHERE true
        ON CONFLICT (nas_id, hour, partition) DO UPDATE SET
            download_octets = CASE
                WHEN usage_nas_hour.download_octets > 9223372036854775807 - excluded.download_octets
                THEN 9223372036854775807
                ELSE usage_nas_hour.download_octets + excluded.download_octets END,
            upload_octets = CASE
                WHEN usage_nas_hour.upload_octets > 9223372036854775807 - excluded.upload_octets
                THEN 9223372036854775807
                ELSE usage_nas_hour.upload_octets + excluded.upload_octets END,
            sessions_started = usage_nas_hour.sessions_started + excluded.sessions_started",
    };
    /// Adds to minutes of organisations.
    pub(super) ADD_MINUTES = {
        sqlite: "INSERT INTO traffic_minute
            (organisation_id, minute, download_octets, upload_octets, sessions_started,
             partition)
        SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4, $2
        FROM json_each($1) WHERE true
        ON CONFLICT (organisation_id, minute, partition) DO UPDATE SET
            download_octets = CASE
                WHEN traffic_minute.download_octets > 9223372036854775807 - excluded.download_octets
                THEN 9223372036854775807
                ELSE traffic_minute.download_octets + excluded.download_octets END,
            upload_octets = CASE
                WHEN traffic_minute.upload_octets > 9223372036854775807 - excluded.upload_octets
                THEN 9223372036854775807
                ELSE traffic_minute.upload_octets + excluded.upload_octets END,
            sessions_started = traffic_minute.sessions_started + excluded.sessions_started",
        postgres: "INSERT INTO traffic_minute
            (organisation_id, minute, download_octets, upload_octets, sessions_started,
             partition)
        SELECT (r->>0)::uuid, 'epoch'::timestamptz + (r->>1)::bigint * interval '1 us',
            (r->>2)::bigint, (r->>3)::bigint, (r->>4)::bigint, $2::integer
        FROM jsonb_array_elements($1) r WHERE true
        ON CONFLICT (organisation_id, minute, partition) DO UPDATE SET
            download_octets = CASE
                WHEN traffic_minute.download_octets > 9223372036854775807 - excluded.download_octets
                THEN 9223372036854775807
                ELSE traffic_minute.download_octets + excluded.download_octets END,
            upload_octets = CASE
                WHEN traffic_minute.upload_octets > 9223372036854775807 - excluded.upload_octets
                THEN 9223372036854775807
                ELSE traffic_minute.upload_octets + excluded.upload_octets END,
            sessions_started = traffic_minute.sessions_started + excluded.sessions_started",
    };
    /// What a day of each service adds up to; written again while hours may still come in.
    pub(super) WRITE_DAY = {
        sqlite: "INSERT INTO usage_day (service_id, day, organisation_id, customer_id,
            download_octets, upload_octets, sessions_started)
        SELECT service_id, $1, max(organisation_id), max(customer_id),
            CAST(sum(download_octets) AS BIGINT), CAST(sum(upload_octets) AS BIGINT),
            CAST(sum(sessions_started) AS BIGINT)
        FROM usage_hour WHERE hour >= $1 AND hour < $2 GROUP BY service_id
        ON CONFLICT (service_id, day) DO UPDATE SET
            download_octets = excluded.download_octets,
            upload_octets = excluded.upload_octets,
            sessions_started = excluded.sessions_started",
        postgres: "INSERT INTO usage_day (service_id, day, organisation_id, customer_id,
            download_octets, upload_octets, sessions_started)
        SELECT service_id, $1::timestamptz, (array_agg(organisation_id))[1], (array_agg(customer_id))[1],
            CAST(sum(download_octets) AS BIGINT), CAST(sum(upload_octets) AS BIGINT),
            CAST(sum(sessions_started) AS BIGINT)
        FROM usage_hour WHERE hour >= $1::timestamptz AND hour < $2::timestamptz GROUP BY service_id
        ON CONFLICT (service_id, day) DO UPDATE SET
            download_octets = excluded.download_octets,
            upload_octets = excluded.upload_octets,
            sessions_started = excluded.sessions_started",
    };
    /// Rows that are too old, outside of partitions, so many at most.
    pub(super) REMOVE_DELTAS = {
        sqlite: "DELETE FROM usage_delta WHERE rowid IN (SELECT rowid FROM usage_delta
            WHERE received_at < $1 ORDER BY received_at LIMIT $2)",
        postgres: "DELETE FROM usage_delta_rest WHERE ctid IN (SELECT ctid FROM usage_delta_rest
            WHERE received_at < $1 ORDER BY received_at LIMIT $2)",
    };
    /// Rows that are too old, outside of partitions, so many at most.
    pub(super) REMOVE_HOURS = {
        sqlite: "DELETE FROM usage_hour WHERE rowid IN (SELECT rowid FROM usage_hour
            WHERE hour < $1 ORDER BY hour LIMIT $2)",
        postgres: "DELETE FROM usage_hour_rest WHERE ctid IN (SELECT ctid FROM usage_hour_rest
            WHERE hour < $1 ORDER BY hour LIMIT $2)",
    };
    /// Rows that are too old, outside of partitions, so many at most.
    pub(super) REMOVE_NAS_HOURS = {
        sqlite: "DELETE FROM usage_nas_hour WHERE rowid IN (SELECT rowid FROM usage_nas_hour
            WHERE hour < $1 ORDER BY hour LIMIT $2)",
        postgres: "DELETE FROM usage_nas_hour_rest WHERE ctid IN (SELECT ctid FROM usage_nas_hour_rest
            WHERE hour < $1 ORDER BY hour LIMIT $2)",
    };
    /// Rows that are too old, outside of partitions, so many at most.
    pub(super) REMOVE_AUTH_LOG = {
        sqlite: "DELETE FROM auth_log WHERE rowid IN (SELECT rowid FROM auth_log
            WHERE minute < $1 ORDER BY minute LIMIT $2)",
        postgres: "DELETE FROM auth_log_rest WHERE ctid IN (SELECT ctid FROM auth_log_rest
            WHERE minute < $1 ORDER BY minute LIMIT $2)",
    };
    /// Sessions that ended too long ago, so many at most.
    pub(super) REMOVE_SESSIONS = "DELETE FROM session WHERE id IN (SELECT id FROM session
        WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)";
    /// Days that are too old, so many at most.
    pub(super) REMOVE_DAYS = "DELETE FROM usage_day WHERE (service_id, day) IN (SELECT service_id,
        day FROM usage_day WHERE day < $1 ORDER BY day LIMIT $2)";
    /// The partitions of a table, but for the rest.
    pub(super) LIST_PARTITIONS = {
        sqlite: "SELECT name FROM sqlite_master WHERE name LIKE $1 || '\\_p%' ESCAPE '\\'",
        postgres: "SELECT c.relname::text AS name FROM pg_inherits i
            JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = to_regclass($1::text) AND c.relname LIKE $1::text || '\\_p%'",
    };
}
