SELECT
  at_s,
  sum(bucket_expected) AS expected_n,
  if(sum(bucket_found) = expected_n, sumIf(bucket_found, agrees), sum(bucket_found)) AS found_n
FROM (
  SELECT
    at_s, tenant, pageUrl, sum(expected) AS bucket_expected, sum(found) AS bucket_found,
    bucket_expected = bucket_found AS agrees
  FROM (
    SELECT toUnixTimestamp64Milli(visitedAt) / 1000 AS at_s, tenant, pageUrl, toUInt64(1) AS expected, toUInt64(0) AS found
    FROM visits
    WHERE toDate(received_at, 'UTC') = toDate({day:String}) AND toHour(visitedAt) IN {hours:Array(UInt8)}
    UNION ALL
    SELECT toUnixTimestamp64Milli(start) / 1000 AS at_s, tenant, pageUrl, toUInt64(0) AS expected, count AS found
    FROM visits_by_time
    WHERE received_date = toDate({day:String}) AND toHour(start) IN {hours:Array(UInt8)} AND unit = 'millisecond'
  )
  GROUP BY at_s, tenant, pageUrl
)
GROUP BY at_s
HAVING expected_n != found_n
ORDER BY at_s
LIMIT {limit:UInt32}