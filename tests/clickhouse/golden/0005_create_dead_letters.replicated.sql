-- Records that could not be stored, byte for byte as they stand in the log, with the reason. Key and value
-- are any bytes, which JSON cannot carry: a writer sends key_base64 and value_base64.
--
-- PARTITION BY the day of arrival, as the raw tables: a flood of bad records still leaves in whole parts.
--
-- ORDER BY how they are worked through: one stream, one reason, in the order of the log.
CREATE TABLE IF NOT EXISTS millrace.dead_letters ON CLUSTER `main`
(
  id String,
  stream LowCardinality(String),
  topic LowCardinality(String),
  partition UInt32,
  offset UInt64,
  key_base64 String EPHEMERAL,
  key String DEFAULT base64Decode(key_base64),
  value_base64 String EPHEMERAL,
  value String DEFAULT base64Decode(value_base64),
  reason LowCardinality(String),
  detail String,
  state LowCardinality(String) DEFAULT 'open',
  received_at DateTime64(3, 'UTC'),
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate(received_at)
ORDER BY (stream, reason, topic, partition, offset)
TTL toDateTime(received_at) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;
