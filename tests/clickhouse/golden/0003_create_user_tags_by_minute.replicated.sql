-- Count and revenue by minute of event time, for /aggregates and every ad-hoc query that these dimensions
-- answer. It holds no shopper. Merges are never complete: read with sum() and GROUP BY.
--
-- PARTITION BY the month of arrival: rollup rows are few, and a month keeps the parts few too. The day of
-- arrival is a dimension, so that the TTL goes by arrival and a day can be rebuilt alone.
--
-- ORDER BY every dimension, since an aggregating table keeps what is neither a dimension nor an aggregate
-- from an arbitrary row. Tenant, action and minute come first: they are in every question.
CREATE TABLE IF NOT EXISTS millrace.user_tags_by_minute ON CLUSTER `main`
(
  received_date Date,
  tenant LowCardinality(String),
  action LowCardinality(String),
  minute DateTime('UTC'),
  origin LowCardinality(String),
  brand_id LowCardinality(String),
  category_id LowCardinality(String),
  count SimpleAggregateFunction(sum, UInt64),
  sum_price SimpleAggregateFunction(sum, Int64)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(received_date)
ORDER BY (tenant, action, minute, origin, brand_id, category_id, received_date)
TTL received_date + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS millrace.user_tags_by_minute_view ON CLUSTER `main`
TO millrace.user_tags_by_minute AS
SELECT
  toDate(received_at) AS received_date,
  tenant,
  action,
  toStartOfMinute(time) AS minute,
  origin,
  brand_id,
  category_id,
  count() AS count,
  sum(toInt64(price)) AS sum_price
FROM millrace.user_tags
GROUP BY received_date, tenant, action, minute, origin, brand_id, category_id;
