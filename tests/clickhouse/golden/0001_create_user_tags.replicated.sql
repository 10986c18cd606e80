-- The raw rows of the stream user_tags, one for each event that was accepted; every other table of the stream
-- is filled from this one by a view.
--
-- PARTITION BY the day of arrival: one insert touches one or two partitions whatever times its events claim
-- (partitions by event time would let one batch touch hundreds), and the TTL drops whole days without merges.
--
-- ORDER BY the ad-hoc aggregate: one tenant, nearly always one action (two values, so naming none costs two
-- ranges), a range of hours. Brand and category follow because equal neighbours compress well and both are
-- common filters; finer time would scatter them.
CREATE TABLE IF NOT EXISTS millrace.user_tags ON CLUSTER `main`
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
PARTITION BY toDate(received_at)
ORDER BY (tenant, action, toStartOfHour(time), brand_id, category_id)
TTL toDateTime(received_at) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;
