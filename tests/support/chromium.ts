import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** To start, and for a page to do what a test waits for. */
export const BROWSER_MS_MAX = 120_000

/** Talks to nobody but the pages that a test opens. */
const ARGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

/** Path of a Chromium: CHROMIUM, or one in PATH. Throws where there is none and CI=true. */
export function findChromium (): string | undefined {
  const given = process.env['CHROMIUM']
  if (given) return given
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable)
  if (found !== undefined) return found
  if (process.env['CI'] === 'true') throw new Error('There is no Chromium: scripts/install-chromium.sh')
  console.warn('Tests that need a browser are skipped: there is no Chromium (scripts/install-chromium.sh)')
  return undefined
}

/** A browser with a profile of its own, which is removed with it. */
export async function launchChromium (executablePath: string): Promise<Browser> {
  return await chromium.launch({ executablePath, args: ARGS, timeout: BROWSER_MS_MAX })
}

function isExecutable (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
