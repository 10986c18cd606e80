import { defineStream, readSchema } from '../../stream.ts'
import type { Visit, VisitRecord } from './types.ts'

/** Page visits of an organisation's sites. */
export const visits = defineStream<Visit, VisitRecord>({
  name: 'visits',
  schemas: [readSchema(import.meta.url, 'visits.v1.avsc')],
  eventTime: 'visitedAt',
  subject: 'identifier',
  dimensions: ['pageUrl'],
  measures: [],
  keyRequired: true,
  tables: { raw: 'visits', byMinute: 'visits_by_minute', byTime: 'visits_by_time' },
  rawRetention: 'rollup',
  rollup: { dimensions: ['pageUrl'], sums: [] },
  example: { identifier: 'i1', pageUrl: 'https://shop.example/cart', visitedAt: '2026-03-22T12:15:00Z' }
})

export type { Visit, VisitRecord } from './types.ts'
