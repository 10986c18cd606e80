// Generated from the newest schema in this folder by `npm run generate`; do not edit.

export interface Visit {
  visitedAt: string
  identifier: string
  pageUrl: string
  event_id?: string
}

export interface VisitRecord {
  visitedAt: number
  identifier: string
  pageUrl: string
  time_text: string | null
  event_id: string
  event_id_origin: 'SERVER' | 'BODY' | 'HEADER' | 'SPOOL'
  tenant: string
}
