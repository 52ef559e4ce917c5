// Imported first by what the package exports, and importing nothing: on an old Node it runs before anything that such a Node can't load.
const oldest = 24
const [major = 0] = process.versions.node.split('.').map(Number)
if (major < oldest) {
  console.error(`millrace needs Node ${oldest} or newer, and this is ${process.version}: see https://nodejs.org/en/download`)
  process.exit(1)
}

export {}
