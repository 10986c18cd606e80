import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  EMPTY_ACCESS_FILE, changeAccessFile, checkBinding, newSecret, parseAccessFile, withKey, withOrganisation,
  withOrigins, withRevokedKey
} from '../../access/index.ts'
import { NOW_MS, PATIENT, accessFolder, fileWithKeys, startGuarded } from './access-server.ts'
import type { AccessFile } from '../../access/index.ts'

let folder: ReturnType<typeof accessFolder>
const closers: Array<() => Promise<void>> = []
beforeEach(() => { folder = accessFolder() })
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
  folder.remove()
})

const stored = (): AccessFile => parseAccessFile(readFileSync(folder.file, 'utf8'))
const organisation = (id: string) => (file: AccessFile) => withOrganisation(file, { id, name: '', origins: [] }, NOW_MS)

describe('the file of keys', () => {
  const { file } = fileWithKeys([{ organisation: 'acme', expiresAtMs: NOW_MS }])
  const [key] = file.keys
  const [acme] = file.organisations

  test.each([
    ['no JSON', '{'],
    ['a field that is not known', JSON.stringify({ ...file, keys: [{ ...key, expires: '2026-01-01T00:00:00Z' }] })],
    ['an unknown scope', JSON.stringify({ ...file, keys: [{ ...key, scopes: ['root'] }] })],
    ['no scope', JSON.stringify({ ...file, keys: [{ ...key, scopes: [] }] })],
    ['a time that is none', JSON.stringify({ ...file, keys: [{ ...key, expires_at: 'tomorrow' }] })],
    ['a secret instead of a hash', JSON.stringify({ ...file, keys: [{ ...key, sha256: newSecret() }] })],
    ['a key of nobody', JSON.stringify({ ...file, organisations: [] })],
    ['one key twice', JSON.stringify({ ...file, keys: [key, key] })],
    ['one secret twice', JSON.stringify({ ...file, keys: [key, { ...key, id: 'key_0000000000000000' }] })],
    ['one organisation twice', JSON.stringify({ ...file, organisations: [acme, acme] })],
    ['an origin with a path', JSON.stringify({ ...file, organisations: [{ ...acme, origins: ['https://a.b/c'] }] })],
    ['another version', JSON.stringify({ ...file, version: 2 })]
  ])('is refused with %s', (_what, text) => {
    expect(() => parseAccessFile(text)).toThrow(expect.objectContaining({ code: 'access_file_invalid' }))
  })

  test('is read back as it was made, and without a file there is nobody', () => {
    expect(parseAccessFile(JSON.stringify(file))).toEqual(file)
    expect(parseAccessFile(undefined)).toEqual(EMPTY_ACCESS_FILE)
  })

  test('holds the hash of a secret, never the secret', () => {
    const made = fileWithKeys([{ organisation: 'acme' }])
    const secret = made.secrets[0]
    expect(secret).toMatch(/^mr_[\w-]{43}$/)
    expect(JSON.stringify(made.file)).not.toContain(secret.slice(3))
  })
})

describe('a change', () => {
  const newKey = {
    id: 'key_0123456789abcdef',
    secret: newSecret(),
    name: '',
    scopes: ['query'],
    expiresAtMs: undefined,
    rateLimitPerSecond: undefined
  } as const

  test('refuses an organisation that exists, and a key for one that does not', () => {
    const { file } = fileWithKeys([{ organisation: 'acme' }])
    expect(() => organisation('acme')(file)).toThrow(expect.objectContaining({ code: 'organisation_exists' }))
    const attempt = () => withKey(file, { ...newKey, organisation: 'acne' }, NOW_MS)
    expect(attempt).toThrow(expect.objectContaining({ code: 'organisation_unknown' }))
    expect(() => withOrigins(file, 'acne', [])).toThrow(expect.objectContaining({ code: 'organisation_unknown' }))
  })

  test('makes the organisation of an open system with its first key', () => {
    const file = withKey(EMPTY_ACCESS_FILE, { ...newKey, organisation: 'default' }, NOW_MS)
    expect(file.organisations.map(({ id }) => id)).toEqual(['default'])
  })

  test('revokes a key once: it keeps its time, and stays in the file', () => {
    const { file, ids } = fileWithKeys([{ organisation: 'acme' }])
    const id = ids[0] as string
    const twice = withRevokedKey(withRevokedKey(file, id, NOW_MS), id, NOW_MS + 1)
    expect(twice.keys[0]?.revoked_at).toBe(new Date(NOW_MS).toISOString())
    expect(() => withRevokedKey(file, 'key_x', NOW_MS)).toThrow(expect.objectContaining({ code: 'key_unknown' }))
  })

  test('refuses what is no origin', () => {
    const { file } = fileWithKeys([{ organisation: 'acme' }])
    for (const origin of ['*', 'null', 'shop.example', 'https://shop.example/', 'file:///x']) {
      expect(() => withOrigins(file, 'acme', [origin])).toThrow(expect.objectContaining({ code: 'argument_invalid' }))
    }
    const [acme] = withOrigins(file, 'acme', ['http://localhost:3000']).organisations
    expect(acme?.origins).toEqual(['http://localhost:3000'])
  })
})

