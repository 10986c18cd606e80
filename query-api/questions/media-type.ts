import { MillraceError } from '../../contract/index.ts'

/** Formats of an answer, by media type; the first is the default. */
const MEDIA_TYPES = {
  'application/json': 'json',
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/vnd.apache.arrow.stream': 'arrow_stream',
  'application/vnd.apache.arrow.file': 'arrow_file'
} as const

export type MediaType = keyof typeof MEDIA_TYPES
export type AnswerFormat = typeof MEDIA_TYPES[MediaType]

const NAMES = Object.keys(MEDIA_TYPES) as MediaType[]
/** Ranges that are looked at; no client needs more. */
const RANGES_MAX = 32

/**
 * The media type that a header `Accept` prefers (RFC 9110 section 12.5.1): the highest quality, then the
 * order of the header. Throws MillraceError `not_acceptable` where it takes none.
 */
export function negotiate (accept = '*/*'): MediaType {
  const ranges = accept.split(',', RANGES_MAX).map(parseRange).sort((a, b) => b.quality - a.quality)
  for (const { range, quality } of ranges) {
    const [type, subtype] = range.split('/')
    const name = NAMES.find((candidate) => {
      return range === '*/*' || candidate === range || (subtype === '*' && candidate.startsWith(`${type}/`))
    })
    const refused = ranges.some((other) => other.range === name && other.quality === 0)
    if (name !== undefined && quality > 0 && !refused) return name
  }
  throw new MillraceError('not_acceptable', `Accept must take one of ${NAMES.join(', ')}`)
}

export function formatOf (mediaType: MediaType): AnswerFormat {
  return MEDIA_TYPES[mediaType]
}

function parseRange (text: string): { range: string, quality: number } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const quality = parameters.find((parameter) => parameter.startsWith('q='))
  return { range, quality: quality === undefined ? 1 : Number(quality.slice(2)) || 0 }
}
