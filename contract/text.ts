/** Characters (code points) of a client's string, unless a stream says otherwise. */
export const TEXT_LENGTH_MAX = 1024
export const EVENT_ID_LENGTH_MAX = 128

/** No NUL and no lone surrogate, so that UTF-8 gives back exactly what came. */
export function isStorableText (text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/** What is wrong with a text for a stream, or undefined: it has 1 to `lengthMax` storable characters. */
export function textFault (text: string, lengthMax = TEXT_LENGTH_MAX): string | undefined {
  if (text === '') return 'must not be empty'
  // A character has at most two units: what is longer than that need not be counted.
  const isLong = text.length > lengthMax && (text.length > 2 * lengthMax || [...text].length > lengthMax)
  if (isLong) return `must not be longer than ${lengthMax} characters`
  return isStorableText(text) ? undefined : 'must be Unicode without NUL'
}
