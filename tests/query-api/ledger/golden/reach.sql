SELECT stream, partition, min(first_offset) AS from_n, max(last_offset) + 1 AS to_n
FROM batches
WHERE stream IN {streams:Array(String)}
  AND first_offset < transform(concat(stream, '-', toString(partition)), {keys:Array(String)}, {committed:Array(UInt64)}, toUInt64(0))
GROUP BY stream, partition