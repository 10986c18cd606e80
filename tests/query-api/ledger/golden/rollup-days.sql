SELECT toString(received_date) AS day, sum(count) AS found_n
FROM user_tags_by_minute
WHERE received_date >= toDate(toDateTime({from_s:UInt32}, 'UTC'), 'UTC')
  AND received_date <= toDate(toDateTime({to_s:UInt32} - 1, 'UTC'), 'UTC')
GROUP BY day