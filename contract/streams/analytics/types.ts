// Generated from the newest schema in this folder by `npm run generate`; do not edit.

export interface AnalyticsEvent {
  timestamp: string
  user: string
  event: 'click' | 'impression'
  event_id?: string
}

export interface AnalyticsEventRecord {
  timestamp: number
  user: string
  event: 'click' | 'impression'
  time_text: string | null
  event_id: string
  event_id_origin: 'SERVER' | 'BODY' | 'HEADER' | 'SPOOL'
  tenant: string
}
