import { defineStream, readSchema } from '../../stream.ts'
import type { AnalyticsEvent, AnalyticsEventRecord } from './types.ts'

/** Clicks and impressions of users. */
export const analytics = defineStream<AnalyticsEvent, AnalyticsEventRecord>({
  name: 'analytics',
  schemas: [readSchema(import.meta.url, 'analytics.v1.avsc')],
  eventTime: 'timestamp',
  subject: 'user',
  dimensions: ['event'],
  measures: [],
  tables: { raw: 'analytics' },
  example: { timestamp: '2026-03-22T12:15:00Z', user: 'u1', event: 'click' }
})

export type { AnalyticsEvent, AnalyticsEventRecord } from './types.ts'
