const START = '<!-- settings: written by `make generate` -->'
const END = '<!-- end of settings -->'

/** The README with its generated section replaced. Throws where the README has no such section. */
export function withSettings (readme: string, table: string): string {
  const start = readme.indexOf(START)
  const end = readme.indexOf(END)
  if (start < 0 || end < start) throw new Error('README.md has no section for the settings')
  return `${readme.slice(0, start + START.length)}\n\n${table}\n${readme.slice(end)}`
}
