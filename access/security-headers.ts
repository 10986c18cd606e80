import type { FastifyReply } from 'fastify'

/**
 * Headers of every answer with a body that tell a browser to take it for what it is: no guessing of types, no
 * frames, and for pages only scripts of our own.
 */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': [
    "default-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:", "object-src 'none'",
    "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"
  ].join('; ')
} as const

/** A route that needs another policy sets its own. */
export function setSecurityHeaders (reply: FastifyReply): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    if (!reply.hasHeader(name)) reply.header(name, value)
  }
}
