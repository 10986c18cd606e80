import { MillraceError, textFault } from '../contract/index.ts'
import type { ErrorCode, Fault } from '../contract/index.ts'

/** A parsed query string: a parameter that stands several times is an array, in the order of the URL. */
export type RawQuery = Readonly<Record<string, string | readonly string[]>>

/** Collects what is wrong with a request, so that one answer names all of it. */
export class ParameterFaults {
  private readonly faults: Fault[] = []

  add (path: string, code: ErrorCode, message: string): undefined {
    this.faults.push({ path, code, message })
    return undefined
  }

  /** Throws MillraceError with the code of the first fault, and all faults in it. */
  throwIfAny (): void {
    const [first] = this.faults
    if (first === undefined) return
    throw new MillraceError(first.code, `${first.path}: ${first.message}`, { faults: this.faults })
  }
}

/** Every value of a parameter, in the order of the URL; empty where it is absent. */
export function valuesOf (query: RawQuery, name: string): readonly string[] {
  const value = query[name]
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/**
 * Faults every parameter outside `names`: a misspelt filter that was ignored would give a wrong answer
 * without a word.
 */
export function refuseUnknown (query: RawQuery, names: readonly string[], faults: ParameterFaults): void {
  for (const name of Object.keys(query)) {
    if (!names.includes(name)) {
      faults.add(name.slice(0, 128), 'invalid_parameter', 'the route has no such parameter')
    }
  }
}

/** The text itself where a stream could hold it: 1 to 1,024 characters, no NUL. */
export function parseText (name: string, text: string, faults: ParameterFaults): string | undefined {
  const fault = textFault(text)
  return fault === undefined ? text : faults.add(name, 'invalid_parameter', fault)
}

/** `limit`, from 1 to `max`; `standard` where it is absent, and, with a fault, where it is another. */
export function parseLimit (
  query: RawQuery, { standard, max }: { standard: number, max: number }, faults: ParameterFaults
): number {
  const [text, ...others] = valuesOf(query, 'limit')
  if (text === undefined) return standard
  if (others.length === 0 && /^[1-9]\d{0,8}$/.test(text) && Number(text) <= max) return Number(text)
  faults.add('limit', 'invalid_limit', `must be one whole number from 1 to ${max}`)
  return standard
}

/** The parameter's value, or `fallback` where it is absent; a fault, and `fallback`, where it is another. */
export function parseChoice<Choice extends string> (
  query: RawQuery, name: string, choices: readonly Choice[], fallback: Choice, faults: ParameterFaults
): Choice {
  const values = valuesOf(query, name)
  const choice = values.length === 0 ? fallback : choices.find((each) => each === values[0])
  if (choice !== undefined && values.length <= 1) return choice
  faults.add(name, 'invalid_parameter', `must be one of ${choices.filter((each) => each !== '').join(', ')}`)
  return fallback
}
