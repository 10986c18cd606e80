SELECT
  id, stream, topic, partition, offset, reason, detail, length(value) AS size_bytes, received_ms, state,
  attempts, attempted_ms, retried_ms, retried_topic, retried_partition, retried_offset, corrected, tenant
FROM (
  SELECT
    id, stream, topic, partition, offset, reason, detail, key, value,
    toUnixTimestamp64Milli(received_at) AS received_ms,
    if(
      match(key, '^[0-9]{1,3}:[a-z0-9]'),
      substring(key, position(key, ':') + 1, toUInt16(substring(key, 1, position(key, ':') - 1))),
      ''
    ) AS key_tenant,
    if(match(key_tenant, '^[a-z0-9][a-z0-9_-]{0,62}$') AND startsWith(key, concat(toString(length(key_tenant)), ':', key_tenant)), key_tenant, 'default') AS tenant,
    retries.attempts AS attempts,
    multiIf(retries.done, 'retried', attempts > 0, 'retrying', 'open') AS state,
    retries.attempted_ms AS attempted_ms,
    retries.retried_ms AS retried_ms,
    retries.retried_topic AS retried_topic,
    retries.retried_partition AS retried_partition,
    retries.retried_offset AS retried_offset,
    retries.corrected AS corrected
  FROM dead_letters AS letters
  LEFT JOIN (
    SELECT
      dead_letter_id,
      count() AS attempts,
      max(state = 'retried') AS done,
      min(toUnixTimestamp64Milli(received_at)) AS attempted_ms,
      argMinIf(toUnixTimestamp64Milli(received_at), offset, state = 'retried') AS retried_ms,
      argMinIf(topic, offset, state = 'retried') AS retried_topic,
      argMinIf(partition, offset, state = 'retried') AS retried_partition,
      minIf(offset, state = 'retried') AS retried_offset,
      argMinIf(corrected, offset, state = 'retried') AS corrected
    FROM dead_letter_retries
    GROUP BY dead_letter_id
  ) AS retries ON letters.id = retries.dead_letter_id
  WHERE received_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
)
WHERE tenant = {tenant:String}
  AND state IN {states:Array(String)}
  AND stream = {stream:String}
  AND reason = {reason:String}
  AND (received_ms, id) > ({after_ms:Int64}, {after_id:String})
ORDER BY received_ms ASC, id ASC
LIMIT {limit:UInt32}