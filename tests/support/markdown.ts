import { readFileSync } from 'node:fs'

/** A fenced block of a page. */
export interface CodeBlock {
  language: string
  text: string
  /** The heading that it stands under. */
  section: string
  /** Nothing but space lies between it and the block before: so an answer stands below its request. */
  adjacent: boolean
}

const HEADING = /^#+ (.*)$/gm
const FENCE = /^( *)```(\w+)\n([\s\S]*?)^\1```$/gm

/** The fenced blocks of a Markdown file, in order. */
export function codeBlocks (file: string): CodeBlock[] {
  const page = readFileSync(file, 'utf8')
  const headings = [...page.matchAll(HEADING)]
  let end = 0
  return [...page.matchAll(FENCE)].map((match) => {
    const [whole, , language = '', text = ''] = match
    const section = headings.findLast((heading) => heading.index < match.index)?.[1] ?? ''
    const adjacent = page.slice(end, match.index).trim() === ''
    end = match.index + whole.length
    return { language, text, section, adjacent }
  })
}
