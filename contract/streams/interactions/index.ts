import { defineStream, readSchema } from '../../stream.ts'
import type { Interaction, InteractionRecord } from './types.ts'

/** What devices do in an app: clicks, pages, hover times, funnels, sessions. */
export const interactions = defineStream<Interaction, InteractionRecord>({
  name: 'interactions',
  schemas: [readSchema(import.meta.url, 'interactions.v1.avsc')],
  eventTime: 'timestamp',
  subject: 'device_id',
  dimensions: ['app', 'type', 'action', 'device', 'browser', 'os'],
  measures: ['elapsed_time'],
  tables: { raw: 'interactions', bySubject: 'interactions_by_device' }
})

export type { Interaction, InteractionRecord } from './types.ts'
