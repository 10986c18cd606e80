import type { Field } from './fields.ts'

/**
 * What sets the kinds of a stream's events apart: which of the fields that are optional in its schema an
 * event of each kind must have, and which it may have; the others are unknown to that kind.
 */
export interface EventKinds {
  /** Enum field that says the kind. */
  by: string
  /** By each symbol of that field. */
  fieldsOf: Readonly<Record<string, KindFields>>
}

export interface KindFields {
  required: readonly string[]
  optional: readonly string[]
  /** Symbols that an enum field has in events of this kind, where those are not all. */
  symbols?: Readonly<Record<string, readonly string[]>>
}

/** Throws where a symbol has no kind or a kind no symbol, or where a field that is optional is in no kind. */
export function checkKinds (stream: string, kinds: EventKinds, fields: readonly Field[]): void {
  const own = fields.filter((field) => !field.envelope)
  const symbols = own.find((field) => field.name === kinds.by)?.symbols ?? []
  checkSame(`${stream}: kinds`, symbols, Object.keys(kinds.fieldsOf))
  const named = Object.values(kinds.fieldsOf).flatMap(({ required, optional }) => [...required, ...optional])
  const optional = own.filter((field) => field.optional).map((field) => field.name)
  checkSame(`${stream}: fields of kinds`, optional, [...new Set(named)])
}

function checkSame (what: string, expected: readonly string[], actual: readonly string[]): void {
  if (expected.toSorted().join() === actual.toSorted().join()) return
  throw new Error(`${what} are ${actual.join(', ')} instead of ${expected.join(', ')}`)
}
