import { MillraceError, TEXT_LENGTH_MAX, streams as allStreams } from '../contract/index.ts'
import { compileValidator } from '../http/index.ts'

export const STREAM_NAMES: readonly string[] = allStreams.map(({ name }) => name)

/** Whom to erase, as clients and operators say it: JSON Schema. */
export const ERASURE_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['subject'],
  properties: {
    subject: { type: 'string', minLength: 1, maxLength: TEXT_LENGTH_MAX, format: 'storable-text' },
    streams: { type: 'array', minItems: 1, uniqueItems: true, items: { type: 'string', enum: STREAM_NAMES } }
  }
}

const faultOf = compileValidator(ERASURE_BODY)

/** Throws MillraceError where no event could have such a subject, or where there is no such stream. */
export function checkErasureRequest (request: { subject: string, streams: readonly string[] }): void {
  const fault = faultOf(request)
  if (fault === undefined) return
  const names = fault.code === 'unknown_value' ? `: ${STREAM_NAMES.join(', ')}` : ''
  throw new MillraceError(fault.code, `${fault.path}: ${fault.message}${names}`, { faults: [fault] })
}
