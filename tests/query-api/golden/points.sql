-- user_statistics
SELECT
  user_id,
  count() AS views,
  arraySum(
    gap_ms -> if(gap_ms > 30 * 60000, 60000, gap_ms),
    arrayDifference(arraySort(groupArray(toUnixTimestamp64Milli(timestamp))))
  ) + 60000 AS spent_ms,
  uniqExact(toDate(timestamp)) AS days_active,
  arrayReduce(
    'argMax',
    mapKeys(sumMap(map(name, 1)) AS views_by_page),
    arrayZip(mapValues(views_by_page), mapValues(maxMap(map(name, (timestamp, _partition, _offset)))))
  ) AS most_viewed_page
FROM page_views_by_user
WHERE tenant = {tenant:String}
  AND user_id IN {user_ids:Array(String)}
  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
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
