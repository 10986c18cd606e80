/** A source of randomness that a seed repeats; good enough to vary a test, and for nothing else. */
export class SeededRandom {
  readonly seed: number
  #state: number

  constructor (seed: number) {
    this.seed = seed
    this.#state = seed >>> 0
  }

  /** From the environment variable SEED, else from a new seed; printed, so that a run can be repeated. */
  static fromEnv (what: string): SeededRandom {
    const given = process.env['SEED']
    const random = new SeededRandom(given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given))
    console.log(`${what}: SEED=${random.seed}`)
    return random
  }

  /** A number from 0 to below 1 (mulberry32). */
  fraction (): number {
    this.#state = (this.#state + 0x6D2B79F5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to below `bound`. */
  below (bound: number): number {
    return Math.floor(this.fraction() * bound)
  }

  pick<T> (values: readonly T[]): T {
    return values[this.below(values.length)] as T
  }
}
