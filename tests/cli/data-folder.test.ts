import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeDataFolder } from '../../cli/data-folder.ts'
import { SettingsError } from '../../cli/settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-data-'))
afterAll(() => { rmSync(directory, { recursive: true }) })

test('the folder is made with its parents; one that is there stays as it is', () => {
  const folder = join(directory, 'new', 'folder')
  makeDataFolder(folder)
  writeFileSync(join(folder, 'file'), '')
  makeDataFolder(folder)
  expect(existsSync(join(folder, 'file'))).toBe(true)
})

test('a folder that cannot be made is a fault of the setting: below a file, and where folders are not made', () => {
  const file = join(directory, 'file')
  writeFileSync(file, '')
  for (const path of [file, join(file, 'below'), '/proc/millrace', '/proc/millrace/below']) {
    expect(() => makeDataFolder(path), path).toThrow(SettingsError)
    expect(() => makeDataFolder(path), path).toThrow(`DATA_DIR=${path} is no folder that can be written to`)
  }
})
