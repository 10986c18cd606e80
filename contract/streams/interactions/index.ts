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
  kinds: {
    by: 'type',
    fieldsOf: {
      click: { required: ['target', 'current_url'], optional: [] },
      url_change: { required: ['from_url', 'to_url'], optional: [] },
      btn_time: {
        required: ['target', 'action'],
        optional: [],
        symbols: { action: ['hover_then_leave', 'hover_then_clicked'] }
      },
      funnel_change: {
        required: ['action', 'entered'], optional: ['from_stage'], symbols: { action: ['onClick', 'onUrlChange'] }
      },
      session_start: { required: [], optional: ['device', 'browser', 'os', 'referrer'] }
    }
  },
  tables: { raw: 'interactions', bySubject: 'interactions_by_device' },
  example: {
    timestamp: '2026-03-22T12:15:00Z',
    app: 'shop',
    type: 'funnel_change',
    device_id: 'd1',
    elapsed_time: 12.5,
    action: 'onClick',
    entered: 'checkout'
  }
})

export type { Interaction, InteractionRecord } from './types.ts'
