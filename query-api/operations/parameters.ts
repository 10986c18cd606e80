/** Parameters that several routes take, as documentation: the parsers decide what is valid. */
import { Type } from 'typebox'
import { TEXT_LENGTH_MAX } from '../../contract/index.ts'
import type { TSchema } from 'typebox'

const DATE_OR_TIME = { anyOf: [{ type: 'string', format: 'date-time' }, { type: 'string', format: 'date' }] }

/** A text that a stream can hold. */
export function text (description: string, example: string): TSchema {
  return Type.String({
    minLength: 1, maxLength: TEXT_LENGTH_MAX, format: 'storable-text', description, examples: [example]
  })
}

export function choice (values: readonly string[], description: string): TSchema {
  return Type.Unsafe({ type: 'string', enum: values, description })
}

/** A bound of a window of time: an RFC 3339 time or a UTC date. */
export function dateOrTime (description: string, example: string): TSchema {
  return Type.Unsafe({ ...DATE_OR_TIME, description, examples: [example] })
}

const DATE_TIME = '\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}'

/** `<from>_<to>`, UTC without zone. */
export function timeRange (description: string, example: string, fraction = ''): TSchema {
  return Type.String({
    pattern: `^${DATE_TIME}${fraction}_${DATE_TIME}${fraction}$`, description, examples: [example]
  })
}
