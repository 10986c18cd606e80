WITH
  near AS (
    SELECT
      partition, first_offset, last_offset, stored AS booked, last_received_at,
      toStartOfMinute(first_received_at) AS minute,
      minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC') AS in_range,
      true AS known
    FROM batches
    WHERE stream = {stream:String}
      AND first_offset < transform(partition, {partitions:Array(UInt32)}, {committed:Array(UInt64)}, toUInt64(0))
      AND last_received_at >= toDateTime({from_s:UInt32}, 'UTC')
      AND first_received_at < toDateTime({to_s:UInt32}, 'UTC')
  ),
  held AS (
    SELECT partition, offset, received_at
    FROM (
SELECT _partition AS partition, _offset AS offset, received_at FROM user_tags WHERE 1
UNION ALL
SELECT partition, offset, received_at FROM erased_positions FINAL
WHERE table = 'user_tags' AND 1 AND (partition, offset, received_at) NOT IN (
  SELECT _partition, _offset, received_at FROM user_tags
  WHERE (_partition, _offset, received_at) IN (SELECT partition, offset, received_at FROM erased_positions FINAL
WHERE table = 'user_tags' AND 1)
))
    WHERE received_at >= toDateTime({from_s:UInt32}, 'UTC')
      AND received_at <= (
        SELECT greatest(max(last_received_at), toDateTime64({to_s:UInt32}, 3, 'UTC')) FROM near WHERE in_range
      )
      AND offset < transform(partition, {partitions:Array(UInt32)}, {committed:Array(UInt64)}, toUInt64(0))
  ),
  placed AS (
    SELECT
      held.partition AS partition,
      held.offset AS offset,
      held.received_at AS received_at,
      near.known AND held.offset <= near.last_offset AS inside,
      near.in_range AS in_range,
      near.first_offset AS first_offset,
      near.last_offset AS last_offset,
      near.minute AS minute
    FROM held ASOF LEFT JOIN near ON held.partition = near.partition AND held.offset >= near.first_offset
  )
SELECT
  partition,
  min(run_first) AS first_n,
  max(run_last) AS last_n,
  min(run_minute_s) AS minute_s,
  sum(expected) AS expected_n,
  if(sum(found) = expected_n, sum(offsets), sum(found)) AS found_n
FROM (
  SELECT
    partition, true AS booked_run, first_offset AS run, first_offset AS run_first, last_offset AS run_last,
    toUnixTimestamp(minute) AS run_minute_s, booked AS expected, toUInt64(0) AS found, toUInt64(0) AS offsets
  FROM near
  WHERE in_range
  UNION ALL
  SELECT
    partition, true AS booked_run, first_offset AS run, any(first_offset) AS run_first,
    any(last_offset) AS run_last,
    any(toUnixTimestamp(minute)) AS run_minute_s, toUInt64(0) AS expected, count() AS found,
    groupBitmap(toUInt32(offset - first_offset)) AS offsets
  FROM placed
  WHERE inside AND in_range
  GROUP BY partition, first_offset
  UNION ALL
  SELECT
    partition, false AS booked_run, last_offset AS run, min(offset) AS run_first, max(offset) AS run_last,
    min(toUnixTimestamp(toStartOfMinute(received_at))) AS run_minute_s, toUInt64(0) AS expected, count() AS found,
    toUInt64(0) AS offsets
  FROM placed
  WHERE NOT inside AND received_at < toDateTime({to_s:UInt32}, 'UTC')
  GROUP BY partition, last_offset
)
GROUP BY partition, booked_run, run
HAVING expected_n != found_n
ORDER BY minute_s, partition, first_n
LIMIT {limit:UInt32}