import { createHash } from 'node:crypto'
import { MillraceError } from '../../contract/index.ts'
import { QUESTION_LIMITS } from './question.ts'
import type { QuestionInput } from './parse-question.ts'

/** JSON with the members of every object in the order of their names: equal questions are equal texts. */
export function canonicalText (value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => a < b ? -1 : 1))
  })
}

/**
 * The id of a saved question is the question itself, so nothing is stored, nothing expires, and any replica
 * can answer it. Throws MillraceError `invalid_query` where it is too long for a URL.
 */
export function saveQuestion (input: QuestionInput): string {
  const bytes = Buffer.from(canonicalText(input))
  if (bytes.length > QUESTION_LIMITS.savedBytes) {
    throw new MillraceError('invalid_query', `A saved question has at most ${QUESTION_LIMITS.savedBytes} bytes`)
  }
  return bytes.toString('base64url')
}

/** The JSON of an id, not validated. Throws MillraceError `invalid_parameter` where there is none. */
export function openSavedQuestion (id: string): unknown {
  const bytes = Buffer.from(id, 'base64url')
  try {
    // One question has one URL: other spellings of the same bytes are refused.
    if (bytes.toString('base64url') === id) return JSON.parse(bytes.toString())
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new MillraceError('invalid_parameter', 'The id is not that of a saved question')
}

export interface EtagParts {
  tenant: string
  question: string
  mediaType: string
  /** How much of the stream is stored, and of it erased. */
  version: string
  /** Epoch milliseconds: retention takes rows away without a new event. */
  nowMs: number
}

const DAY_MS = 86_400_000

/** Weak: an answer tells how long it took, and equal data may say so differently. */
export function questionEtag ({ tenant, question, mediaType, version, nowMs }: EtagParts): string {
  const text = JSON.stringify([tenant, question, mediaType, version, Math.floor(nowMs / DAY_MS)])
  return `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 27)}"`
}
