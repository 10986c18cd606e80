-- Raw visits. They are kept as long as the rollups: a year's distinct visitors can only be counted from them.
--
-- PARTITION BY the month of arrival: a year of days would be too many partitions for a question over a year.
--
-- ORDER BY the organisation, then time: every question is about a window of time.
CREATE TABLE IF NOT EXISTS millrace.visits ON CLUSTER `main`
(
  visitedAt DateTime64(3, 'UTC'),
  identifier String,
  pageUrl LowCardinality(String),
  time_text Nullable(String),
  event_id String,
  event_id_origin LowCardinality(String),
  tenant LowCardinality(String),
  received_at DateTime64(3, 'UTC'),
  _partition UInt32,
  _offset UInt64
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(received_at)
ORDER BY (tenant, visitedAt, pageUrl)
TTL toDateTime(received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- Visits by minute of event time and page. It holds no visitor. Merges are never complete: read with sum() and
-- GROUP BY.
--
-- PARTITION BY the month of arrival; the day of arrival is a dimension, so that the TTL goes by arrival.
--
-- ORDER BY every dimension, since an aggregating table keeps what is neither a dimension nor an aggregate from
-- an arbitrary row. Tenant and minute come first: they are in every question.
CREATE TABLE IF NOT EXISTS millrace.visits_by_minute ON CLUSTER `main`
(
  received_date Date,
  tenant LowCardinality(String),
  minute DateTime('UTC'),
  pageUrl LowCardinality(String),
  count SimpleAggregateFunction(sum, UInt64)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(received_date)
ORDER BY (tenant, minute, pageUrl, received_date)
TTL received_date + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS millrace.visits_by_minute_view ON CLUSTER `main`
TO millrace.visits_by_minute AS
SELECT
  toDate(received_at) AS received_date,
  tenant,
  toStartOfMinute(visitedAt) AS minute,
  pageUrl,
  count() AS count
FROM millrace.visits
GROUP BY received_date, tenant, minute, pageUrl;

-- Visits by page and time at three units at once: each visit counts in its hour, its minute and its millisecond.
-- Any window is whole hours, whole minutes beside them and the milliseconds that are left at its two ends: so
-- one table answers it, in one short read, where a table each would have to be planned and read each. It holds
-- no visitor.
--
-- PARTITION BY as by minute.
--
-- ORDER BY as by minute, the unit before the time: a read wants one range of each unit. A granule is small,
-- because that range is short in minutes and milliseconds.
CREATE TABLE IF NOT EXISTS millrace.visits_by_time ON CLUSTER `main`
(
  received_date Date,
  tenant LowCardinality(String),
  unit Enum8('hour' = 1, 'minute' = 2, 'millisecond' = 3),
  start DateTime64(3, 'UTC'),
  pageUrl LowCardinality(String),
  count SimpleAggregateFunction(sum, UInt64)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(received_date)
ORDER BY (tenant, unit, start, pageUrl, received_date)
TTL received_date + INTERVAL 400 DAY
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS millrace.visits_by_time_view ON CLUSTER `main`
TO millrace.visits_by_time AS
SELECT
  toDate(received_at) AS received_date,
  tenant,
  unit,
  start,
  pageUrl,
  count() AS count
FROM millrace.visits
ARRAY JOIN
  ['hour', 'minute', 'millisecond'] AS unit,
  [toStartOfHour(visitedAt), toStartOfMinute(visitedAt), visitedAt] AS start
GROUP BY received_date, tenant, unit, start, pageUrl;
