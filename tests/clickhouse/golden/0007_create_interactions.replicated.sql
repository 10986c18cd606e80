-- Raw interactions.
--
-- PARTITION BY the day of arrival: event times may be back-dated, and one insert may touch only so many
-- partitions; the TTL drops whole days.
--
-- ORDER BY what every report filters by: tenant, app, the kind of interaction, then time.
CREATE TABLE IF NOT EXISTS millrace.interactions ON CLUSTER `main`
(
  timestamp DateTime64(3, 'UTC'),
  app LowCardinality(String),
  type LowCardinality(String),
  device_id String,
  elapsed_time Float64,
  target Nullable(String),
  current_url Nullable(String),
  from_url Nullable(String),
  to_url Nullable(String),
  action LowCardinality(Nullable(String)),
  entered Nullable(String),
  entered_is_number Bool,
  from_stage Nullable(String),
  from_stage_is_number Bool,
  device LowCardinality(Nullable(String)),
  browser LowCardinality(Nullable(String)),
  os LowCardinality(Nullable(String)),
  referrer Nullable(String),
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
ORDER BY (tenant, app, type, timestamp)
TTL toDateTime(received_at) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- The same interactions ordered by device: journeys and funnels follow one device through time; erasure.
--
-- PARTITION BY the week of arrival: a point read looks into every partition of its range.
--
-- ORDER BY app and device, then time: what a device did before is the row above. A granule is small, because
-- one device has few rows.
CREATE TABLE IF NOT EXISTS millrace.interactions_by_device ON CLUSTER `main`
(
  timestamp DateTime64(3, 'UTC'),
  app LowCardinality(String),
  type LowCardinality(String),
  device_id String,
  elapsed_time Float64,
  target Nullable(String),
  current_url Nullable(String),
  from_url Nullable(String),
  to_url Nullable(String),
  action LowCardinality(Nullable(String)),
  entered Nullable(String),
  entered_is_number Bool,
  from_stage Nullable(String),
  from_stage_is_number Bool,
  device LowCardinality(Nullable(String)),
  browser LowCardinality(Nullable(String)),
  os LowCardinality(Nullable(String)),
  referrer Nullable(String),
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
ORDER BY (tenant, app, device_id, timestamp, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 90 DAY
SETTINGS index_granularity = 512, ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS millrace.interactions_by_device_view ON CLUSTER `main`
TO millrace.interactions_by_device AS
SELECT
  timestamp, app, type, device_id, elapsed_time, target, current_url, from_url, to_url, action, entered,
  entered_is_number, from_stage, from_stage_is_number, device, browser, os, referrer, time_text, event_id,
  event_id_origin, tenant, received_at, _partition, _offset
FROM millrace.interactions;
