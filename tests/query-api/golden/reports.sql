-- conversion
SELECT
  entered AS stage,
  entered_is_number AS stage_is_number,
  uniqExact(device_id) AS unique_users,
  (SELECT uniqExact(device_id)
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')) AS total_users
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND type = 'funnel_change'
  AND entered IS NOT NULL
GROUP BY stage, stage_is_number
ORDER BY stage_is_number DESC, if(stage_is_number, toInt64OrZero(assumeNotNull(stage)), 0), stage
LIMIT {rows_max:UInt32}

-- stageJourney
SELECT
  left_stage, left_stage_is_number, entered_stage, entered_stage_is_number,
  uniqExact(device_id) AS unique_users,
  count() AS hits
FROM (
  SELECT
    timestamp,
    device_id,
    elapsed_time,
    if(isNull(from_stage), lagInFrame(entered) OVER steps_of_device, from_stage) AS left_stage,
    if(
      isNull(from_stage), lagInFrame(entered_is_number) OVER steps_of_device, from_stage_is_number
    ) AS left_stage_is_number,
    entered AS entered_stage,
    entered_is_number AS entered_stage_is_number
  FROM interactions_by_device
  WHERE tenant = {tenant:String}
    AND app = {app:String}
    AND type = 'funnel_change'
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND entered IS NOT NULL
  WINDOW steps_of_device AS (
    PARTITION BY device_id ORDER BY timestamp, _partition, _offset
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
)
WHERE timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND left_stage IS NOT NULL
GROUP BY left_stage, left_stage_is_number, entered_stage, entered_stage_is_number
ORDER BY left_stage_is_number DESC, if(left_stage_is_number, toInt64OrZero(assumeNotNull(left_stage)), 0), left_stage, entered_stage_is_number DESC, if(entered_stage_is_number, toInt64OrZero(assumeNotNull(entered_stage)), 0), entered_stage
LIMIT {rows_max:UInt32}

-- stageTimes
SELECT
  left_stage AS stage,
  left_stage_is_number AS stage_is_number,
  least(sum(elapsed_time), 1.7976931348623157e308) AS elapsed,
  count() AS hit
FROM (
  SELECT
    timestamp,
    device_id,
    elapsed_time,
    if(isNull(from_stage), lagInFrame(entered) OVER steps_of_device, from_stage) AS left_stage,
    if(
      isNull(from_stage), lagInFrame(entered_is_number) OVER steps_of_device, from_stage_is_number
    ) AS left_stage_is_number,
    entered AS entered_stage,
    entered_is_number AS entered_stage_is_number
  FROM interactions_by_device
  WHERE tenant = {tenant:String}
    AND app = {app:String}
    AND type = 'funnel_change'
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND entered IS NOT NULL
  WINDOW steps_of_device AS (
    PARTITION BY device_id ORDER BY timestamp, _partition, _offset
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
)
WHERE timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND left_stage IS NOT NULL
GROUP BY stage, stage_is_number
ORDER BY stage_is_number DESC, if(stage_is_number, toInt64OrZero(assumeNotNull(stage)), 0), stage
LIMIT {rows_max:UInt32}

-- stages
SELECT
  toDate(timestamp) AS date,
  entered AS stage,
  entered_is_number AS stage_is_number,
  uniqExact(device_id) AS unique_users
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND type = 'funnel_change'
  AND entered IS NOT NULL
GROUP BY date, stage, stage_is_number
ORDER BY date, stage_is_number DESC, if(stage_is_number, toInt64OrZero(assumeNotNull(stage)), 0), stage
LIMIT {rows_max:UInt32}

-- pages
SELECT page, sum(entries) AS views, least(sum(seconds), 1.7976931348623157e308) AS elapsed, sum(leaves) AS hit
FROM (
  SELECT
    arrayJoin([(to_url, 1, 0, 0.), (from_url, 0, 1, elapsed_time)]) AS visit,
    visit.1 AS page,
    visit.2 AS entries,
    visit.3 AS leaves,
    visit.4 AS seconds
  FROM interactions
  WHERE tenant = {tenant:String}
    AND app = {app:String}
    AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND type = 'url_change'
)
WHERE page IS NOT NULL
GROUP BY page
ORDER BY page
LIMIT {rows_max:UInt32}

-- urlJourney
SELECT from_url, to_url, uniqExact(device_id) AS unique_users, count() AS hits
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND type = 'url_change'
  AND from_url IS NOT NULL
  AND to_url IS NOT NULL
GROUP BY from_url, to_url
ORDER BY from_url, to_url
LIMIT {rows_max:UInt32}

-- elements
SELECT
  target AS element,
  countIf(action = 'hover_then_leave') AS hover_leave,
  least(sum(if(action = 'hover_then_leave', elapsed_time, 0)), 1.7976931348623157e308) AS elapsed_leave,
  countIf(action = 'hover_then_clicked') AS hover_click,
  least(sum(if(action = 'hover_then_clicked', elapsed_time, 0)), 1.7976931348623157e308) AS elapsed_click
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND type = 'btn_time'
  AND action IN ('hover_then_leave', 'hover_then_clicked')
  AND target IS NOT NULL
GROUP BY element
ORDER BY element
LIMIT {rows_max:UInt32}

-- browsers
SELECT
  browser,
  uniqExact(device_id) AS unique_users,
  (SELECT uniqExact(device_id)
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND type = 'session_start') AS total_users
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND type = 'session_start'
GROUP BY browser
ORDER BY browser NULLS LAST
LIMIT {rows_max:UInt32}

-- devices
SELECT
  device,
  uniqExact(device_id) AS unique_users,
  (SELECT uniqExact(device_id)
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND type = 'session_start') AS total_users
FROM interactions
WHERE tenant = {tenant:String}
  AND app = {app:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND type = 'session_start'
GROUP BY device
ORDER BY device NULLS LAST
LIMIT {rows_max:UInt32}
