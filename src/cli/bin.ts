#!/usr/bin/env node
import '../check-node.ts'

// Loaded after the check, so that an old Node never meets what it can't load.
const { main } = await import('./main.ts')
// A module may leave timers and connections behind; when its queries have ended, the command has.
process.exit(await main(process.argv.slice(2)))