describe('writing', () => {
  test('many writers at once lose nothing, and leave nothing behind', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `org-${index}`)
    await Promise.all(ids.map((id) => changeAccessFile(folder.file, organisation(id))))
    expect(stored().organisations.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
    expect(readdirSync(folder.directory)).toEqual(['access.json'])
  })

  test('a new file is for its owner alone, in a folder that need not exist', async () => {
    const path = join(folder.directory, 'a', 'b', 'access.json')
    await changeAccessFile(path, organisation('acme'))
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('a change that fails, and a file that is broken, leave the file as it was', async () => {
    await changeAccessFile(folder.file, organisation('acme'))
    const before = readFileSync(folder.file, 'utf8')
    await expect(changeAccessFile(folder.file, organisation('acme'))).rejects.toThrow()
    const attempt = changeAccessFile(folder.file, (file) => {
      return { ...file, organisations: file.organisations.map((each) => ({ ...each, id: 'not an id' })) }
    })
    await expect(attempt).rejects.toMatchObject({ code: 'access_file_invalid' })
    expect(readFileSync(folder.file, 'utf8')).toBe(before)
    folder.write('{')
    await expect(changeAccessFile(folder.file, organisation('b'))).rejects.toMatchObject({ code: 'access_file_invalid' })
    expect(readFileSync(folder.file, 'utf8')).toBe('{')
    expect(readdirSync(folder.directory)).toEqual(['access.json'])
  })

  test('replaces the file behind a link, not the link', async () => {
    const target = join(folder.directory, 'target.json')
    writeFileSync(target, JSON.stringify(EMPTY_ACCESS_FILE))
    symlinkSync(target, folder.file)
    await changeAccessFile(folder.file, organisation('acme'))
    expect(parseAccessFile(readFileSync(target, 'utf8')).organisations).toHaveLength(1)
  })

  test('a folder that cannot be written is named', async () => {
    writeFileSync(join(folder.directory, 'flat'), '')
    const attempt = changeAccessFile(join(folder.directory, 'flat', 'access.json'), organisation('acme'))
    await expect(attempt).rejects.toMatchObject({ code: 'access_file_unwritable', retryable: false })
  })
})

describe('watching', () => {
  async function start () {
    const guarded = await startGuarded(folder.file)
    closers.push(guarded.close)
    return guarded
  }

  test('a role does not start with a broken file', async () => {
    folder.write('{')
    await expect(startGuarded(folder.file)).rejects.toMatchObject({ code: 'access_file_invalid' })
  })

  test.each([
    ['broken', () => folder.write('{"version":1')],
    ['gone', () => folder.remove()]
  ])('a file that is %s leaves the last good keys in force, is logged and counted once', async (_what, spoil) => {
    const { file, secrets } = fileWithKeys([{ organisation: 'acme' }])
    folder.write(file)
    const { get, registry, lines } = await start()
    spoil()
    await vi.waitFor(async () => {
      expect(await registry.metrics()).toContain('millrace_access_file_loads_total{outcome="refused"} 1')
    }, PATIENT)
    expect(await registry.metrics()).toContain('millrace_access_file_good 0')
    expect((await get('/out', { 'x-api-key': secrets[0] })).statusCode).toBe(200)
    expect((await get('/out')).statusCode).toBe(401)
    mkdirSync(folder.directory, { recursive: true })
    folder.write(file)
    await vi.waitFor(async () => {
      expect(await registry.metrics()).toContain('millrace_access_file_good 1')
    }, PATIENT)
    expect(lines.filter((line) => line.includes('not usable'))).toHaveLength(1)
  })

  test('a mounted Secret whose folder is swapped is read anew', async () => {
    const release = (name: string, keys: ReturnType<typeof fileWithKeys>) => {
      mkdirSync(join(folder.directory, name))
      writeFileSync(join(folder.directory, name, 'access.json'), JSON.stringify(keys.file))
      symlinkSync(name, join(folder.directory, '..data_tmp'))
      renameSync(join(folder.directory, '..data_tmp'), join(folder.directory, '..data'))
    }
    const [before, after] = [fileWithKeys([{ organisation: 'acme' }]), fileWithKeys([{ organisation: 'acme' }])]
    release('..1', before)
    symlinkSync(join('..data', 'access.json'), folder.file)
    const { get } = await start()
    expect((await get('/out', { 'x-api-key': before.secrets[0] })).statusCode).toBe(200)
    release('..2', after)
    await vi.waitFor(async () => {
      expect((await get('/out', { 'x-api-key': after.secrets[0] })).statusCode).toBe(200)
    }, PATIENT)
    expect((await get('/out', { 'x-api-key': before.secrets[0] })).statusCode).toBe(401)
  })
})

test.each([
  ['127.0.0.1', false, true], ['localhost', false, true], ['::1', false, true], ['127.1.2.3', false, true],
  ['0.0.0.0', false, false], ['::', false, false], ['10.0.0.1', false, false], ['127.evil.example', false, false],
  ['0.0.0.0', true, true]
])('listening on %s with keys needed: %s may be: %s', (host, required, may) => {
  const attempt = () => checkBinding(host, { required })
  if (may) expect(attempt).not.toThrow()
  else expect(attempt).toThrow(expect.objectContaining({ code: 'open_on_network' }))
})
