import { EVENT_ID_LENGTH_MAX, FORMATS, MillraceError } from '../contract/index.ts'
import type { Envelope } from '../contract/index.ts'

type EventIdentity = Pick<Envelope, 'eventId' | 'eventIdOrigin'>

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const HEADER = 'Idempotency-Key'

/**
 * Who named the event: its body (`event_id`, already validated), else the Idempotency-Key header, else the
 * server. Throws `invalid_parameter` where the header is not 1 to 128 storable characters, or names another
 * event than the body does.
 */
export function eventIdentity (
  bodyId: string | undefined, header: string | string[] | undefined, newEventId: () => string
): EventIdentity {
  const headerId = header === undefined ? undefined : readHeader(header)
  if (bodyId !== undefined) {
    if (headerId !== undefined && headerId !== bodyId) throw refusal('differs from event_id')
    return { eventId: bodyId, eventIdOrigin: 'BODY' }
  }
  if (headerId !== undefined) return { eventId: headerId, eventIdOrigin: 'HEADER' }
  return { eventId: newEventId(), eventIdOrigin: 'SERVER' }
}

/** Node reads header bytes as Latin-1; clients write UTF-8. */
function readHeader (header: string | string[]): string {
  if (typeof header !== 'string') throw refusal('is repeated')
  let text: string
  try {
    text = UTF_8.decode(Buffer.from(header, 'latin1'))
  } catch {
    throw refusal('is not UTF-8')
  }
  const length = [...text].length
  if (length < 1 || length > EVENT_ID_LENGTH_MAX) throw refusal(`has not 1 to ${EVENT_ID_LENGTH_MAX} characters`)
  if (!FORMATS['storable-text'](text)) throw refusal('holds a character that cannot be stored')
  return text
}

function refusal (reason: string): MillraceError {
  const message = `${HEADER} ${reason}`
  return new MillraceError('invalid_parameter', message, {
    faults: [{ path: HEADER, code: 'invalid_parameter', message }]
  })
}
