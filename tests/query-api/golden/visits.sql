-- whole minutes
SELECT 0 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, toUnixTimestamp(toStartOfHour(start)) AS bucket_s, sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'minute' AND start >= fromUnixTimestamp64Milli({minutes_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({minutes_to_0:Int64}, 'UTC')
  )
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl

-- whole hours
SELECT 0 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, toUnixTimestamp(toStartOfDay(start)) AS bucket_s, sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'hour' AND start >= fromUnixTimestamp64Milli({hours_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({hours_to_0:Int64}, 'UTC')
  )
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl

-- ends inside minutes of other hours
SELECT 0 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, toUnixTimestamp(toStartOfDay(start)) AS bucket_s, sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'hour' AND start >= fromUnixTimestamp64Milli({hours_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({hours_to_0:Int64}, 'UTC')
    OR unit = 'minute' AND start >= fromUnixTimestamp64Milli({minutes_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({minutes_to_0:Int64}, 'UTC')
      AND (start < fromUnixTimestamp64Milli({hours_from_0:Int64}, 'UTC') OR start >= fromUnixTimestamp64Milli({hours_to_0:Int64}, 'UTC'))
    OR unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({milliseconds_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({milliseconds_to_0:Int64}, 'UTC')
      AND (start < fromUnixTimestamp64Milli({minutes_from_0:Int64}, 'UTC') OR start >= fromUnixTimestamp64Milli({minutes_to_0:Int64}, 'UTC'))
  )
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl

-- ends inside minutes
SELECT 0 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, toUnixTimestamp(toDateTime(toStartOfMonth(start), 'UTC')) AS bucket_s, sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'minute' AND start >= fromUnixTimestamp64Milli({minutes_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({minutes_to_0:Int64}, 'UTC')
    OR unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({milliseconds_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({milliseconds_to_0:Int64}, 'UTC')
      AND (start < fromUnixTimestamp64Milli({minutes_from_0:Int64}, 'UTC') OR start >= fromUnixTimestamp64Milli({minutes_to_0:Int64}, 'UTC'))
  )
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl

-- inside one minute
SELECT 0 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, toUnixTimestamp(toStartOfMinute(start)) AS bucket_s, sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({milliseconds_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({milliseconds_to_0:Int64}, 'UTC')
  )
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl

-- unique
SELECT 0 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    pageUrl, toUnixTimestamp(toStartOfDay(visitedAt)) AS bucket_s,
    uniqExact(identifier) AS visit_count
  FROM visits
  WHERE tenant = {tenant:String}
    AND visitedAt >= fromUnixTimestamp64Milli({from_0:Int64}, 'UTC')
    AND visitedAt < fromUnixTimestamp64Milli({to_0:Int64}, 'UTC')
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl

-- several
SELECT 0 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, toUnixTimestamp(toStartOfDay(start)) AS bucket_s, sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'hour' AND start >= fromUnixTimestamp64Milli({hours_from_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({hours_to_0:Int64}, 'UTC')
  )
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
UNION ALL
SELECT 1 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, toUnixTimestamp(toStartOfMinute(start)) AS bucket_s, sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'minute' AND start >= fromUnixTimestamp64Milli({minutes_from_1:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({minutes_to_1:Int64}, 'UTC')
    OR unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({milliseconds_from_1:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({milliseconds_to_1:Int64}, 'UTC')
      AND (start < fromUnixTimestamp64Milli({minutes_from_1:Int64}, 'UTC') OR start >= fromUnixTimestamp64Milli({minutes_to_1:Int64}, 'UTC'))
  )
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
UNION ALL
SELECT 2 AS scan, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, toUnixTimestamp(toStartOfDay(start)) AS bucket_s, sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    false
  )
  GROUP BY pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
