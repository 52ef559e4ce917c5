#!/usr/bin/env node
import '../check-node.ts'

// Loaded after the check, so that an old Node never meets syntax it can't parse.
const { main } = await import('./main.ts')
process.exitCode = await main(process.argv.slice(2))
