// Runs before tests and demo, on whatever Node npm found: it says in one line what is wrong, where later code would not even parse.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    `millrace: needs Node 24 or newer, this is ${process.version} — run "npm ci" in this folder: it installs one for the project's scripts`,
  )
  process.exit(1)
}
