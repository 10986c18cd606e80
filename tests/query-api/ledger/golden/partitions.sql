SELECT
  stream, partition,
  sum(length) + sum(gap) - sum(overlap) AS accepted_n,
  sum(stored) AS stored_n,
  sum(dead_lettered) AS dead_lettered_n,
  sum(duplicates) AS duplicates_n,
  sum(erased) AS erased_n,
  sum(gap) + sum(overlap) + sum(miscount) AS imbalance_n
FROM (
  SELECT
    *,
    if(first_offset > covered AND NOT begins, first_offset - covered, 0) AS gap,
    if(first_offset < near_covered, least(near_covered, last_offset + 1) - first_offset, 0) AS overlap,
    abs(toInt64(length) - toInt64(counted)) AS miscount
  FROM (
    SELECT
      stream, partition, first_offset, last_offset, stored, dead_lettered, duplicates, erased,
      toStartOfMinute(first_received_at) AS minute,
      last_offset + 1 - first_offset AS length,
      stored + dead_lettered + duplicates + erased AS counted,
      max(last_offset + 1) OVER (
        PARTITION BY stream, partition ORDER BY first_offset, last_offset
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS near_covered,
      greatest(near_covered, earlier_covered) AS covered,
      covered = 0 AS begins
    FROM batches
    LEFT JOIN (
      SELECT stream, partition, max(last_offset + 1) AS earlier_covered
      FROM batches
      WHERE stream IN {streams:Array(String)}
        AND last_received_at < fromUnixTimestamp64Milli({near_from_ms:Int64}, 'UTC')
      GROUP BY stream, partition
    ) AS earlier USING (stream, partition)
    WHERE stream IN {streams:Array(String)}
      AND first_offset < transform(concat(stream, '-', toString(partition)), {keys:Array(String)}, {committed:Array(UInt64)}, toUInt64(0))
      AND last_received_at >= fromUnixTimestamp64Milli({near_from_ms:Int64}, 'UTC')
      AND first_received_at < fromUnixTimestamp64Milli({near_to_ms:Int64}, 'UTC')
  )
  WHERE minute >= toDateTime({from_s:UInt32}, 'UTC')
    AND minute < toDateTime({to_s:UInt32}, 'UTC')
)
GROUP BY stream, partition