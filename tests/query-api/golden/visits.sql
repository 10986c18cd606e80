-- whole minutes
SELECT pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, bucket_s, visit_count
  FROM (
    SELECT pageUrl, toUnixTimestamp(toStartOfHour(minute)) AS bucket_s, sum(count) AS visit_count
    FROM visits_by_minute
    WHERE tenant = {tenant:String}
      AND minute >= toDateTime({minutes_from_s:Int64}, 'UTC')
      AND minute < toDateTime({minutes_to_s:Int64}, 'UTC')
    GROUP BY pageUrl, bucket_s
  )
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
ORDER BY pageUrl

-- whole hours
SELECT pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, bucket_s, visit_count
  FROM (
    SELECT pageUrl, toUnixTimestamp(toStartOfDay(hour)) AS bucket_s, sum(count) AS visit_count
    FROM visits_by_hour
    WHERE tenant = {tenant:String}
      AND hour >= toDateTime({hours_from_s:Int64}, 'UTC')
      AND hour < toDateTime({hours_to_s:Int64}, 'UTC')
    GROUP BY pageUrl, bucket_s
  )
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
ORDER BY pageUrl

-- ends inside minutes of other hours
SELECT pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, bucket_s, visit_count
  FROM (
    SELECT pageUrl, bucket_s, sum(visit_count) AS visit_count
    FROM (
      SELECT pageUrl, toUnixTimestamp(toStartOfDay(hour)) AS bucket_s, sum(count) AS visit_count
      FROM visits_by_hour
      WHERE tenant = {tenant:String}
        AND hour >= toDateTime({hours_from_s:Int64}, 'UTC')
        AND hour < toDateTime({hours_to_s:Int64}, 'UTC')
      GROUP BY pageUrl, bucket_s
      UNION ALL
      SELECT pageUrl, toUnixTimestamp(toStartOfDay(minute)) AS bucket_s, sum(count) AS visit_count
      FROM visits_by_minute
      WHERE tenant = {tenant:String}
        AND minute >= toDateTime({minutes_from_s:Int64}, 'UTC')
        AND minute < toDateTime({minutes_to_s:Int64}, 'UTC')
        AND (
          minute < toDateTime({hours_from_s:Int64}, 'UTC')
          OR minute >= toDateTime({hours_to_s:Int64}, 'UTC')
        )
      GROUP BY pageUrl, bucket_s
      UNION ALL
      SELECT pageUrl, toUnixTimestamp(toStartOfDay(visitedAt)) AS bucket_s, count() AS visit_count
      FROM visits
      WHERE tenant = {tenant:String}
        AND visitedAt >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND visitedAt < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (
          visitedAt < fromUnixTimestamp64Milli(1000 * {minutes_from_s:Int64}, 'UTC')
          OR visitedAt >= fromUnixTimestamp64Milli(1000 * {minutes_to_s:Int64}, 'UTC')
        )
      GROUP BY pageUrl, bucket_s
    )
    GROUP BY pageUrl, bucket_s
  )
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
ORDER BY pageUrl

-- ends inside minutes
SELECT pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, bucket_s, visit_count
  FROM (
    SELECT pageUrl, bucket_s, sum(visit_count) AS visit_count
    FROM (
      SELECT pageUrl, toUnixTimestamp(toDateTime(toStartOfMonth(minute), 'UTC')) AS bucket_s, sum(count) AS visit_count
      FROM visits_by_minute
      WHERE tenant = {tenant:String}
        AND minute >= toDateTime({minutes_from_s:Int64}, 'UTC')
        AND minute < toDateTime({minutes_to_s:Int64}, 'UTC')
      GROUP BY pageUrl, bucket_s
      UNION ALL
      SELECT pageUrl, toUnixTimestamp(toDateTime(toStartOfMonth(visitedAt), 'UTC')) AS bucket_s, count() AS visit_count
      FROM visits
      WHERE tenant = {tenant:String}
        AND visitedAt >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND visitedAt < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (
          visitedAt < fromUnixTimestamp64Milli(1000 * {minutes_from_s:Int64}, 'UTC')
          OR visitedAt >= fromUnixTimestamp64Milli(1000 * {minutes_to_s:Int64}, 'UTC')
        )
      GROUP BY pageUrl, bucket_s
    )
    GROUP BY pageUrl, bucket_s
  )
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
ORDER BY pageUrl

-- inside one minute
SELECT pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, bucket_s, visit_count
  FROM (
    SELECT pageUrl, toUnixTimestamp(toStartOfMinute(visitedAt)) AS bucket_s, count() AS visit_count
    FROM visits
    WHERE tenant = {tenant:String}
      AND visitedAt >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
      AND visitedAt < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    GROUP BY pageUrl, bucket_s
  )
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
ORDER BY pageUrl

-- unique
SELECT pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT pageUrl, bucket_s, visit_count
  FROM (
    SELECT pageUrl, toUnixTimestamp(toStartOfDay(visitedAt)) AS bucket_s, uniqExact(identifier) AS visit_count
    FROM visits
    WHERE tenant = {tenant:String}
      AND visitedAt >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
      AND visitedAt < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    GROUP BY pageUrl, bucket_s
  )
  LIMIT {counts_max:UInt32}
)
GROUP BY pageUrl
ORDER BY pageUrl
