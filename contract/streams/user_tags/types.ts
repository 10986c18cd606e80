// Generated from the newest schema in this folder by `npm run generate`; do not edit.

export interface UserTag {
  time: string
  cookie: string
  country: string
  device: 'PC' | 'MOBILE' | 'TV'
  action: 'VIEW' | 'BUY'
  origin: string
  product_info: {
    product_id: number | string
    brand_id: string
    category_id: string
    price: number
  }
  event_id?: string
}

export interface UserTagRecord {
  time: number
  cookie: string
  country: string
  device: 'PC' | 'MOBILE' | 'TV'
  action: 'VIEW' | 'BUY'
  origin: string
  product_info: {
    product_id: number | string
    brand_id: string
    category_id: string
    price: number
  }
  time_text: string | null
  event_id: string
  event_id_origin: 'SERVER' | 'BODY' | 'HEADER' | 'SPOOL'
  tenant: string
}
