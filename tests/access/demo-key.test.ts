import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newSecret } from '../../access/index.ts'
import { PATIENT, accessFolder, fileWithKeys, startGuarded } from './access-server.ts'

const demoKey = newSecret()
let folder: ReturnType<typeof accessFolder>
const closers: Array<() => Promise<void>> = []
beforeEach(() => { folder = accessFolder() })
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
  folder.remove()
})

async function start (alwaysRequired = false) {
  const guarded = await startGuarded(folder.file, { demoKey, config: { alwaysRequired } })
  closers.push(guarded.close)
  return guarded
}

test('a demo key opens the routes that always need a key, as the tenant demo', async () => {
  const { get } = await start()
  expect((await get('/secret', { 'x-api-key': demoKey })).json()).toEqual({ tenant: 'demo' })
})

test('a demo key closes nothing: other routes stay open, and are none of its business', async () => {
  const { get, gate } = await start()
  expect(gate.required).toBe(false)
  expect((await get('/out')).json()).toEqual({ tenant: 'default' })
  expect((await get('/out', { 'x-api-key': demoKey })).statusCode).toBe(401)
})

test('a demo key is refused where keys are required, and from the first real key on', async () => {
  const closed = await start(true)
  expect((await closed.get('/secret', { 'x-api-key': demoKey })).statusCode).toBe(401)
  const { get } = await start()
  folder.write(fileWithKeys([{ organisation: 'acme' }]).file)
  await vi.waitFor(async () => {
    expect((await get('/secret', { 'x-api-key': demoKey })).statusCode).toBe(401)
  }, PATIENT)
})
