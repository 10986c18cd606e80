-- Erasures: one row for each request to erase a subject, rewritten with a higher `version` as it advances
-- (0 waiting, 1 collecting, 2 masked, 3 removed): read with FINAL. The subject is kept only as a keyed hash.
-- It does not expire: it is the proof that somebody was erased, and keeps a replay from bringing them back.
--
-- ORDER BY the id, which begins with the time of the request: lists go by it, and versions replace by it.
CREATE TABLE IF NOT EXISTS {{database}}.erasures {{on_cluster}}
(
  id String,
  tenant LowCardinality(String),
  subject_hash String,
  key_id LowCardinality(String),
  streams Array(String),
  cutoff DateTime64(3, 'UTC'),
  batch UInt64,
  version UInt8,
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
  changed_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {{engine ReplacingMergeTree version}}
ORDER BY id
SETTINGS {{deduplication_settings}};

-- The receipt: what became of an erasure's rows in each table. `version` as above. It does not expire either.
--
-- ORDER BY the erasure and its table: a receipt is read as one range, and versions replace by it.
CREATE TABLE IF NOT EXISTS {{database}}.erasure_tables {{on_cluster}}
(
  erasure_id String,
  table LowCardinality(String),
  rows_masked UInt64,
  rows_left UInt64,
  masked_at DateTime64(3, 'UTC'),
  removed_at Nullable(DateTime64(3, 'UTC')),
  version UInt8
)
ENGINE = {{engine ReplacingMergeTree version}}
ORDER BY (erasure_id, table)
SETTINGS {{deduplication_settings}};

-- Where in the log the erased rows stood: what a mutation masks by, so that no subject is in its text, and what
-- the ledger counts beside the rows of a table (read with FINAL: a collection may be repeated). It holds no
-- subject.
--
-- PARTITION BY the month of arrival: erased rows are few.
--
-- ORDER BY the table and the position: what the ledger counts by, and what makes a repeated collection harmless.
CREATE TABLE IF NOT EXISTS {{database}}.erased_positions {{on_cluster}}
(
  table LowCardinality(String),
  stream LowCardinality(String),
  partition UInt32,
  offset UInt64,
  received_at DateTime64(3, 'UTC'),
  batch UInt64,
  erasure_id String
)
ENGINE = {{engine ReplacingMergeTree}}
PARTITION BY toYYYYMM(received_at)
ORDER BY (table, stream, partition, offset, received_at)
TTL toDateTime(received_at) + INTERVAL {{retention_days rollup}} DAY
SETTINGS ttl_only_drop_parts = 1, {{deduplication_settings}};
