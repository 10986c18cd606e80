/**
 * Takes the write lock of the LMDB environment that its argument names, writes into the transaction, says so,
 * and never finishes: what a process looks like that stands still in the middle of a commit.
 */
import { open } from 'lmdb'

const [path, mapSize] = process.argv.slice(2) as [string, string]
const database = open<Buffer, Buffer>({
  path,
  mapSize: Number(mapSize),
  noSubdir: true,
  overlappingSync: false,
  encoding: 'binary',
  keyEncoding: 'binary'
})
database.transactionSync(() => {
  database.putSync(Buffer.from('unfinished'), Buffer.alloc(10_000))
  process.stdout.write('holding\n')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
