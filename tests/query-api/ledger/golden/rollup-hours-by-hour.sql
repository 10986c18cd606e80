SELECT
  toString(received_date) AS day,
  toHour(start) AS hour,
  sum(count) AS found_n,
  toString(sum(cityHash64(toUnixTimestamp(start), tenant, pageUrl) * count)) AS check
FROM visits_by_time
WHERE received_date >= toDate(toDateTime({from_s:UInt32}, 'UTC'), 'UTC')
  AND received_date <= toDate(toDateTime({to_s:UInt32} - 1, 'UTC'), 'UTC') AND unit = 'hour'
GROUP BY day, hour