-- The same events ordered by shopper: profiles, erasure, sessions.
--
-- PARTITION BY the week of arrival: a point read looks into every partition of its range, and a day each
-- would mean seven times the parts; the TTL still drops whole weeks.
--
-- ORDER BY the point read: one shopper's newest events of one action, in order of time; the position in the
-- log makes the order of equal times stable. A granule is small, because a read wants a few hundred rows.
CREATE TABLE IF NOT EXISTS millrace.user_tags_by_cookie ON CLUSTER `main`
(
  time DateTime64(3, 'UTC'),
  cookie String,
  country LowCardinality(String),
  device LowCardinality(String),
  action LowCardinality(String),
  origin LowCardinality(String),
  product_id String,
  product_id_is_number Bool,
  brand_id LowCardinality(String),
  category_id LowCardinality(String),
  price Int32,
  time_text Nullable(String),
  event_id String,
  event_id_origin LowCardinality(String),
  tenant LowCardinality(String),
  received_at DateTime64(3, 'UTC'),
  _partition UInt32,
  _offset UInt64
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toMonday(received_at)
ORDER BY (tenant, cookie, action, time, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 90 DAY
SETTINGS index_granularity = 512, ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS millrace.user_tags_by_cookie_view ON CLUSTER `main`
TO millrace.user_tags_by_cookie AS
SELECT
  time, cookie, country, device, action, origin, product_id, product_id_is_number, brand_id, category_id,
  price, time_text, event_id, event_id_origin, tenant, received_at, _partition, _offset
FROM millrace.user_tags;
