import { defineStream, readSchema } from '../../stream.ts'
import type { UserTag, UserTagRecord } from './types.ts'

/** The retailer's firehose: who viewed or bought which product, when, and which campaign brought them. */
export const userTags = defineStream<UserTag, UserTagRecord>({
  name: 'user_tags',
  schemas: [readSchema(import.meta.url, 'user_tags.v1.avsc')],
  eventTime: 'time',
  subject: 'cookie',
  dimensions: ['country', 'device', 'action', 'origin', 'brand_id', 'category_id'],
  measures: ['price'],
  tables: { raw: 'user_tags', bySubject: 'user_tags_by_cookie', byMinute: 'user_tags_by_minute' },
  rollup: { dimensions: ['action', 'origin', 'brand_id', 'category_id'], sums: ['price'] },
  example: {
    time: '2026-03-22T12:15:00.000Z',
    cookie: '9WkYGxkiXBfpMIjBGURC',
    country: 'CL',
    device: 'MOBILE',
    action: 'VIEW',
    origin: 'CAMPAIGN_321',
    product_info: { product_id: 12486, brand_id: 'Ebros_Gift', category_id: 'Trousers', price: 28969 }
  }
})

export type { UserTag, UserTagRecord } from './types.ts'
