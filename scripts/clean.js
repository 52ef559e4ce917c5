// Removes what the build made: inside the repository everything runs from the source, and an old dist/ must not answer in its place.
import { rmSync } from 'node:fs'

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
