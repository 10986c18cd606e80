-- user_statistics
SELECT
  user_id,
  sum(views_of_page) AS views,
  sum(page_spent_ms) AS spent_ms,
  uniqExactMerge(page_days) AS days_active,
  argMax(name, (views_of_page, last_view)) AS most_viewed_page
FROM (
  SELECT
    user_id,
    name,
    count() AS views_of_page,
    sum(spent_ms) AS page_spent_ms,
    uniqExactState(toDate(timestamp)) AS page_days,
    max((timestamp, _partition, _offset)) AS last_view
  FROM (
    SELECT
      user_id, name, timestamp, _partition, _offset,
      toUnixTimestamp64Milli(timestamp) AS ms,
      ms - lagInFrame(ms) OVER views_of_user AS gap_ms,
      if(row_number() OVER views_of_user = 1 OR gap_ms > 30 * 60000, 60000, gap_ms) AS spent_ms
    FROM page_views_by_user
    WHERE tenant = {tenant:String}
      AND user_id IN {user_ids:Array(String)}
      AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
      AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
      AND ms >= transform(user_id, {user_ids:Array(String)}, {from_ms_each:Array(Int64)}, 0)
      AND ms < transform(user_id, {user_ids:Array(String)}, {to_ms_each:Array(Int64)}, 0)
    WINDOW views_of_user AS (
      PARTITION BY user_id ORDER BY timestamp, _partition, _offset
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
  )
  GROUP BY user_id, name
)
GROUP BY user_id

-- analytics
SELECT
  uniqExact(user) AS unique_users,
  countIf(event = 'click') AS clicks,
  countIf(event = 'impression') AS impressions
FROM analytics
WHERE tenant = {tenant:String}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
