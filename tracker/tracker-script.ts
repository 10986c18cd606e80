import { readFile } from 'node:fs/promises'

/** Lines of comment, and the space before and after the others. */
const NOT_SERVED = /^\s*(?:\/\/.*|\/\*.*\*\/)$|^[ \t]+|[ \t]+$/gm

/**
 * The script as it is served: without comments and indentation. Its source keeps both on lines of their own,
 * and has no text over several lines.
 */
export async function readTrackerScript (): Promise<string> {
  const source = await readFile(new URL('user-tracker.js', import.meta.url), 'utf8')
  return source.replace(NOT_SERVED, '').replace(/\n+/g, '\n').trimStart()
}
