SELECT
  toString(toDate(received_at, 'UTC')) AS day,
  countIf(offset < transform(partition, {partitions:Array(UInt32)}, {committed:Array(UInt64)}, toUInt64(0))) AS least_n,
  count() AS most_n
FROM (SELECT _partition AS partition, _offset AS offset, received_at FROM user_tags)
WHERE received_at >= toStartOfDay(toDateTime({from_s:UInt32}, 'UTC'))
  AND received_at < toStartOfDay(toDateTime({to_s:UInt32} - 1, 'UTC')) + INTERVAL 1 DAY
GROUP BY day