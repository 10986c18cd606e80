SELECT
  fromUnixTimestamp64Milli(1000 * ({bucket_first:Int64} + slot * {bucket_step:Int64}), 'UTC') AS `bucket`,
  g0 AS `origin`,
  m0 AS `avg_price`
FROM (
  SELECT
    intDiv(toInt64(toUnixTimestamp(minute)) - {bucket_first:Int64}, {bucket_step:Int64}) AS slot,
    origin AS g0,
    sum(sum_price) / nullIf(sum(count), 0) AS m0
  FROM user_tags_by_minute
  WHERE tenant = {tenant:String}
    AND minute >= toDateTime(intDiv({from_ms:Int64}, 1000), 'UTC')
    AND minute < toDateTime(intDiv({to_ms:Int64}, 1000), 'UTC')
  GROUP BY slot, g0
)
ORDER BY slot ASC NULLS LAST, g0 ASC NULLS LAST
LIMIT {row_limit:UInt32}
