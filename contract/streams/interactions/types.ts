// Generated from the newest schema in this folder by `npm run generate`; do not edit.

export interface Interaction {
  timestamp: string
  app: string
  type: 'click' | 'url_change' | 'btn_time' | 'funnel_change' | 'session_start'
  device_id: string
  elapsed_time: number
  target?: string
  current_url?: string
  from_url?: string
  to_url?: string
  action?: 'hover_then_leave' | 'hover_then_clicked' | 'onClick' | 'onUrlChange'
  entered?: number | string
  from_stage?: number | string
  device?: string
  browser?: string
  os?: string
  referrer?: string
  event_id?: string
}

export interface InteractionRecord {
  timestamp: number
  app: string
  type: 'click' | 'url_change' | 'btn_time' | 'funnel_change' | 'session_start'
  device_id: string
  elapsed_time: number
  target: string | null
  current_url: string | null
  from_url: string | null
  to_url: string | null
  action: 'hover_then_leave' | 'hover_then_clicked' | 'onClick' | 'onUrlChange' | null
  entered: number | string | null
  from_stage: number | string | null
  device: string | null
  browser: string | null
  os: string | null
  referrer: string | null
  time_text: string | null
  event_id: string
  event_id_origin: 'SERVER' | 'BODY' | 'HEADER' | 'SPOOL'
  tenant: string
}
