-- The ledger: one row for each batch that a processor took from the log, written under the same guarantee as
-- the rows themselves. stored + dead_lettered + duplicates + erased is the number of records in the batch.
--
-- PARTITION BY the month of the last arrival: batches are few (one a second at most for each partition).
--
-- ORDER BY the position in the log: the ledger is read as runs of offsets of one partition.
CREATE TABLE IF NOT EXISTS millrace.batches
(
  stream LowCardinality(String),
  topic LowCardinality(String),
  partition UInt32,
  first_offset UInt64,
  last_offset UInt64,
  token String,
  stored UInt64,
  dead_lettered UInt64,
  duplicates UInt64,
  erased UInt64,
  first_received_at DateTime64(3, 'UTC'),
  last_received_at DateTime64(3, 'UTC'),
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(last_received_at)
ORDER BY (stream, topic, partition, first_offset)
TTL toDateTime(last_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;
