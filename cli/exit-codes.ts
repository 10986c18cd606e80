/** Exit codes of the command, after sysexits.h where it has a name for it. */
export const EXIT_FAULT = 1
/** EX_CONFIG: the environment is wrong; starting again does not help. */
export const EXIT_SETTINGS = 78
