import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SettingsError } from './settings.ts'

/**
 * Makes the folder of what the embedded parts store, before any of them does. Throws SettingsError where that
 * cannot be done. Node's `recursive` is not used: it repeats itself for ever where a folder that exists takes
 * none and says ENOENT, as /proc does.
 */
export function makeDataFolder (path: string): void {
  try {
    for (const folder of withParents(resolve(path))) makeFolder(folder)
    accessSync(path, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new SettingsError([`DATA_DIR=${path} is no folder that can be written to: ${(error as Error).message}`])
  }
}

/** From the root on, which is there. */
function withParents (path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [] : [...withParents(parent), path]
}

function makeFolder (path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    // A file system need not say EEXIST of what is there.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error
  }
}
