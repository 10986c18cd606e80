SELECT
  toString(toDate(received_at, 'UTC')) AS day,
  hour,
  countIf(offset < transform(partition, {partitions:Array(UInt32)}, {committed:Array(UInt64)}, toUInt64(0))) AS least_n,
  count() AS most_n,
  toString(sum(row_check)) AS check
FROM (
SELECT
  _partition AS partition, _offset AS offset, received_at, toInt8(toHour(visitedAt)) AS hour,
  cityHash64(toUnixTimestamp(toStartOfHour(visitedAt)), tenant, pageUrl) AS row_check
FROM visits
UNION ALL
SELECT partition, offset, received_at, toInt8(-1) AS hour, toUInt64(0) AS row_check
FROM erased_positions FINAL
WHERE table = 'visits' AND 1 AND (partition, offset, received_at) NOT IN (
  SELECT _partition, _offset, received_at FROM visits
  WHERE (_partition, _offset, received_at) IN (SELECT partition, offset, received_at FROM erased_positions FINAL
WHERE table = 'visits' AND 1)
)
)
WHERE received_at >= toStartOfDay(toDateTime({from_s:UInt32}, 'UTC'))
  AND received_at < toStartOfDay(toDateTime({to_s:UInt32} - 1, 'UTC')) + INTERVAL 1 DAY
GROUP BY day, hour