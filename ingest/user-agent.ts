import bowser from 'bowser'

/** Characters of a User-Agent header that are looked at; real ones have a few hundred. */
const LENGTH_MAX = 1024

/** What a User-Agent header says of whoever sent it; what it does not say is absent. */
export interface UserAgent {
  /** `desktop`, `mobile`, `tablet`, `tv` or `bot`. */
  device?: string
  browser?: string
  os?: string
}

export function parseUserAgent (header: string | undefined): UserAgent {
  if (header === undefined || header === '') return {}
  const { platform, browser, os } = bowser.parse(header.slice(0, LENGTH_MAX))
  return {
    ...(platform.type ? { device: platform.type } : {}),
    ...(browser.name ? { browser: browser.name } : {}),
    ...(os.name ? { os: os.name } : {})
  }
}
