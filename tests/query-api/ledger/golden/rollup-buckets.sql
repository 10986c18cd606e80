SELECT
  at_s,
  sum(bucket_expected) AS expected_n,
  if(sum(bucket_found) = expected_n, sumIf(bucket_found, agrees), sum(bucket_found)) AS found_n
FROM (
  SELECT
    at_s, tenant, action, origin, brand_id, category_id, sum(expected) AS bucket_expected, sum(found) AS bucket_found,
    bucket_expected = bucket_found AND sum(price_expected) = sum(price_found) AS agrees
  FROM (
    SELECT toUnixTimestamp(toStartOfMinute(time)) AS at_s, tenant, action, origin, brand_id, category_id, toUInt64(1) AS expected, toUInt64(0) AS found, price AS price_expected, toInt64(0) AS price_found
    FROM user_tags
    WHERE toDate(received_at, 'UTC') = toDate({day:String}) AND toHour(time) IN {hours:Array(UInt8)}
    UNION ALL
    SELECT toUnixTimestamp(minute) AS at_s, tenant, action, origin, brand_id, category_id, toUInt64(0) AS expected, count AS found, toInt64(0) AS price_expected, sum_price AS price_found
    FROM user_tags_by_minute
    WHERE received_date = toDate({day:String}) AND toHour(minute) IN {hours:Array(UInt8)}
  )
  GROUP BY at_s, tenant, action, origin, brand_id, category_id
)
GROUP BY at_s
HAVING expected_n != found_n
ORDER BY at_s
LIMIT {limit:UInt32}