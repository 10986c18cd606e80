/** The README's tables of environment variables, made from the settings that the roles declare. */
import type { Role } from '../cli/index.ts'

interface Setting {
  default?: unknown
  description?: string
}

/** Markdown: one table for each set of roles that read the same variables. */
export function settingsReference (roles: readonly Role[]): string {
  const readers = new Map<string, { setting: Setting, roles: string[] }>()
  for (const role of roles) {
    for (const [name, setting] of Object.entries(role.settings)) {
      const known = readers.get(name)
      if (known === undefined) readers.set(name, { setting: setting as Setting, roles: [role.name] })
      else known.roles.push(role.name)
    }
  }
  const groups = Map.groupBy(readers, ([_name, variable]) => variable.roles.join(', '))
  return [...groups].map(([who, variables]) => {
    const title = variables[0]?.[1].roles.length === roles.length ? 'Every role' : who
    const rows = variables.map(([name, { setting }]) => {
      return `| \`${name}\` | ${standardText(setting)} | ${setting.description ?? ''} |`
    })
    return [`**${title}**`, '', '| variable | default | meaning |', '| --- | --- | --- |', ...rows, ''].join('\n')
  }).join('\n')
}

function standardText ({ default: standard }: Setting): string {
  return standard === undefined || standard === '' ? '' : `\`${String(standard)}\``
}
