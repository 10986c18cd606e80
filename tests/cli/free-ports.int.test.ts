import { expect, test } from 'vitest'
import { requireFreePorts } from '../../cli/free-ports.ts'
import { occupyPort } from '../support/free-ports.ts'
import type { AddressInfo } from 'node:net'

const host = '127.0.0.1'

test('every port that is taken is named by its setting, at once; none is held afterwards', async () => {
  const [http, clickHouse] = await Promise.all([occupyPort(), occupyPort()])
  const portOf = (server: typeof http) => (server.address() as AddressInfo).port
  const [taken, other] = [portOf(http), portOf(clickHouse)]
  const listeners = [
    { setting: 'HTTP_PORT', host, port: taken },
    { setting: 'PROCESSORS_PORT', host, port: 0 },
    { setting: 'CLICKHOUSE_PORT', host, port: other }
  ]
  await expect(requireFreePorts(listeners, 0)).rejects.toMatchObject({
    code: 'invalid_settings',
    faults: [
      `HTTP_PORT=${taken}: 127.0.0.1:${taken} is in use by another program`,
      `CLICKHOUSE_PORT=${other}: 127.0.0.1:${other} is in use by another program`
    ]
  })
  // Whoever has them may be about to end.
  const free = requireFreePorts(listeners, 60_000)
  http.close()
  clickHouse.close()
  await free
  const again = await occupyPort(taken)
  again.close()
})
