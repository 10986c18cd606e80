import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Type } from 'typebox'
import { SettingsError, describeSettings, loadSettings } from '../../cli/settings.ts'
import { roles } from '../../cli/index.ts'
import { withGenerated, withPromises } from '../../scripts/readme-section.ts'

const settings = {
  PORT: Type.Integer({ default: 8080, minimum: 1, description: 'Where to listen.' }),
  MODE: Type.Enum(['fast', 'safe'], { default: 'safe', description: 'How.' }),
  URL: Type.String({ description: 'Where to go.' })
}

test('settings are converted, defaulted and frozen', () => {
  const loaded = loadSettings(settings, { PORT: '9000', URL: 'http://x', OTHER: 'ignored' })
  expect(loaded).toEqual({ PORT: 9000, MODE: 'safe', URL: 'http://x' })
  expect(Object.isFrozen(loaded)).toBe(true)
})

test('all faults are reported at once, each with the name of its variable', () => {
  const attempt = () => loadSettings(settings, { PORT: 'many', MODE: 'slow' })
  expect(attempt).toThrow(SettingsError)
  try {
    attempt()
  } catch (error) {
    expect((error as SettingsError).faults.toSorted()).toEqual([
      'MODE must be equal to one of the allowed values (fast,safe)',
      'PORT must be integer',
      "must have required property 'URL'"
    ])
  }
})

test('the help of a role names each variable with its default and meaning', () => {
  expect(describeSettings(settings)).toContain('PORT [8080]\n      Where to listen.')
})

describe.each(roles.map((role) => [role.name, role] as const))('%s', (_name, role) => {
  test('starts from an empty environment', () => {
    expect(() => loadSettings(role.settings, {})).not.toThrow()
  })

  test('describes every variable', () => {
    for (const [name, setting] of Object.entries(role.settings)) {
      expect((setting as { description?: string }).description, name).toMatch(/\w.*\w/)
    }
  })
})

test('the README has the variables of every role as declared, and the newest figures as measured', () => {
  const readme = readFileSync('README.md', 'utf8')
  expect(withGenerated(readme)).toBe(readme)
})

test('docs/delivery.md has what the promises cost as measured last', () => {
  const page = readFileSync('docs/delivery.md', 'utf8')
  expect(withPromises(page)).toBe(page)
})
