/**
 * A stand-in for a role in the supervisor's tests: notes each life in a file, then does what its arguments
 * say.
 */
import { appendFileSync } from 'node:fs'

const [behaviour, file] = process.argv.slice(2) as [string, string]
appendFileSync(file, `${behaviour} ${process.pid}\n`)
if (behaviour === 'work') process.exit(0)
if (behaviour === 'refuse') process.exit(78)
if (behaviour === 'fail') process.exit(1)
// Stuck before it is ready, for ever, whatever anybody sends.
if (behaviour === 'stuck') hang()
const alive = setInterval(() => {}, 1000)
process.once('disconnect', () => clearInterval(alive))
process.once('SIGTERM', () => {
  if (behaviour === 'deaf') return
  appendFileSync(file, `end ${process.pid}\n`)
  process.exit(0)
})
process.send?.({ ready: {} }, () => { if (behaviour === 'hang') hang() })

/** As a synchronous loop does, but for the load. */
function hang (): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
