import { userTags } from '../../contract/index.ts'

type Row = Record<string, unknown>

const DAY_MS = 86_400_000
/** When test rows arrived: all within one day, and within every retention, whenever the tests run. */
export const ARRIVED_MS = (Math.floor(Date.now() / DAY_MS) - 1) * DAY_MS

/** Rows of the table user_tags at rising offsets; the same offset is always the same row. */
export function userTagRows (firstOffset: number, count: number, cookies = 50): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const offset = firstOffset + index
    const record = userTags.toRecord({
      time: new Date(Date.UTC(2022, 2, 22, 12, 15) + offset * 1000).toISOString(),
      cookie: `cookie${offset % cookies}`,
      country: 'PL',
      device: 'PC',
      action: offset % 5 === 0 ? 'BUY' : 'VIEW',
      origin: `CAMPAIGN_${offset % 10}`,
      product_info: { product_id: offset, brand_id: `brand${offset % 7}`, category_id: 'shoes', price: offset }
    }, { tenant: 'default', eventId: `event-${offset}`, eventIdOrigin: 'SERVER' })
    return userTags.toRow(record, { partition: 0, offset, receivedAtMs: ARRIVED_MS + offset })
  })
}
