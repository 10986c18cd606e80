-- Raw visits. They are kept as long as the rollups: a year's distinct visitors can only be counted from them.
--
-- PARTITION BY the month of arrival: a year of days would be too many partitions for a question over a year.
--
-- ORDER BY the organisation, then time: every question is about a window of time, and most want only the parts
-- of a minute at its two ends from here.
CREATE TABLE IF NOT EXISTS {{database}}.visits {{on_cluster}}
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
ENGINE = {{engine MergeTree}}
PARTITION BY toYYYYMM(received_at)
ORDER BY (tenant, visitedAt, pageUrl)
TTL toDateTime(received_at) + INTERVAL {{retention_days rollup}} DAY
SETTINGS ttl_only_drop_parts = 1, {{deduplication_settings}};

-- Visits by minute of event time and page. It holds no visitor. Merges are never complete: read with sum() and
-- GROUP BY.
--
-- PARTITION BY the month of arrival; the day of arrival is a dimension, so that the TTL goes by arrival.
--
-- ORDER BY every dimension, since an aggregating table keeps what is neither a dimension nor an aggregate from
-- an arbitrary row. Tenant and minute come first: they are in every question.
CREATE TABLE IF NOT EXISTS {{database}}.visits_by_minute {{on_cluster}}
(
  received_date Date,
  tenant LowCardinality(String),
  minute DateTime('UTC'),
  pageUrl LowCardinality(String),
  count SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {{engine AggregatingMergeTree}}
PARTITION BY toYYYYMM(received_date)
ORDER BY (tenant, minute, pageUrl, received_date)
TTL received_date + INTERVAL {{retention_days rollup}} DAY
SETTINGS ttl_only_drop_parts = 1, {{deduplication_settings}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.visits_by_minute_view {{on_cluster}}
TO {{database}}.visits_by_minute AS
SELECT
  toDate(received_at) AS received_date,
  tenant,
  toStartOfMinute(visitedAt) AS minute,
  pageUrl,
  count() AS count
FROM {{database}}.visits
GROUP BY received_date, tenant, minute, pageUrl;

-- The same by hour, for windows of weeks and months: a sixtieth of the rows.
--
-- PARTITION BY and ORDER BY as by minute.
CREATE TABLE IF NOT EXISTS {{database}}.visits_by_hour {{on_cluster}}
(
  received_date Date,
  tenant LowCardinality(String),
  hour DateTime('UTC'),
  pageUrl LowCardinality(String),
  count SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {{engine AggregatingMergeTree}}
PARTITION BY toYYYYMM(received_date)
ORDER BY (tenant, hour, pageUrl, received_date)
TTL received_date + INTERVAL {{retention_days rollup}} DAY
SETTINGS ttl_only_drop_parts = 1, {{deduplication_settings}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.visits_by_hour_view {{on_cluster}}
TO {{database}}.visits_by_hour AS
SELECT
  toDate(received_at) AS received_date,
  tenant,
  toStartOfHour(visitedAt) AS hour,
  pageUrl,
  count() AS count
FROM {{database}}.visits
GROUP BY received_date, tenant, hour, pageUrl;
