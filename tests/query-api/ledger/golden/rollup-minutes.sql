SELECT minute_s, sum(expected) AS expected_n, sum(found) AS found_n
FROM (
  SELECT
    toUnixTimestamp(toStartOfMinute(time)) AS minute_s,
    count() AS expected,
    toUInt64(0) AS found
  FROM user_tags
  WHERE toDate(received_at, 'UTC') = toDate({day:String})
  GROUP BY minute_s
  UNION ALL
  SELECT toUnixTimestamp(minute) AS minute_s, toUInt64(0) AS expected, sum(count) AS found
  FROM user_tags_by_minute
  WHERE received_date = toDate({day:String})
  GROUP BY minute_s
)
GROUP BY minute_s
HAVING expected_n != found_n
ORDER BY minute_s
LIMIT {limit:UInt32}