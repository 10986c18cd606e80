SELECT dead_letter_id AS id, partition, min(offset) AS first_offset
FROM dead_letter_retries
WHERE dead_letter_id IN {ids:Array(String)}
  AND state = 'retried'
GROUP BY id, partition