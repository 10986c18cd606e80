SELECT event_id, _partition AS partition, _offset AS offset, toUnixTimestamp64Milli(received_at) AS received_ms
FROM user_tags
WHERE tenant = {tenant:String}
  AND event_id IN {event_ids:Array(String)}
  AND received_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')