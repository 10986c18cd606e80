import { defineStream, readSchema } from '../../stream.ts'
import type { PageView, PageViewRecord } from './types.ts'

/** Who looked at which page, when. */
export const pageViews = defineStream<PageView, PageViewRecord>({
  name: 'page_views',
  schemas: [readSchema(import.meta.url, 'page_views.v1.avsc')],
  eventTime: 'timestamp',
  subject: 'user_id',
  dimensions: ['name'],
  measures: [],
  tables: { raw: 'page_views', bySubject: 'page_views_by_user' },
  example: { user_id: 'u1', name: '/home', timestamp: '2026-03-22T12:15:00Z' }
})

export type { PageView, PageViewRecord } from './types.ts'
