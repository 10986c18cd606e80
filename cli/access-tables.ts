import { parseTime } from '../contract/index.ts'
import type { Key, Organisation } from '../access/index.ts'

/** Names come from people: what could steer a terminal is left out. */
const CONTROLS = /[\p{Cc}\p{Cf}]/gu

export function organisationsTable (organisations: readonly Organisation[]): string {
  return table(['ID', 'NAME', 'ORIGINS', 'CREATED'], organisations.map(({ id, name, origins, ...rest }) => {
    return [id, name, origins.join(' '), rest.created_at]
  }))
}

export function keysTable (keys: ReadonlyArray<Omit<Key, 'sha256'>>, nowMs: number): string {
  const heads = ['ID', 'ORGANISATION', 'NAME', 'SCOPES', 'STATE', 'CREATED', 'EXPIRES', 'PER SECOND']
  return table(heads, keys.map((key) => [
    key.id,
    key.organisation,
    key.name,
    key.scopes.join(','),
    stateOf(key, nowMs),
    key.created_at,
    key.expires_at ?? '',
    String(key.rate_limit_per_second ?? '')
  ]))
}

function stateOf ({ revoked_at: revoked, expires_at: expires }: Omit<Key, 'sha256'>, nowMs: number): string {
  if (revoked !== undefined) return 'revoked'
  return expires !== undefined && parseTime(expires) as number <= nowMs ? 'expired' : 'active'
}

/** Columns for a terminal, without what could steer it. */
export function table (heads: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const lines = [heads, ...rows.map((row) => row.map((cell) => cell.replace(CONTROLS, '') || '-'))]
  const widths = heads.map((_head, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines.map((line) => {
    return line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()
  }).join('\n')
}
