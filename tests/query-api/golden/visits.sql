-- whole minutes
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    0 AS segment,
    pageUrl,
    toUnixTimestamp(toStartOfHour(start)) AS bucket_s,
    sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'minute' AND start >= fromUnixTimestamp64Milli({edge_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC')
  )
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl

-- whole hours
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    0 AS segment,
    pageUrl,
    toUnixTimestamp(toStartOfDay(start)) AS bucket_s,
    sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'hour' AND start >= fromUnixTimestamp64Milli({edge_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC')
  )
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl

-- ends inside minutes of other hours
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    0 AS segment,
    pageUrl,
    toUnixTimestamp(toStartOfDay(start)) AS bucket_s,
    sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'hour' AND start >= fromUnixTimestamp64Milli({edge_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC')
    OR unit = 'minute' AND start >= fromUnixTimestamp64Milli({edge_2:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_0:Int64}, 'UTC')
    OR unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({edge_3:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_2:Int64}, 'UTC')
    OR unit = 'minute' AND start >= fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_4:Int64}, 'UTC')
    OR unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({edge_4:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_5:Int64}, 'UTC')
  )
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl

-- ends inside minutes
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    0 AS segment,
    pageUrl,
    toUnixTimestamp(toDateTime(toStartOfMonth(start), 'UTC')) AS bucket_s,
    sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'minute' AND start >= fromUnixTimestamp64Milli({edge_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC')
    OR unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({edge_2:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_0:Int64}, 'UTC')
    OR unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_3:Int64}, 'UTC')
  )
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl

-- inside one minute
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    0 AS segment,
    pageUrl,
    toUnixTimestamp(toStartOfMinute(start)) AS bucket_s,
    sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({edge_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC')
  )
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl

-- unique
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    0 AS segment,
    pageUrl,
    toUnixTimestamp(toStartOfDay(visitedAt)) AS bucket_s,
    uniqExact(identifier) AS visit_count
  FROM visits
  WHERE tenant = {tenant:String}
    AND visitedAt >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND visitedAt < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl

-- no time
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    0 AS segment,
    pageUrl,
    toUnixTimestamp(toStartOfDay(start)) AS bucket_s,
    sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    false
  )
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl

-- several
SELECT segment, pageUrl, arraySort(groupArray((bucket_s, visit_count))) AS buckets
FROM (
  SELECT
    (start >= fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC')) + (start >= fromUnixTimestamp64Milli({edge_3:Int64}, 'UTC')) AS segment,
    pageUrl,
    multiIf(start < fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC'), toUnixTimestamp(toDateTime(toStartOfMonth(start), 'UTC')), start < fromUnixTimestamp64Milli({edge_2:Int64}, 'UTC'), toUnixTimestamp(toStartOfHour(start)), toUnixTimestamp(toStartOfMinute(start))) AS bucket_s,
    sum(count) AS visit_count
  FROM visits_by_time
  WHERE tenant = {tenant:String} AND (
    unit = 'hour' AND start >= fromUnixTimestamp64Milli({edge_0:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC')
    OR unit = 'hour' AND start >= fromUnixTimestamp64Milli({edge_1:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_2:Int64}, 'UTC')
    OR unit = 'minute' AND start >= fromUnixTimestamp64Milli({edge_3:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_4:Int64}, 'UTC')
    OR unit = 'millisecond' AND start >= fromUnixTimestamp64Milli({edge_4:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({edge_5:Int64}, 'UTC')
  )
  GROUP BY segment, pageUrl, bucket_s
  LIMIT {counts_max:UInt32}
)
GROUP BY segment, pageUrl
