-- Raw clicks and impressions.
--
-- PARTITION BY the day of arrival: event times may be back-dated, and one insert may touch only so many
-- partitions; the TTL drops whole days.
--
-- ORDER BY time: every question is about the last hour before some instant, exact to the second.
CREATE TABLE IF NOT EXISTS {{database}}.analytics {{on_cluster}}
(
  timestamp DateTime64(3, 'UTC'),
  user String,
  event LowCardinality(String),
  time_text Nullable(String),
  event_id String,
  event_id_origin LowCardinality(String),
  tenant LowCardinality(String),
  received_at DateTime64(3, 'UTC'),
  _partition UInt32,
  _offset UInt64
)
ENGINE = {{engine MergeTree}}
PARTITION BY toDate(received_at)
ORDER BY (tenant, timestamp, event, user)
TTL toDateTime(received_at) + INTERVAL {{retention_days raw}} DAY
SETTINGS ttl_only_drop_parts = 1, {{deduplication_settings}};
