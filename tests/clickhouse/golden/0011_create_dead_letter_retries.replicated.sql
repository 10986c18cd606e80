-- What became of dead letters that were retried: a row when an attempt begins (`retrying`), and a row when its
-- event is durable in the log (`retried`), with its place there. The letters themselves are never changed.
--
-- PARTITION BY the day of the attempt, as the dead letters: they leave in whole parts.
--
-- ORDER BY the letter: what is known of one stands together.
CREATE TABLE IF NOT EXISTS millrace.dead_letter_retries ON CLUSTER `main`
(
  dead_letter_id String,
  state LowCardinality(String),
  corrected Bool,
  topic LowCardinality(String),
  partition Nullable(UInt32),
  offset Nullable(UInt64),
  received_at DateTime64(3, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate(received_at)
ORDER BY (dead_letter_id, received_at)
TTL toDateTime(received_at) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;
