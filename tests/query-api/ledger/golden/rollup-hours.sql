SELECT
  toString(received_date) AS day,
  toHour(minute) AS hour,
  sum(count) AS found_n,
  toString(sum(cityHash64(toUnixTimestamp(minute), tenant, action, origin, brand_id, category_id) * count + cityHash64('price', toUnixTimestamp(minute), tenant, action, origin, brand_id, category_id) * toUInt64(toInt64(sum_price)))) AS check
FROM user_tags_by_minute
WHERE received_date >= toDate(toDateTime({from_s:UInt32}, 'UTC'), 'UTC')
  AND received_date <= toDate(toDateTime({to_s:UInt32} - 1, 'UTC'), 'UTC')
GROUP BY day, hour