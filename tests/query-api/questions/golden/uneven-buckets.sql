SELECT
  fromUnixTimestamp64Milli(1000 * {bucket_starts:Array(Int64)}[slot + 1], 'UTC') AS `bucket`,
  m0 AS `count`
FROM (
  SELECT
    transform(roundDown(toInt64(toUnixTimestamp(minute)), {bucket_starts:Array(Int64)}), {bucket_starts:Array(Int64)}, arrayMap(i -> toInt64(i), range(length({bucket_starts:Array(Int64)}))), toInt64(0)) AS slot,
    sum(count) AS m0
  FROM user_tags_by_minute
  WHERE tenant = {tenant:String}
    AND minute >= toDateTime(intDiv({from_ms:Int64}, 1000), 'UTC')
    AND minute < toDateTime(intDiv({to_ms:Int64}, 1000), 'UTC')
  GROUP BY slot
)
ORDER BY slot ASC NULLS LAST
LIMIT {row_limit:UInt32}
