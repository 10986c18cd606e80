/**
 * Headers of every answer that tell a browser to take it for what it is: no guessing of types, no frames, and
 * for pages only scripts of our own. A route that needs another policy sets its own.
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': [
    "default-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:", "object-src 'none'",
    "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"
  ].join('; ')
} as const
