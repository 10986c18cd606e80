/** A supervisor that ends by itself, as its time limit or a fault would end it, while a child hangs. */
import { pino } from 'pino'
import { Supervisor } from '../../cli/supervisor.ts'

const args = process.argv.slice(2)
const child = { name: 'hang', args, env: process.env, endsByItself: false, niceness: 0 }
const supervisor = new Supervisor({ stages: [[child]], log: pino({ level: 'silent' }), shutdownMsMax: 60_000 })
await supervisor.start()
process.exit(3)
