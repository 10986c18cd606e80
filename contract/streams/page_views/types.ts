// Generated from the newest schema in this folder by `npm run generate`; do not edit.

export interface PageView {
  timestamp: string
  user_id: string
  name: string
  event_id?: string
}

export interface PageViewRecord {
  timestamp: number
  user_id: string
  name: string
  time_text: string | null
  event_id: string
  event_id_origin: 'SERVER' | 'BODY' | 'HEADER' | 'SPOOL'
  tenant: string
}
