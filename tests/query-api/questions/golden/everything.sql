SELECT
  fromUnixTimestamp64Milli(1000 * ({bucket_first:Int64} + slot * {bucket_step:Int64}), 'UTC') AS `bucket`,
  g0 AS `brand_id`,
  g1 AS `product_id`,
  CAST(other, 'Bool') AS `is_other`,
  m0 AS `count`,
  m1 AS `sum_price`,
  m2 AS `p95_price`
FROM (
  SELECT *
  FROM (
    SELECT
      intDiv(toInt64(toUnixTimestamp(time)) - {bucket_first:Int64}, {bucket_step:Int64}) AS slot,
      if(is_other, NULL, brand_id) AS g0,
      if(is_other, NULL, product_id) AS g1,
      is_other AS other,
      count() AS m0,
      sum(price) AS m1,
      quantileExactInclusiveOrNull(0.950)(price) AS m2
    FROM (
      SELECT
        *,
        (brand_id, product_id) NOT IN (
          SELECT brand_id AS k0, product_id AS k1
          FROM user_tags
          WHERE tenant = {tenant:String}
            AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND ((origin IN {p0:Array(String)}) AND (NOT (toInt64(price) < {p1:Int64})))
          GROUP BY k0, k1
          ORDER BY sum(price) DESC NULLS LAST, k0, k1
          LIMIT {p2:UInt32}
        ) AS is_other
      FROM user_tags
      WHERE tenant = {tenant:String}
        AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND ((origin IN {p0:Array(String)}) AND (NOT (toInt64(price) < {p1:Int64})))
    )
    GROUP BY slot, g0, g1, other
  )
  ORDER BY g0, g1, other, slot WITH FILL FROM 0 TO {p3:Int64} STEP 1
)
ORDER BY m2 DESC NULLS LAST, slot ASC NULLS LAST, g0 ASC NULLS LAST, g1 ASC NULLS LAST, other
LIMIT {row_limit:UInt32}
