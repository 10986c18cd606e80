-- Raw page views.
--
-- PARTITION BY the day of arrival: event times may be back-dated, and one insert may touch only so many
-- partitions; the TTL drops whole days.
--
-- ORDER BY what ad-hoc questions filter by: tenant, the page, then time.
CREATE TABLE IF NOT EXISTS {{database}}.page_views {{on_cluster}}
(
  timestamp DateTime64(3, 'UTC'),
  user_id String,
  name LowCardinality(String),
  time_text Nullable(String),
  event_id String,
  event_id_origin LowCardinality(String),
  tenant LowCardinality(String),
  received_at DateTime64(3, 'UTC'),
  _partition UInt32,
  _offset UInt64
)
ENGINE = {{engine MergeTree}}
PARTITION BY toDate(received_at)
ORDER BY (tenant, name, timestamp)
TTL toDateTime(received_at) + INTERVAL {{retention_days raw}} DAY
SETTINGS ttl_only_drop_parts = 1, {{deduplication_settings}};

-- The same views ordered by user: the statistics of one user, erasure.
--
-- PARTITION BY the week of arrival: a point read looks into every partition of its range.
--
-- ORDER BY the point read: one user's views of the last days, in order of time; the position in the log makes
-- the order of equal times stable. A granule is small, because a read wants a few hundred rows.
CREATE TABLE IF NOT EXISTS {{database}}.page_views_by_user {{on_cluster}}
(
  timestamp DateTime64(3, 'UTC'),
  user_id String,
  name LowCardinality(String),
  time_text Nullable(String),
  event_id String,
  event_id_origin LowCardinality(String),
  tenant LowCardinality(String),
  received_at DateTime64(3, 'UTC'),
  _partition UInt32,
  _offset UInt64
)
ENGINE = {{engine MergeTree}}
PARTITION BY toMonday(received_at)
ORDER BY (tenant, user_id, timestamp, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL {{retention_days by_subject}} DAY
SETTINGS index_granularity = 512, ttl_only_drop_parts = 1, {{deduplication_settings}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.page_views_by_user_view {{on_cluster}}
TO {{database}}.page_views_by_user AS
SELECT
  timestamp, user_id, name, time_text, event_id, event_id_origin, tenant, received_at, _partition, _offset
FROM {{database}}.page_views;
